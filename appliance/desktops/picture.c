/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VMM writes to a file in memory; what it has written is copied before anybody sees it, since the VMM could go on writing.
 */
#include "appliance/desktops/picture.h"

#include "appliance/desktops/private.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Four bytes a pixel of the largest monitor, which nothing compresses. */
#define BYTES_MAX (64 << 20)

typedef struct {
    uint64_t seen;
    DesktopsPicture done;
    void *data;
} Waiting;

struct Picture {
    GBytes *png;     /* NULL: none yet */
    uint64_t number; /* the VMM's; 0: from before */
    int64_t taken;
    int file; /* what the VMM writes to; -1: nothing is asked of it */
    GArray *waiting;
};

static Picture *
need(Desktop *desktop)
{
    if (!desktop->picture) {
        desktop->picture = g_new0(Picture, 1);
        desktop->picture->file = -1;
        desktop->picture->waiting = g_array_new(FALSE, FALSE, sizeof(Waiting));
    }
    return desktop->picture;
}

/* ---- files in memory ---- */

static bool
write_all(int fd, const void *bytes, gsize size)
{
    for (gsize done = 0; done < size;) {
        ssize_t n = TEMP_FAILURE_RETRY(write(fd, (const uint8_t *)bytes + done, size - done));
        if (n <= 0)
            return false;
        done += (gsize)n;
    }
    return lseek(fd, 0, SEEK_SET) == 0;
}

/* @png NULL: nothing. */
static int
hand_out(GBytes *png)
{
    g_autofd int fd = memfd_create("picture", MFD_CLOEXEC);
    gsize size = 0;
    const void *bytes = png ? g_bytes_get_data(png, &size) : NULL;

    return fd >= 0 && write_all(fd, bytes, size) ? g_steal_fd(&fd) : -1;
}

static GBytes *
copy_of(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > BYTES_MAX)
        return NULL;
    g_autofree uint8_t *bytes = g_try_malloc((gsize)st.st_size);
    if (!bytes || pread(fd, bytes, (size_t)st.st_size, 0) != st.st_size)
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&bytes), (gsize)st.st_size);
}

/* ---- answers ---- */

static void
answer(Waiting *waiting, const Picture *picture, DesktopsError code, const char *why)
{
    bool is_seen = picture->number && picture->number == waiting->seen;
    g_autofd int fd = picture->png ? hand_out(is_seen ? NULL : picture->png) : -1;
    g_autoptr(GError) error = fd < 0 ? g_error_new_literal(DESKTOPS_ERROR, code, why) : NULL;

    waiting->done(waiting->data, g_steal_fd(&fd), picture->number, error);
}

static void
answer_all(Picture *picture, DesktopsError code, const char *why)
{
    g_autoptr(GArray) waiting = picture->waiting;

    picture->waiting = g_array_new(FALSE, FALSE, sizeof(Waiting));
    for (unsigned i = 0; i < waiting->len; i++)
        answer(&g_array_index(waiting, Waiting, i), picture, code, why);
}

static void
on_written(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;
    guint64 number;
    bool good = carrel_vmm1_call_screenshot_finish(CARREL_VMM1(source), &number, NULL, result, &error);

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    Desktop *desktop = user;
    Picture *picture = desktop->picture;
    g_autofd int file = g_steal_fd(&picture->file);
    bool is_same = good && picture->png && number == picture->number;
    g_autoptr(GBytes) png = good && !is_same ? copy_of(file) : NULL;
    if (png) {
        g_clear_pointer(&picture->png, g_bytes_unref);
        picture->png = g_steal_pointer(&png);
        picture->number = number;
    }
    if (png || is_same)
        picture->taken = g_get_monotonic_time();
    answer_all(picture, DESKTOPS_ERROR_BUSY, "the desktop shows nothing yet");
}

void
picture_take(Desktop *desktop)
{
    CarrelVmm1 *control = vmm_control(desktop->vmm);
    Picture *picture = need(desktop);

    if (!control || picture->file >= 0)
        return;
    picture->file = memfd_create("picture", MFD_CLOEXEC);
    if (picture->file < 0)
        return;
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
    g_unix_fd_list_append(fds, picture->file, NULL);
    carrel_vmm1_call_screenshot(control, 0, picture->png ? picture->number : 0, g_variant_new_handle(0), fds,
                                desktop->cancellable, on_written, desktop);
}

static bool
read_kept(Desktop *desktop)
{
    g_autofree char *path = desktop_picture_path(desktop);
    g_autofree char *bytes = NULL;
    gsize size;

    if (!g_file_get_contents(path, &bytes, &size, NULL) || !size)
        return false;
    desktop->picture->png = g_bytes_new_take(g_steal_pointer(&bytes), size);
    return true;
}

void
desktops_screenshot(Desktops *desktops, const char *id, unsigned age, uint64_t seen, DesktopsPicture done, void *data)
{
    Desktop *desktop = desktops_need(desktops, id);
    Picture *picture = need(desktop);
    Waiting waiting = {seen, done, data};
    bool fresh = picture->png && g_get_monotonic_time() - picture->taken < (int64_t)age * 1000;

    if (vmm_control(desktop->vmm) && !fresh) {
        g_array_append_val(picture->waiting, waiting);
        picture_take(desktop);
        if (picture->file >= 0)
            return;
        answer_all(picture, DESKTOPS_ERROR_BUSY, "this host is out of open files");
        return;
    }
    if (!picture->png)
        read_kept(desktop);
    answer(&waiting, picture, DESKTOPS_ERROR_BUSY, "the desktop was never seen yet");
}

void
picture_keep(Desktop *desktop)
{
    Picture *picture = desktop->picture;
    g_autofree char *path = desktop_picture_path(desktop);
    gsize size;

    if (!picture)
        return;
    g_clear_fd(&picture->file, NULL);
    answer_all(picture, DESKTOPS_ERROR_BUSY, "the desktop has just ended");
    if (!picture->png)
        return;
    const char *bytes = g_bytes_get_data(picture->png, &size);
    g_file_set_contents_full(path, bytes, (gssize)size, G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL);
}

void
picture_free(Picture *picture)
{
    if (!picture)
        return;
    g_clear_pointer(&picture->png, g_bytes_unref);
    g_clear_fd(&picture->file, NULL);
    answer_all(picture, DESKTOPS_ERROR_BUSY, "the host's daemon ends");
    g_array_unref(picture->waiting);
    g_free(picture);
}
