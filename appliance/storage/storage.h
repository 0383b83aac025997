/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storage: the disks of a host's desktops, the images they begin as, the discs they are installed from.
 *
 *     upload ─▶ image ─▶ disk of a desktop ─▶ descriptor for its VMM
 *                 ▲           │  ▲
 *                 └─ template ┘  └─ snapshots: taken, gone back to, forgotten
 *
 * Everything is named by ids alone (the store's UUIDs), so nothing that people type reaches a file's name or a command line.
 * Two back ends do the same: raw files in a folder, which share their blocks where the file system can (XFS, btrfs), and thin
 * volumes of an LVM pool. Discs are files under either.
 *
 * What is half made never shows: a thing is made under another name, brought to stable storage, and given its own name last;
 * storage_open() removes what a crash left, or finishes it where going on is the only way (a snapshot half gone back to).
 * What a call refuses or fails to do leaves everything as it was, also when the disk is full.
 *
 * Long work is done on threads of GLib's pool, by GTask: every …_async() call returns at once, its callback and its progress
 * come on the main context that was the thread's default at the call, and its …_finish() gives the result. A call that names
 * what another call is still at fails with STORAGE_ERROR_BUSY; many disks may be made from one image at once. Cancelling leaves
 * nothing behind and ends with G_IO_ERROR_CANCELLED.
 *
 * Owner: one thread, with a main context that runs. One process a folder: storage_open() takes a lock on it.
 */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STORAGE_ERROR (storage_error_quark())

/* Every message is a sentence for people. */
typedef enum {
    STORAGE_ERROR_NOT_FOUND,   /* no such image, disk or snapshot */
    STORAGE_ERROR_EXISTS,      /* there is one already; it is untouched */
    STORAGE_ERROR_IN_USE,      /* a VMM, or somebody else, has it open */
    STORAGE_ERROR_BUSY,        /* another call is at it: again later */
    STORAGE_ERROR_FULL,        /* too little room, in numbers */
    STORAGE_ERROR_INVALID,     /* what was given is no good: an image that is none, a size that is smaller */
    STORAGE_ERROR_UNAVAILABLE, /* this host cannot: a snapshot of a running desktop where blocks cannot be shared */
    STORAGE_ERROR_FAILED,      /* the host failed: a device, a program */
} StorageError;

GQuark storage_error_quark(void);

typedef enum {
    STORAGE_FILES, /* raw files in folder */
    STORAGE_LVM,   /* thin volumes */
} StorageKind;

/* Strings are copied; those marked (NULL) may be. */
typedef struct {
    StorageKind kind;
    const char
        *folder; /* made if it is not there. Uploads, discs and records lie here under either kind; disks for FILES */

    const char
        *volume_group; /* LVM: both are there already. The group's name has at most STORAGE_GROUP_NAME_MAX characters */
    const char *thin_pool;
    const char *lvm_config; /* (NULL) handed to every lvm command's --config, as on hosts without udev */

    const char *helper;   /* (NULL: as installed) carrel-confine, within which images are looked at and converted */
    const char *qemu_img; /* (NULL: /usr/bin/qemu-img) below /usr, which is all that it sees */
    uid_t import_uid;     /* whom it runs as; 0: an id that nobody has, STORAGE_IMPORT_UID */

    bool reserve_blocks;     /* FILES: empty disks, and what a disk grows by, get their blocks at once */
    uint64_t keep_free;      /* bytes; what would leave less free is refused before it begins */
    uint64_t largest_upload; /* bytes; 0: no limit but what is free */
    uint64_t largest_disk;   /* bytes; 0: STORAGE_DISK_MAX */
} StorageConfig;

#define STORAGE_GROUP_NAME_MAX 24
#define STORAGE_IMPORT_UID 64500
#define STORAGE_DISK_MAX (UINT64_C(1) << 50)
#define STORAGE_PLACES_MAX 32 /* disks of a desktop: 0 to 31 */

typedef struct Storage Storage;

/*
 * Takes the folder, or waits for up to half a minute while commands of an earlier process come to their end. Then removes or
 * finishes what was left half made; *mended (may be NULL) gets a sentence for each. Blocks: for a daemon's start.
 */
Storage *storage_open(const StorageConfig *config, GStrv *mended, GError **error);
/* No call may be under way: cancel them, and wait for their callbacks. */
void storage_free(Storage *storage);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Storage, storage_free)

/* Whether a snapshot can be taken of a desktop that runs, and clones take no time. */
bool storage_shares_blocks(const Storage *storage);

/* done: 0 to 1, never less than before; a few times a second. */
typedef void (*StorageProgress)(double done, gpointer user);

/* Of all calls that give nothing but success. */
bool storage_finish(Storage *storage, GAsyncResult *result, GError **error);

/* ---- disks: of the desktop with an id, at a place ---- */

/*
 * Makes a disk: @image's bytes (NULL: empty), then zeros up to @size (bytes; 0: the image's), rounded up
 * to what the back end has whole: sectors, or LVM's extents. It may not be smaller than the image.
 */
void storage_make_disk_async(Storage *storage, const char *desktop, unsigned place, const char *image, uint64_t size,
                             GCancellable *cancellable, StorageProgress progress, gpointer progress_user,
                             GAsyncReadyCallback callback, gpointer user);

/*
 * A descriptor (O_RDWR, O_CLOEXEC) with an open-file-description lock for writing on it: as long as it or a copy of it is open
 * anywhere, every other call that would change the disk, and opening it once more, is IN_USE. The VMM that inherits it may lock
 * it again. -1 with an error.
 */
void storage_open_disk_async(Storage *storage, const char *desktop, unsigned place, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user);
int storage_open_disk_finish(Storage *storage, GAsyncResult *result, GError **error);

/* Makes it larger, which may be while it is open: the VMM is to be told then. To the size that it has: done. */
void storage_grow_disk_async(Storage *storage, const char *desktop, unsigned place, uint64_t size,
                             GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user);

/* Deletes one disk, or all that a desktop has with its snapshots. NOT_FOUND only for the one. */
void storage_delete_disk_async(Storage *storage, const char *desktop, unsigned place, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user);
void storage_delete_desktop_async(Storage *storage, const char *desktop, GCancellable *cancellable,
                                  GAsyncReadyCallback callback, gpointer user);

/* All of another desktop's disks, as they are now, for a new one: as make_image() of each, then make_disk(). */
void storage_clone_desktop_async(Storage *storage, const char *from, const char *desktop, GCancellable *cancellable,
                                 StorageProgress progress, gpointer progress_user, GAsyncReadyCallback callback,
                                 gpointer user);

/* ---- snapshots: all disks of a desktop at one moment ---- */

typedef struct {
    char *id;        /* a UUID, of the caller's making */
    char *name;      /* what people call it: UTF-8, 1 to STORAGE_NAME_MAX bytes, no control characters */
    int64_t created; /* seconds since 1970 */
    bool frozen;     /* the guest's file systems were, while it was taken */
    uint64_t bytes;  /* listing: what it keeps. FILES: what would be free without it; LVM: at most that */
} StorageSnapshot;

#define STORAGE_NAME_MAX 255

void storage_snapshot_free(StorageSnapshot *snapshot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StorageSnapshot, storage_snapshot_free)

/*
 * Takes one; the desktop may run, if it is frozen or paused by the caller from before the call to its callback, and
 * storage_shares_blocks() (else UNAVAILABLE).
 */
void storage_take_snapshot_async(Storage *storage, const char *desktop, const StorageSnapshot *snapshot,
                                 GCancellable *cancellable, StorageProgress progress, gpointer progress_user,
                                 GAsyncReadyCallback callback, gpointer user);
/*
 * The desktop, which must not run, gets its disks back as they were; the snapshot stays. A disk that was made larger since keeps
 * its size; one that was made since stays as it is; one that was deleted comes back.
 */
void storage_revert_async(Storage *storage, const char *desktop, const char *snapshot, GCancellable *cancellable,
                          StorageProgress progress, gpointer progress_user, GAsyncReadyCallback callback,
                          gpointer user);
void storage_forget_async(Storage *storage, const char *desktop, const char *snapshot, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer user);
/* The oldest first. Elements: StorageSnapshot, freed with the array. */
void storage_list_snapshots_async(Storage *storage, const char *desktop, GCancellable *cancellable,
                                  GAsyncReadyCallback callback, gpointer user);
GPtrArray *storage_list_snapshots_finish(Storage *storage, GAsyncResult *result, GError **error);

/* ---- images ---- */

typedef enum {
    STORAGE_IMAGE_DISK,
    STORAGE_IMAGE_ISO,
} StorageImageType;

typedef struct {
    uint64_t size;   /* bytes a desktop sees of it */
    char sha256[65]; /* of what was uploaded, in hexadecimal; "" for an image made from a disk */
    char *format;    /* what was uploaded: "raw", "qcow2", "vmdk", "vhdx", "vdi", "vpc", "iso" */
} StorageImage;

void storage_image_free(StorageImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StorageImage, storage_image_free)

/*
 * An image whose bytes come through a pipe. Returns the pipe's write end (O_CLOEXEC, the caller's), or -1 with an error: too
 * little room for @bytes, EXISTS, BUSY. @bytes: how many will come; 0: not known. The caller hands it to whoever has the bytes and
 * closes its own copy. The call ends when the last copy is closed and what came was looked at, converted and settled;
 * fewer or more bytes than announced, and anything that is no image of that type, are INVALID. Done counts the upload as half,
 * where it has to be converted.
 */
int storage_upload_async(Storage *storage, const char *image, StorageImageType type, uint64_t bytes,
                         GCancellable *cancellable, StorageProgress progress, gpointer progress_user,
                         GAsyncReadyCallback callback, gpointer user, GError **error);

/* A disk's bytes as they are now, as an image of the type DISK. A desktop that runs: as for taking a snapshot. */
void storage_make_image_async(Storage *storage, const char *image, const char *desktop, unsigned place,
                              GCancellable *cancellable, StorageProgress progress, gpointer progress_user,
                              GAsyncReadyCallback callback, gpointer user);

/* Of storage_upload_async() and storage_make_image_async(). */
StorageImage *storage_image_finish(Storage *storage, GAsyncResult *result, GError **error);

/* A disc, to be read only (O_RDONLY, O_CLOEXEC), with a lock for reading on it; as often as one likes. -1 with an error. */
int storage_open_iso(Storage *storage, const char *image, GError **error);

/* Disks made from it do not need it; a disc that is in a drive is IN_USE. */
void storage_delete_image_async(Storage *storage, const char *image, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user);

/* ---- the whole ---- */

typedef enum {
    STORAGE_THING_IMAGE,
    STORAGE_THING_ISO,
    STORAGE_THING_DISK,
    STORAGE_THING_SNAPSHOT, /* one disk of it */
} StorageThingKind;

typedef struct {
    char *name; /* of the file or volume */
    StorageThingKind kind;
    char *id;        /* the image's, or the desktop's */
    unsigned place;  /* of a disk, or of a snapshot's */
    char *snapshot;  /* NULL where it is none */
    uint64_t size;   /* bytes a desktop sees */
    uint64_t bytes;  /* that it takes, those it shares included */
    int64_t changed; /* seconds since 1970; LVM: made */
} StorageThing;

void storage_thing_free(StorageThing *thing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StorageThing, storage_thing_free)

/* All that is there, by name. Elements: StorageThing, freed with the array. */
void storage_list_async(Storage *storage, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user);
GPtrArray *storage_list_finish(Storage *storage, GAsyncResult *result, GError **error);

/* Whether somebody knows of it: then it is no orphan. */
typedef bool (*StorageKnown)(const StorageThing *thing, gpointer user);

/* Of a list, those that nobody knows, by asking here and now. The list stays whole; elements are shared with it and live as long. */
GPtrArray *storage_orphans(GPtrArray *things, StorageKnown known, gpointer user);

/* Removes one by the name that the list gave; what is open is IN_USE. */
void storage_remove_async(Storage *storage, const char *name, GCancellable *cancellable, GAsyncReadyCallback callback,
                          gpointer user);

typedef struct {
    uint64_t bytes, free;  /* of the file system, or the pool */
    uint64_t uploads_free; /* of the folder, which is another's under LVM; else the same as free */
} StorageRoom;

void storage_room_async(Storage *storage, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user);
bool storage_room_finish(Storage *storage, GAsyncResult *result, StorageRoom *room, GError **error);
