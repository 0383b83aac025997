/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads into each back end: images as qemu-img makes them, and such as people should not send. */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define ROOM (96 * MIB)
#define FLOOD (128 * MIB)
#define DISK_SIZE (32 * MIB)

#define ANNA "aaaaaaaa-0000-4000-8000-000000000001"
#define IMAGE "cccccccc-0000-4000-8000-000000000003"
#define OTHER "dddddddd-0000-4000-8000-000000000004"

typedef void (*Case)(Place *place);

/* ---- files to upload ---- */

static char *folder;

static char *
path_of(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

static void
run(const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *said = NULL;
    int status;
    va_list words;

    va_start(words, format);
    g_autofree char *line = g_strdup_vprintf(format, words);
    va_end(words);
    g_spawn_command_line_sync(line, NULL, &said, &status, &error);
    g_assert_no_error(error);
    if (status)
        g_error("%s: %s", line, said);
}

static void
write_at(const char *name, uint64_t at, const void *bytes, size_t length)
{
    g_autofree char *path = path_of(name);
    g_autofd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    g_assert_cmpint(pwrite(fd, bytes, length, (off_t)at), ==, (ssize_t)length);
}

static void
set_size(const char *name, uint64_t size)
{
    g_autofree char *path = path_of(name);
    g_assert_cmpint(truncate(path, (off_t)size), ==, 0);
}

/* A disk with something at its beginning, in its middle and at its end. */
static void
make_source(void)
{
    g_autofree uint8_t *noise = g_malloc(MIB);

    for (size_t i = 0; i < MIB; i++)
        noise[i] = (uint8_t)g_test_rand_int();
    write_at("source", 0, noise, MIB);
    write_at("source", DISK_SIZE / 2 + 512, noise, MIB / 2);
    write_at("source", DISK_SIZE - 4096, noise, 4096);
}

static void
convert(const char *options, const char *name)
{
    run("qemu-img convert -q -f raw %s %s/source %s/%s", options, folder, folder, name);
}

/* ---- steps ---- */

typedef struct {
    int sink;
    char *path;
    uint64_t most; /* bytes; the rest of the file is not sent */
    bool was_refused;
} Sender;

/* Until all is sent, or nobody listens any more. */
static gpointer
send_file(gpointer data)
{
    Sender *sender = data;
    g_autofree uint8_t *buffer = g_malloc(100000);
    g_autofd int file = open(sender->path, O_RDONLY | O_CLOEXEC);

    for (uint64_t at = 0; at < sender->most;) {
        ssize_t got = pread(file, buffer, MIN(100000, sender->most - at), (off_t)at);
        g_assert_cmpint(got, >=, 0);
        if (got == 0)
            break;
        ssize_t written = write(sender->sink, buffer, (size_t)got);
        if (written < 0) {
            g_assert_cmpint(errno, ==, EPIPE);
            sender->was_refused = true;
            break;
        }
        at += (uint64_t)written;
    }
    close(sender->sink);
    return NULL;
}

static StorageImage *
upload(Place *place, StorageImageType type, const char *name, uint64_t announced, uint64_t most, GError **error)
{
    g_auto(Call) call = {0};
    g_autofree char *path = path_of(name);
    int sink = storage_upload_async(place->storage, IMAGE, type, announced, NULL, call_progress, &call, call_done,
                                    &call, error);

    if (sink < 0)
        return NULL;
    g_assert_cmpint(fcntl(sink, F_GETFD), ==, FD_CLOEXEC);
    Sender sender = {sink, path, most};
    GThread *thread = g_thread_new("sender", send_file, &sender);
    StorageImage *image = storage_image_finish(place->storage, call_wait(&call), error);
    g_thread_join(thread);
    return image;
}

static void
cannot_upload(Place *place, StorageImageType type, const char *name, uint64_t announced, uint64_t most,
              StorageError code, const char *word)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(StorageImage) image = upload(place, type, name, announced, most, &error);

    g_assert_null(image);
    g_assert_error(error, STORAGE_ERROR, (int)code);
    g_test_message("%s", error->message);
    if (!strstr(error->message, word))
        g_error("“%s” is not in: %s", word, error->message);
    g_assert_true(place_is_empty(place));
    g_autofree char *path = g_build_filename(place->config.folder, "uploads", NULL);
    g_autoptr(GDir) uploads = g_dir_open(path, 0, NULL);
    g_assert_null(g_dir_read_name(uploads));
}

static StorageImage *
upload_all(Place *place, StorageImageType type, const char *name)
{
    g_autoptr(GError) error = NULL;
    StorageImage *image = upload(place, type, name, 0, UINT64_MAX, &error);

    g_assert_no_error(error);
    return image;
}

static char *
digest(const char *name)
{
    g_autofree char *path = path_of(name), *bytes = NULL;
    gsize length;

    g_assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (guchar *)bytes, length);
}

static void
delete_all(Place *place)
{
    Call call = {0};

    storage_delete_desktop_async(place->storage, ANNA, NULL, call_done, &call);
    call_succeeds(place, &call);
    storage_delete_image_async(place->storage, IMAGE, NULL, call_done, &call);
    call_succeeds(place, &call);
    g_assert_true(place_is_empty(place));
}

/* A disk made of the image begins with the source's bytes. */
static void
compare_disk(Place *place)
{
    Call making = {0};
    g_auto(Call) call = {0};
    g_autofree char *path = path_of("source"), *source = NULL, *found = g_malloc(DISK_SIZE);

    storage_make_disk_async(place->storage, ANNA, 0, IMAGE, 0, NULL, NULL, NULL, call_done, &making);
    call_succeeds(place, &making);
    storage_open_disk_async(place->storage, ANNA, 0, NULL, call_done, &call);
    g_autofd int fd = storage_open_disk_finish(place->storage, call_wait(&call), NULL);
    g_assert_true(g_file_get_contents(path, &source, NULL, NULL));
    g_assert_cmpint(pread(fd, found, DISK_SIZE, 0), ==, DISK_SIZE);
    g_assert_cmpint(memcmp(source, found, DISK_SIZE), ==, 0);
}

/* ---- what may come ---- */

static void
test_raw(Place *place)
{
    g_autofree char *sum = digest("source");
    g_autoptr(StorageImage) image = upload_all(place, STORAGE_IMAGE_DISK, "source");

    g_assert_cmpstr(image->format, ==, "raw");
    g_assert_cmpstr(image->sha256, ==, sum);
    g_assert_cmpuint(image->size, ==, DISK_SIZE);
    compare_disk(place);
    delete_all(place);
}

static void
test_announced(Place *place)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(StorageImage) image = upload(place, STORAGE_IMAGE_DISK, "source", DISK_SIZE, UINT64_MAX, &error);

    g_assert_no_error(error);
    delete_all(place);
    cannot_upload(place, STORAGE_IMAGE_DISK, "source", DISK_SIZE, DISK_SIZE - 1, STORAGE_ERROR_INVALID, "broke off");
    cannot_upload(place, STORAGE_IMAGE_DISK, "source", DISK_SIZE - 1, UINT64_MAX, STORAGE_ERROR_INVALID, "announced");
    cannot_upload(place, STORAGE_IMAGE_DISK, "source", DISK_SIZE, 0, STORAGE_ERROR_INVALID, "broke off");
}

static const struct {
    const char *format, *options;
} formats[] = {
    {"qcow2", "-O qcow2"},
    {"qcow2", "-O qcow2 -o compat=0.10"},
    {"qcow2", "-O qcow2 -c"},
    {"qcow2", "-O qcow2 -c -o compression_type=zstd"},
    {"qcow2", "-O qcow2 -o extended_l2=on"},
    {"vmdk", "-O vmdk"},
    {"vmdk", "-O vmdk -o subformat=streamOptimized"},
    {"vhdx", "-O vhdx"},
    {"vdi", "-O vdi"},
    {"vpc", "-O vpc"},
    {"vpc", "-O vpc -o subformat=fixed,force_size=on"},
};

static void
test_formats(Place *place)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        convert(formats[i].options, "image");
        g_autofree char *sum = digest("image");
        g_autoptr(StorageImage) image = upload_all(place, STORAGE_IMAGE_DISK, "image");
        g_assert_cmpstr(image->format, ==, formats[i].format);
        g_assert_cmpstr(image->sha256, ==, sum);
        g_assert_cmpuint(image->size, >=, DISK_SIZE);
        compare_disk(place);
        delete_all(place);
    }
}

/* What a desktop sees belongs to root afterwards, whoever converted it. */
static void
test_whose_it_is(Place *place)
{
    convert("-O qcow2", "image");
    g_autoptr(StorageImage) image = upload_all(place, STORAGE_IMAGE_DISK, "image");
    g_autofd int fd = place->storage->volumes->class->open(place->storage->volumes, "image-" IMAGE, O_RDONLY, NULL);
    struct stat is;

    g_assert_cmpint(fstat(fd, &is), ==, 0);
    g_assert_cmpint(is.st_uid, ==, 0);
    g_assert_cmpint(is.st_mode & 07, ==, 0);
    if (place->kind != PLACE_LVM)
        g_assert_cmpint(is.st_blocks * 512, <, DISK_SIZE / 4); /* holes stayed holes */
}

/* As much of one as anybody looks at: its primary volume descriptor, which says how long it is. */
static void
make_disc(void)
{
    const uint8_t sectors[] = {0, DISK_SIZE / 2048 >> 8, 0, 0}, sector_size[] = {0, 2048 >> 8};

    write_at("disc", 32768, "\1CD001\1", 7);
    write_at("disc", 32768 + 80, sectors, sizeof(sectors));
    write_at("disc", 32768 + 128, sector_size, sizeof(sector_size));
    set_size("disc", DISK_SIZE);
}

static void
test_disc(Place *place)
{
    Call call = {0};

    make_disc();
    g_autofree char *sum = digest("disc");
    g_autoptr(StorageImage) image = upload_all(place, STORAGE_IMAGE_ISO, "disc");
    g_assert_cmpstr(image->format, ==, "iso");
    g_assert_cmpstr(image->sha256, ==, sum);

    int first = storage_open_iso(place->storage, IMAGE, NULL), second = storage_open_iso(place->storage, IMAGE, NULL);
    g_assert_cmpint(fcntl(first, F_GETFL) & O_ACCMODE, ==, O_RDONLY);
    g_assert_cmpint(lseek(second, 0, SEEK_END), ==, (off_t)image->size);
    close(first);
    storage_delete_image_async(place->storage, IMAGE, NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_IN_USE);
    close(second);
    storage_delete_image_async(place->storage, IMAGE, NULL, call_done, &call);
    call_succeeds(place, &call);
    g_assert_cmpint(storage_open_iso(place->storage, IMAGE, NULL), ==, -1);

    cannot_upload(place, STORAGE_IMAGE_DISK, "disc", 0, UINT64_MAX, STORAGE_ERROR_INVALID, "as an ISO");
    cannot_upload(place, STORAGE_IMAGE_ISO, "disc", 0, image->size / 2, STORAGE_ERROR_INVALID, "cut off");
    cannot_upload(place, STORAGE_IMAGE_ISO, "disc", 0, 1000, STORAGE_ERROR_INVALID, "no ISO");
}

/* ---- what may not ---- */

static void
test_nothing(Place *place)
{
    cannot_upload(place, STORAGE_IMAGE_DISK, "source", 0, 0, STORAGE_ERROR_INVALID, "empty");
    cannot_upload(place, STORAGE_IMAGE_ISO, "source", 0, 0, STORAGE_ERROR_INVALID, "empty");
    cannot_upload(place, STORAGE_IMAGE_DISK, "source", 0, 100, STORAGE_ERROR_INVALID, "no disk");
}

static void
test_references(Place *place)
{
    run("qemu-img create -q -f qcow2 -u -b /etc/passwd -F raw %s/image 1M", folder);
    cannot_upload(place, STORAGE_IMAGE_DISK, "image", 0, UINT64_MAX, STORAGE_ERROR_INVALID, "difference");
    run("qemu-img create -q -f qcow2 -u -b json:{} -F raw %s/image 1M", folder);
    cannot_upload(place, STORAGE_IMAGE_DISK, "image", 0, UINT64_MAX, STORAGE_ERROR_INVALID, "difference");
    run("qemu-img create -q -f qcow2 -o data_file=%s/data,data_file_raw=on %s/image2 1M", folder, folder);
    cannot_upload(place, STORAGE_IMAGE_DISK, "image2", 0, UINT64_MAX, STORAGE_ERROR_INVALID, "another file");
    run("qemu-img create -q -f vmdk -o subformat=monolithicFlat %s/flat.vmdk 1M", folder);
    cannot_upload(place, STORAGE_IMAGE_DISK, "flat.vmdk", 0, UINT64_MAX, STORAGE_ERROR_INVALID, "other files");
}

/* A VMDK whose description, past our own look at it, names a file of the host's. */
static void
test_vmdk_extent(Place *place)
{
    static const char liar[] = "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
                               "createType=\"monolithicSparse\"\nRW 2048 FLAT \"/etc/passwd\" 0\n";
    g_autofree char *zeros = g_malloc0(10240);

    convert("-O vmdk", "liar");
    memcpy(zeros, liar, sizeof(liar));
    write_at("liar", 512, zeros, 10240);
    g_autoptr(GError) error = NULL;
    g_autoptr(StorageImage) image = upload(place, STORAGE_IMAGE_DISK, "liar", 0, UINT64_MAX, &error);
    /* QEMU reads the extent that the description lies in, whatever it says: then it is the disk that was sent. */
    if (image) {
        compare_disk(place);
        return;
    }
    g_assert_error(error, STORAGE_ERROR, STORAGE_ERROR_INVALID);
    g_assert_true(place_is_empty(place));
}

static void
test_encrypted(Place *place)
{
    const uint8_t luks[] = {0, 0, 0, 2};

    convert("-O qcow2", "locked");
    write_at("locked", 32, luks, sizeof(luks));
    cannot_upload(place, STORAGE_IMAGE_DISK, "locked", 0, UINT64_MAX, STORAGE_ERROR_INVALID, "encrypted");
}

/* All that is missing would be zeros. (The last of the formats is a raw disk once its end is missing.) */
static void
test_broken(Place *place)
{
    const uint8_t high[] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0x00};

    for (size_t i = 0; i < G_N_ELEMENTS(formats) - 1; i++) {
        g_autofree char *path = path_of("broken");
        struct stat is;
        convert(formats[i].options, "broken");
        g_assert_cmpint(stat(path, &is), ==, 0);
        cannot_upload(place, STORAGE_IMAGE_DISK, "broken", 0, 70000, STORAGE_ERROR_INVALID, "");
        cannot_upload(place, STORAGE_IMAGE_DISK, "broken", 0, (uint64_t)is.st_size - 70000, STORAGE_ERROR_INVALID, "");
    }
    convert("-O qcow2", "broken");
    write_at("broken", 40, high, sizeof(high)); /* where its L1 table is */
    cannot_upload(place, STORAGE_IMAGE_DISK, "broken", 0, UINT64_MAX, STORAGE_ERROR_INVALID, "");
}

static void
test_too_large(Place *place)
{
    run("qemu-img create -q -f qcow2 -o cluster_size=2M %s/large 2P", folder);
    cannot_upload(place, STORAGE_IMAGE_DISK, "large", 0, UINT64_MAX, STORAGE_ERROR_INVALID, "disks may have");
    place->storage->config.largest_disk = DISK_SIZE - 1;
    convert("-O qcow2", "image");
    cannot_upload(place, STORAGE_IMAGE_DISK, "image", 0, UINT64_MAX, STORAGE_ERROR_INVALID, "disks may have");
    cannot_upload(place, STORAGE_IMAGE_DISK, "source", 0, UINT64_MAX, STORAGE_ERROR_INVALID, "");
    place->storage->config.largest_upload = MIB;
    cannot_upload(place, STORAGE_IMAGE_DISK, "source", 0, UINT64_MAX, STORAGE_ERROR_INVALID, "longer than");
    cannot_upload(place, STORAGE_IMAGE_DISK, "source", DISK_SIZE, UINT64_MAX, STORAGE_ERROR_INVALID, "so large");
}

/* ---- no room ---- */

static void
test_no_room_announced(Place *place)
{
    cannot_upload(place, STORAGE_IMAGE_DISK, "source", UINT64_C(1) << 40, UINT64_MAX, STORAGE_ERROR_FULL,
                  "needs 1.0\u00a0TiB");
}

/* More bytes than there is room for in a small place; and a few kilobytes that become as many. */
static void
make_flood(void)
{
    g_autofree uint8_t *bytes = g_malloc(16 * MIB);

    memset(bytes, 0x5a, 16 * MIB);
    for (uint64_t at = 0; at < FLOOD; at += 16 * MIB)
        write_at("flood", at, bytes, 16 * MIB);
    run("qemu-img convert -q -c -f raw -O qcow2 %s/flood %s/bomb", folder, folder);
}

static void
test_no_room_for_upload(Place *place)
{
    cannot_upload(place, STORAGE_IMAGE_DISK, "flood", 0, UINT64_MAX, STORAGE_ERROR_FULL, "");
}

static void
test_bomb(Place *place)
{
    cannot_upload(place, STORAGE_IMAGE_DISK, "bomb", 0, UINT64_MAX, STORAGE_ERROR_FULL, "room");
}

/* Nor does conversion take the last that is to stay free. */
static void
test_bomb_stops_early(Place *place)
{
    g_autoptr(VolumesView) view = place->storage->volumes->class->look(place->storage->volumes, NULL);

    place->storage->config.keep_free = view->free - FLOOD / 4;
    cannot_upload(place, STORAGE_IMAGE_DISK, "bomb", 0, UINT64_MAX, STORAGE_ERROR_FULL, "must stay free");
}

/* ---- others, and ends ---- */

static void
test_taken(Place *place)
{
    g_autoptr(StorageImage) image = upload_all(place, STORAGE_IMAGE_DISK, "source");
    g_autoptr(GError) error = NULL, busy = NULL;
    g_autoptr(StorageImage) again = upload(place, STORAGE_IMAGE_DISK, "source", 0, UINT64_MAX, &error);

    g_assert_null(again);
    g_assert_error(error, STORAGE_ERROR, STORAGE_ERROR_EXISTS);
    g_assert_true(claims_take(place->storage->claims, "the image " IMAGE, true, NULL));
    g_assert_null(upload(place, STORAGE_IMAGE_DISK, "source", 0, UINT64_MAX, &busy));
    g_assert_error(busy, STORAGE_ERROR, STORAGE_ERROR_BUSY);
    claims_give_back(place->storage->claims, "the image " IMAGE);
    compare_disk(place);
}

static void
test_cancelled(Place *place)
{
    g_auto(Call) call = {.cancellable = g_cancellable_new()};
    g_autoptr(GError) error = NULL;
    int sink = storage_upload_async(place->storage, IMAGE, STORAGE_IMAGE_DISK, 0, call.cancellable, NULL, NULL,
                                    call_done, &call, &error);

    g_assert_no_error(error);
    g_assert_cmpint(write(sink, "some", 4), ==, 4);
    g_usleep(100000);
    g_cancellable_cancel(call.cancellable); /* while it waits for more */
    g_assert_null(storage_image_finish(place->storage, call_wait(&call), &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_assert_cmpint(write(sink, "more", 4), ==, -1);
    g_assert_cmpint(errno, ==, EPIPE);
    close(sink);
    g_assert_true(place_is_empty(place));
}

static void
test_left_over(Place *place)
{
    g_autofree char *path = g_build_filename(place->config.folder, "uploads", OTHER, NULL);

    g_assert_true(g_file_set_contents(path, "half", -1, NULL));
    g_auto(GStrv) mended = place_reopen(place);
    g_assert_cmpuint(g_strv_length(mended), ==, 1);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static const struct {
    const char *name;
    Case run;
    bool once; /* nothing of it is the back end's: in one kind of place */
} cases[] = {
    {"raw", test_raw},
    {"announced", test_announced},
    {"formats", test_formats},
    {"whose-it-is", test_whose_it_is},
    {"disc", test_disc},
    {"nothing", test_nothing, true},
    {"references", test_references, true},
    {"vmdk-extent", test_vmdk_extent, true},
    {"encrypted", test_encrypted, true},
    {"broken", test_broken, true},
    {"too-large", test_too_large},
    {"no-room-announced", test_no_room_announced},
    {"no-room-for-upload", test_no_room_for_upload, true},
    {"bomb", test_bomb, true},
    {"bomb-stops-early", test_bomb_stops_early},
    {"taken", test_taken},
    {"cancelled", test_cancelled},
    {"left-over", test_left_over},
};

static void
run_case(gconstpointer data)
{
    unsigned number = GPOINTER_TO_UINT(data);
    g_autoptr(Place) place = place_new(number % PLACES, ROOM);

    if (place)
        cases[number / PLACES].run(place);
}

int
main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    place_begin();
    folder = place_make_folder("uploads");
    g_test_init(&argc, &argv, NULL);
    make_source();
    set_size("source", DISK_SIZE);
    make_flood();
    for (unsigned kind = 0; kind < PLACES; kind++)
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
            if (cases[i].once && kind != 0)
                continue;
            g_autofree char *path = g_strdup_printf("/upload/%s/%s", place_names[kind], cases[i].name);
            g_test_add_data_func(path, GUINT_TO_POINTER(i * PLACES + kind), run_case);
        }
    int status = place_run_tests();
    g_free(folder);
    return status;
}
