/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file claims to be, from its first bytes and its last: told by ourselves, so that no program guesses a format that
 * opens other files. What would need others (backing files, extents and data files elsewhere), is encrypted, or is no image at
 * all, is refused here with a sentence. Hostile input: nothing of it is trusted, and what it claims of sizes is held
 * against limits by the caller.
 *
 * After: QEMU's docs/interop/qcow2.txt; VMware's "Virtual Disk Format 5.0"; Microsoft's "VHDX Format Specification 1.0" and
 * "Virtual Hard Disk Image Format Specification"; ECMA-119 (ISO 9660), ECMA-167 (UDF); VirtualBox's VDICore.h. No state, any
 * thread.
 */
#pragma once

#include "appliance/storage/storage.h"

/* So much of a file's beginning is looked at, or all of one that is shorter; and so much of its end. */
#define PROBE_HEAD (128 * 1024)
#define PROBE_TAIL 512

typedef enum {
    PROBE_RAW,
    PROBE_ISO,
    PROBE_QCOW2,
    PROBE_VMDK,
    PROBE_VHDX,
    PROBE_VDI,
    PROBE_VPC,
} ProbeFormat;

typedef struct {
    const uint8_t *head; /* MIN(size, PROBE_HEAD) bytes */
    const uint8_t *tail; /* MIN(size, PROBE_TAIL) bytes */
    uint64_t size;       /* of the file */
} ProbeInput;

typedef struct {
    ProbeFormat format;
    uint64_t size; /* bytes that a desktop would see; 0: the header does not tell in a place we know */
} Probe;

/* The name that QEMU has for it; "iso" for a disc. */
const char *probe_format_name(ProbeFormat format);

/* @probe: set on success only. */
bool probe_image(const ProbeInput *input, StorageImageType type, Probe *probe, GError **error);
