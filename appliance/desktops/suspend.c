/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Suspending: the VMM writes its guest to a file and ends. The file gets its name only when it is whole and on stable storage, so a
 * host that goes down meanwhile finds a desktop that was switched off, and no half of one.
 */
#include "appliance/desktops/private.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    Desktop *desktop;
    int fd;
    char *partial, *whole;
} Saving;

static void
saving_free(Saving *saving)
{
    g_clear_fd(&saving->fd, NULL);
    g_free(saving->partial);
    g_free(saving->whole);
    g_free(saving);
}

static bool
fail(GError **error, const char *path)
{
    int code = errno;

    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", path, g_strerror(code));
    return false;
}

static bool
sync_folder(const char *path, GError **error)
{
    g_autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return (fd >= 0 && fsync(fd) == 0) || fail(error, path);
}

static bool
put_in_place(Saving *saving, GError **error)
{
    if (g_rename(saving->partial, saving->whole) < 0)
        return fail(error, saving->partial);
    return sync_folder(saving->desktop->keep, error);
}

/* It runs on: so that is what it is wanted to do, until somebody asks anew. */
static void
go_on_running(Desktop *desktop, const GError *error)
{
    g_autofree char *why = vmm_sentence(error->message);
    g_autofree char *detail = g_strdup_printf("it could not be suspended: %s", why);

    if (desktop->spec && desktop->spec->wanted == WANTED_SUSPENDED) /* who wants something else now shall have it */
        desktop_want(desktop, WANTED_RUNNING);
    desktop_set_state(desktop, LIFE_RUNNING, detail);
    desktop_turn(desktop);
}

static void
on_saved(GObject *source, GAsyncResult *result, gpointer user)
{
    Saving *saving = user;
    Desktop *desktop = saving->desktop;
    g_autoptr(GError) error = NULL;

    desktop->desktops->calls--;
    bool saved = carrel_vmm1_call_save_finish(CARREL_VMM1(source), NULL, result, &error);
    bool said = error && g_dbus_error_is_remote_error(error);
    if (error)
        g_dbus_error_strip_remote_error(error);
    /* Once it has been written the VMM ends, whatever becomes of the file. */
    if (saved && !put_in_place(saving, &error))
        desktop->fault = g_strdup_printf("it was not suspended but ended: %s", error->message);
    if (!saved) {
        g_unlink(saving->partial);
        desktop->end_asked = desktop->stop_asked;
        if (said && desktop->vmm && vmm_control(desktop->vmm) && desktop->state == LIFE_SUSPENDING)
            go_on_running(desktop, error);
    }
    saving_free(saving);
}

void
desktop_suspend(Desktop *desktop)
{
    CarrelVmm1 *control = vmm_control(desktop->vmm);
    g_autoptr(GError) error = NULL;
    Saving *saving = g_new0(Saving, 1);

    saving->desktop = desktop;
    saving->whole = desktop_saved_path(desktop);
    saving->partial = g_strdup_printf("%s.partial", saving->whole);
    g_unlink(saving->partial);
    saving->fd = open(saving->partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (saving->fd < 0) {
        fail(&error, saving->partial);
        go_on_running(desktop, error);
        saving_free(saving);
        return;
    }
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
    g_unix_fd_list_append(fds, saving->fd, NULL);
    desktop->end_asked = true;
    desktop_set_state(desktop, LIFE_SUSPENDING, NULL);
    desktop->desktops->calls++;
    /* It writes the whole of memory to a disk, however slow. */
    g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(control), G_MAXINT);
    carrel_vmm1_call_save(control, g_variant_new_handle(0), fds, NULL, on_saved, saving);
    g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(control), -1);
}
