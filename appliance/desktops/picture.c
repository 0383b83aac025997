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

#define FRESH_US G_USEC_PER_SEC
/* Four bytes a pixel of the largest monitor, which nothing compresses. */
#define BYTES_MAX (64 << 20)

typedef struct {
    DesktopsPicture done;
    void *data;
} Waiting;

struct Picture {
    GBytes *png; /* NULL: none yet */
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

static int
hand_out(GBytes *png)
{
    g_autofd int fd = memfd_create("picture", MFD_CLOEXEC);
    gsize size;
    const void *bytes = g_bytes_get_data(png, &size);

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
answer(Waiting *waiting, GBytes *png, DesktopsError code, const char *why)
{
    g_autofd int fd = png ? hand_out(png) : -1;
    g_autoptr(GError) error = fd < 0 ? g_error_new_literal(DESKTOPS_ERROR, code, why) : NULL;

    waiting->done(waiting->data, g_steal_fd(&fd), error);
}

static void
answer_all(Picture *picture, DesktopsError code, const char *why)
{
    g_autoptr(GArray) waiting = picture->waiting;

    picture->waiting = g_array_new(FALSE, FALSE, sizeof(Waiting));
    for (unsigned i = 0; i < waiting->len; i++)
        answer(&g_array_index(waiting, Waiting, i), picture->png, code, why);
}

static void
on_written(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;
    bool written = carrel_vmm1_call_screenshot_finish(CARREL_VMM1(source), NULL, result, &error);

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    Desktop *desktop = user;
    Picture *picture = desktop->picture;
    g_autofd int file = g_steal_fd(&picture->file);
    g_autoptr(GBytes) png = written ? copy_of(file) : NULL;
    if (png) {
        g_clear_pointer(&picture->png, g_bytes_unref);
        picture->png = g_steal_pointer(&png);
        picture->taken = g_get_monotonic_time();
    }
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
    carrel_vmm1_call_screenshot(control, 0, g_variant_new_handle(0), fds, desktop->cancellable, on_written, desktop);
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
desktops_screenshot(Desktops *desktops, const char *id, DesktopsPicture done, void *data)
{
    Desktop *desktop = desktops_need(desktops, id);
    Picture *picture = need(desktop);
    Waiting waiting = {done, data};
    bool fresh = picture->png && g_get_monotonic_time() - picture->taken < FRESH_US;

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
    answer(&waiting, picture->png, DESKTOPS_ERROR_BUSY, "the desktop was never seen yet");
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
