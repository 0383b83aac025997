/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/still.h"

/* The guest thaws by itself after this long, so nothing that goes wrong here stops it for good. */
#define FREEZE_SECONDS 60
#define ANSWER_MS (30 * 1000)

struct Still {
    char *desktop;       /* its id */
    CarrelVmm1 *control; /* NULL: it does not run */
    bool frozen, paused;
    StillReady ready;
    StillOver over;
    void *user;
};

static void
still_free(Still *still)
{
    g_clear_object(&still->control);
    g_free(still->desktop);
    g_free(still);
}

/* ---- standing still ---- */

static void
on_paused(GObject *source, GAsyncResult *result, gpointer user)
{
    Still *still = user;
    g_autoptr(GError) error = NULL;

    still->paused = carrel_vmm1_call_pause_finish(CARREL_VMM1(source), result, &error);
    if (!error) {
        still->ready(still->user, still, false, NULL);
        return;
    }
    g_dbus_error_strip_remote_error(error);
    still->ready(still->user, NULL, false, error);
    still_free(still);
}

static void
pause_it(Still *still)
{
    carrel_vmm1_call_pause(still->control, NULL, on_paused, still);
}

static void
on_frozen(GObject *source, GAsyncResult *result, gpointer user)
{
    Still *still = user;
    g_autoptr(GError) error = NULL;

    still->frozen = carrel_vmm1_call_freeze_filesystems_finish(CARREL_VMM1(source), NULL, result, &error);
    if (still->frozen) {
        still->ready(still->user, still, true, NULL);
        return;
    }
    g_dbus_error_strip_remote_error(error);
    g_message("desktop %s is paused, since its file systems could not be frozen: %s", still->desktop, error->message);
    pause_it(still);
}

void
still_begin(Desktop *desktop, StillReady ready, void *user)
{
    Still *still = g_new0(Still, 1);
    CarrelVmm1 *control = vmm_control(desktop->vmm);

    still->desktop = g_strdup(desktop->id);
    still->ready = ready;
    still->user = user;
    if (!control) {
        ready(user, still, false, NULL);
        return;
    }
    still->control = g_object_ref(control);
    if (desktop->state == LIFE_PAUSED) {
        ready(user, still, false, NULL); /* as it is already, and is to stay */
    } else if (carrel_vmm1_get_guest_agent(control)) {
        g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(control), ANSWER_MS);
        carrel_vmm1_call_freeze_filesystems(control, FREEZE_SECONDS, NULL, on_frozen, still);
        g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(control), -1);
    } else {
        pause_it(still);
    }
}

/* ---- going on ---- */

static void
finish(Still *still, bool whole)
{
    still->over(still->user, whole);
    still_free(still);
}

static void
on_thawed(GObject *source, GAsyncResult *result, gpointer user)
{
    finish(user, carrel_vmm1_call_thaw_filesystems_finish(CARREL_VMM1(source), NULL, result, NULL));
}

static void
on_resumed(GObject *source, GAsyncResult *result, gpointer user)
{
    carrel_vmm1_call_resume_finish(CARREL_VMM1(source), result, NULL);
    finish(user, true);
}

void
still_end(Still *still, StillOver over, void *user)
{
    still->over = over;
    still->user = user;
    if (still->frozen)
        carrel_vmm1_call_thaw_filesystems(still->control, NULL, on_thawed, still);
    else if (still->paused)
        carrel_vmm1_call_resume(still->control, NULL, on_resumed, still);
    else
        finish(still, true);
}
