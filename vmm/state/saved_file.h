/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A saved desktop as a file: a header, guest RAM, the desktop's configuration, its device sections.
 *
 *     0        header, one page, written last: a file whose writing was cut short has none
 *     2 MiB    RAM, in memfd order, page aligned so that it can be mapped; pages of zeroes are holes
 *     then     the configuration's text and the sections, under one SHA-256
 *
 * All numbers little endian. Writing may take minutes and may be done on any thread while the desktop is at rest; opening
 * reads the header and the small parts only, never RAM. A file is only ever read after it has been written.
 */
#pragma once

#include "vmm/state/state.h"

typedef struct {
    const uint8_t *host; /* the first byte of RAM */
    uint64_t len;        /* bytes, a multiple of 4096 */
    int memfd;           /* RAM's memfd, whose holes need not be read; -1: none */
} SavedRam;

/*
 * Writes the whole to @fd, an empty regular file open for reading and writing, and brings it to stable storage. On an error
 * the file is empty again. @cancelled: looked at between pieces; once another thread has set it, that is the error. May be
 * NULL.
 */
bool saved_file_write(int fd, const SavedRam *ram, const char *config, const GByteArray *sections,
                      const gint *cancelled, GError **error);

typedef struct {
    uint64_t ram_offset; /* in the file, page aligned */
    uint64_t ram_len;
    char *config;
    GByteArray *sections;
    char *path; /* for messages */
} SavedFile;

/* NULL and one line on a file that is cut short, foreign, or from a newer Carrel. @path is for the message. */
SavedFile *saved_file_open(int fd, const char *path, GError **error);
void saved_file_free(SavedFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SavedFile, saved_file_free)
