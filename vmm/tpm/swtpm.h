/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TPM in a process of its own: swtpm(8), by its control channel (tpm_ioctl.h and swtpm_ioctls(3) of swtpm).
 *
 * One Unix socket carries control messages, a request and its answer at a time; over it swtpm is given another, which carries
 * TPM commands and their responses. Whoever starts the desktop starts swtpm, which keeps the TPM's state; the VMM takes a
 * copy of it along with a saved desktop and gives it back.
 *
 * swtpm is another process, perhaps with faults: what it says is bounded, and each control message has a time-out, after which
 * it counts as lost. Owner: the main thread, but for swtpm_send(): any thread, one at a time.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SWTPM_ERROR (swtpm_error_quark())
GQuark swtpm_error_quark(void);
typedef enum {
    SWTPM_ERROR_LOST,    /* it hung up, or does not answer */
    SWTPM_ERROR_FOREIGN, /* what is at the other end is no swtpm, or one that lacks something */
    SWTPM_ERROR_REFUSED, /* it says no */
} SwtpmError;

#define SWTPM_MESSAGE_MAX 4096       /* bytes of a TPM command or response */
#define SWTPM_BLOB_MAX (1024 * 1024) /* of a part of its state */
#define SWTPM_HEADER 10              /* of a command or response: tag, size, code (TPM 2.0 library, part 1, 18) */

typedef struct Swtpm Swtpm;

/* Both mandatory, main thread. */
typedef struct {
    /* The response to the command sent; @len is SWTPM_HEADER or more. */
    void (*response)(void *user, const uint8_t *bytes, size_t len);
    /* There is no TPM any more; once. Said from within any function here but swtpm_new() and swtpm_send(). */
    void (*lost)(void *user, const char *why);
} SwtpmOps;

/* The parts of a TPM's state (PTM_BLOB_TYPE_*), in the order in which they are loaded. */
typedef enum { SWTPM_PERMANENT, SWTPM_VOLATILE, SWTPM_SAVED, SWTPM_BLOBS } SwtpmBlobKind;

typedef struct {
    GByteArray *bytes; /* NULL: there is none */
    uint32_t flags;    /* swtpm's own, of encryption */
} SwtpmBlob;

/* @control: a connected Unix stream socket, owned from here on, on failure too. */
Swtpm *swtpm_new(int control, const SwtpmOps *ops, void *user, GError **error);
/* Has it end. NULL is fine. */
void swtpm_free(Swtpm *swtpm);

/* Power on, or a reset: the TPM is where TPM2_Startup is expected. @buffer_size: bytes of the longest command and response. */
bool swtpm_start(Swtpm *swtpm, uint32_t buffer_size, GError **error);

/* One command at a time. false: it cannot be sent; that it is lost is told soon. */
bool swtpm_send(Swtpm *swtpm, const uint8_t *command, size_t len);
/* Waits for the response to the command sent, and has it told; a TPM that needs minutes is lost. */
void swtpm_finish(Swtpm *swtpm);

/* With no command under way. @blobs: the caller's, cleared with swtpm_blobs_clear(). */
bool swtpm_get_state(Swtpm *swtpm, SwtpmBlob blobs[SWTPM_BLOBS], GError **error);
/* Instead of swtpm_start(): goes on with that state. */
bool swtpm_resume(Swtpm *swtpm, uint32_t buffer_size, const SwtpmBlob blobs[SWTPM_BLOBS], GError **error);
void swtpm_blobs_clear(SwtpmBlob blobs[SWTPM_BLOBS]);
