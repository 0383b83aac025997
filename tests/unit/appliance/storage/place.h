/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A place for a storage to be tested in, of each kind that there is, and calls that wait. Whatever a place is made of goes
 * with the process: file systems are mounted in a namespace of its own.
 */
#pragma once

#include "appliance/storage/inside.h"

typedef enum {
    PLACE_COPY,  /* files that share no blocks: tmpfs */
    PLACE_SHARE, /* files that do: XFS in a file */
    PLACE_LVM,   /* a pool on a loop device */
    PLACES,
} PlaceKind;

extern const char *const place_names[PLACES];

typedef struct {
    PlaceKind kind;
    StorageConfig config;
    Storage *storage;
    char *root; /* where the file system is mounted; the folder is in it */
} Place;

/* First thing in main(), and last. */
void place_begin(void);
int place_run_tests(void);

/* A folder for a test's own files, gone in the end. The caller's. */
char *place_make_folder(const char *name);

/* The program carrel-confine, as it was built; $CARREL_CONFINE where the tests run elsewhere. */
const char *place_confine(void);

/* Opens a storage in it. @size: bytes of a tmpfs; the others have some hundred megabytes at least. NULL: the test is skipped, and has said why. */
Place *place_new(PlaceKind kind, uint64_t size);
/* Closes the storage and takes it anew; returns what was mended. */
GStrv place_reopen(Place *place);
void place_free(Place *place);

/*
 * For a process that is to use the same place, and is started by us: the words of its command line, which are @program,
 * PLACE_CHILD and those that it gives to place_attach(). The storage is its own then, once it is closed here.
 */
#define PLACE_CHILD "--child"
GStrv place_words(const Place *place, const char *program);
Place *place_attach(char **words);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Place, place_free)

/* ---- calls, and their ends ---- */

typedef struct {
    GAsyncResult *result;
    GCancellable *cancellable; /* NULL: none */
    double done;               /* the last progress */
    unsigned told;
} Call;

void call_done(GObject *source, GAsyncResult *result, gpointer call);
void call_progress(double done, gpointer call);
/* Waits; the result is the call's until call_clear(). */
GAsyncResult *call_wait(Call *call);
void call_clear(Call *call);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Call, call_clear)

/* Waits for a call that gives only success, and expects it to succeed; or to fail with @code. */
void call_succeeds(Place *place, Call *call);
void call_fails(Place *place, Call *call, StorageError code);

/* What is there, by name. */
GStrv place_names_of(Place *place);
bool place_is_empty(Place *place);
