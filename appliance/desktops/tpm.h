/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desktop's TPM: a swtpm(8) for each run, which ends with its VMM. What it remembers lasts in the desktop's own folder.
 * Owner: the main thread.
 */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Tpm Tpm;

typedef struct {
    const char *swtpm; /* the program */
    const char *run;   /* where its log goes */
    const char *keep;  /* where its state is, in a folder "tpm" */
    uid_t uid;         /* whom it runs as; 0: nobody else */
} TpmPlace;

/* NULL with an error. */
Tpm *tpm_start(const TpmPlace *place, GError **error);
/* Ends it, unless it was released. NULL is fine. */
void tpm_free(Tpm *tpm);
/* It is the VMM's now. NULL is fine. */
void tpm_release(Tpm *tpm);

/* The VMM's end of its control channel. Borrowed. */
int tpm_socket(const Tpm *tpm);
void tpm_process(const Tpm *tpm, pid_t *pid, uint64_t *began);
