/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of other formats, looked at and converted by qemu-img, which runs within carrel-confine. The file belongs to the user
 * that it runs as. Blocks, on any thread.
 */
#pragma once

#include "appliance/storage/probe.h"
#include "appliance/storage/work.h"

typedef struct {
    const StorageConfig *config;
    int in; /* what came, to read */
    ProbeFormat format;
} Conversion;

/*
 * The bytes that a desktop would see, by what qemu-img says of the file; INVALID if that needs other files, is encrypted, or
 * contradicts @claimed (0: nothing was claimed).
 */
bool convert_look(const Conversion *conversion, uint64_t claimed, Work *work, uint64_t *size, GError **error);

/* Asked now and then whether to go on. */
typedef bool (*ConvertGoesOn)(gpointer user, GError **error);

/*
 * Writes them to @out, which reads as zeros and is @size bytes long or longer; a file there belongs to that user as well.
 * What was written is not yet on stable storage.
 */
bool convert_write(const Conversion *conversion, int out, uint64_t size, Work *work, ConvertGoesOn goes_on,
                   gpointer user, GError **error);
