/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chain of steps, each of which ends in next() or in finish(). What was made so far lies in the BringUp and goes with it, unless
 * the last step hands it on.
 */
#include "appliance/desktops/bring_up.h"

#include "appliance/desktops/admission.h"
#include "appliance/desktops/conf.h"
#include "appliance/desktops/bounds.h"
#include "appliance/desktops/private.h"
#include "appliance/desktops/socket.h"
#include "appliance/desktops/spawn.h"
#include "appliance/desktops/tpm.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CARDS_MAX 8
#define DISKS_MAX 16
#define SAVED_FD "saved"

struct BringUp {
    Desktop *desktop;
    GCancellable *cancellable;
    Spec *spec; /* as it was at the beginning */
    unsigned step, place;
    bool made; /* the disk at .place has just been made */
    int disks[DISKS_MAX];
    bool discs[DISKS_MAX];
    NetworkPlug plugs[CARDS_MAX];
    bool plugged;
    Tpm *tpm;
    int control, spice, end, saved;
    Record *record;
    Spawned process; /* pid 0: none */
};

static void next(BringUp *bring_up);

static void
bring_up_free(BringUp *bring_up)
{
    for (unsigned i = 0; i < DISKS_MAX; i++)
        g_clear_fd(&bring_up->disks[i], NULL);
    for (unsigned i = 0; bring_up->plugged && i < CARDS_MAX; i++)
        network_plug_clear(&bring_up->plugs[i]);
    g_clear_fd(&bring_up->control, NULL);
    g_clear_fd(&bring_up->spice, NULL);
    g_clear_fd(&bring_up->end, NULL);
    g_clear_fd(&bring_up->saved, NULL);
    if (bring_up->process.pid)
        spawn_drop(&bring_up->process);
    tpm_free(bring_up->tpm);
    record_free(bring_up->record);
    spec_free(bring_up->spec);
    g_object_unref(bring_up->cancellable);
    g_free(bring_up);
}

static void
finish(BringUp *bring_up, const GError *error)
{
    Desktop *desktop = bring_up->desktop;

    if (error && bring_up->plugged)
        networks_unplug(desktop->desktops->settings.networks, desktop->id);
    if (error)
        desktop_clear_run(desktop);
    desktop_brought_up(desktop, error);
    bring_up_free(bring_up);
}

/* The step is done, or failed. */
static void
go_on(BringUp *bring_up, const GError *error)
{
    g_autoptr(GError) cancelled = NULL;

    if (!error && g_cancellable_set_error_if_cancelled(bring_up->cancellable, &cancelled))
        error = cancelled;
    if (error) {
        finish(bring_up, error);
        return;
    }
    bring_up->step++;
    next(bring_up);
}

/* ---- place: the store is told that it is here ---- */

static void
on_placed(void *data, const GError *error)
{
    BringUp *bring_up = data;

    bring_up->desktop->desktops->calls--;
    go_on(bring_up, error);
}

static void
place(BringUp *bring_up)
{
    Desktops *desktops = bring_up->desktop->desktops;

    if (!g_strcmp0(bring_up->spec->host, desktops->settings.host)) {
        go_on(bring_up, NULL);
        return;
    }
    GVariantDict fields;
    g_variant_dict_init(&fields, NULL);
    g_variant_dict_insert(&fields, "desktop", "s", bring_up->spec->id);
    g_variant_dict_insert(&fields, "host", "s", desktops->settings.host);
    desktops->calls++;
    desktops->ops.submit(desktops->owner, NULL, "desktop.place", g_variant_dict_end(&fields), on_placed, bring_up);
}

/* ---- memory, and a user for the VMM ---- */

static void
admit(BringUp *bring_up)
{
    Desktops *desktops = bring_up->desktop->desktops;
    const Spec *spec = bring_up->spec;
    g_autoptr(GError) error = NULL;

    if (spec->disks->len > DISKS_MAX || spec->cards->len > CARDS_MAX)
        g_set_error(&error, DESKTOPS_ERROR, DESKTOPS_ERROR_UNAVAILABLE,
                    "it has more disks or cards than a desktop may have");
    else if (admission_check(spec->memory + ADMISSION_OVERHEAD, desktops_promised(desktops, bring_up->desktop),
                             desktops->settings.memory, desktops_overcommit(desktops), &error))
        desktops_take_uid(desktops, &bring_up->record->uid, &error);
    if (!error)
        bring_up->record->memory = spec->memory + ADMISSION_OVERHEAD;
    go_on(bring_up, error);
}

/* ---- disks ---- */

static void open_next(BringUp *bring_up);

static void
on_progress(double done, gpointer user)
{
    BringUp *bring_up = user;

    desktop_set_progress(bring_up->desktop, (bring_up->place + done) / bring_up->spec->disks->len);
}

static void
on_made(GObject *source, GAsyncResult *result, gpointer user)
{
    BringUp *bring_up = user;
    Desktops *desktops = bring_up->desktop->desktops;
    g_autoptr(GError) error = NULL;

    desktops->calls--;
    if (storage_finish(desktops->settings.storage, result, &error))
        open_next(bring_up);
    else
        finish(bring_up, error);
}

static void
make_disk(BringUp *bring_up)
{
    Desktops *desktops = bring_up->desktop->desktops;
    const SpecDisk *disk = bring_up->spec->disks->pdata[bring_up->place];

    bring_up->made = true;
    desktops->calls++;
    storage_make_disk_async(desktops->settings.storage, bring_up->spec->id, bring_up->place, disk->image, disk->size,
                            bring_up->cancellable, on_progress, bring_up, on_made, bring_up);
}

static void
on_opened(GObject *source, GAsyncResult *result, gpointer user)
{
    BringUp *bring_up = user;
    Desktops *desktops = bring_up->desktop->desktops;
    g_autoptr(GError) error = NULL;
    int fd = storage_open_disk_finish(desktops->settings.storage, result, &error);

    desktops->calls--;
    if (fd >= 0) {
        bring_up->disks[bring_up->place++] = fd;
        bring_up->made = false;
        open_next(bring_up);
    } else if (g_error_matches(error, STORAGE_ERROR, STORAGE_ERROR_NOT_FOUND) && !bring_up->made &&
               bring_up->saved < 0) {
        make_disk(bring_up);
    } else {
        finish(bring_up, error);
    }
}

/* A drive's disc is no more than a file to be read. */
static bool
open_disc(BringUp *bring_up, const SpecDisk *drive, GError **error)
{
    int fd = -1;

    if (drive->image) {
        fd = storage_open_iso(bring_up->desktop->desktops->settings.storage, drive->image, error);
        if (fd < 0)
            return false;
    }
    bring_up->discs[bring_up->place] = fd >= 0;
    bring_up->disks[bring_up->place++] = fd;
    return true;
}

static void
open_next(BringUp *bring_up)
{
    Desktops *desktops = bring_up->desktop->desktops;
    g_autoptr(GError) error = NULL;

    while (bring_up->place < bring_up->spec->disks->len) {
        const SpecDisk *disk = bring_up->spec->disks->pdata[bring_up->place];
        if (!disk->cdrom) {
            desktops->calls++;
            storage_open_disk_async(desktops->settings.storage, bring_up->spec->id, bring_up->place,
                                    bring_up->cancellable, on_opened, bring_up);
            return;
        }
        if (!open_disc(bring_up, disk, &error)) {
            finish(bring_up, error);
            return;
        }
    }
    go_on(bring_up, NULL);
}

/* ---- cards ---- */

static bool
plug_card(BringUp *bring_up, unsigned i, GError **error)
{
    const Spec *spec = bring_up->spec;
    const SpecCard *card = spec->cards->pdata[i];
    const NetworkCard here = {
        .desktop = spec->id, .place = i, .network = card->network, .mac = card->mac, .name = spec->name};

    record_add_card(bring_up->record, card->network, card->mac);
    return networks_plug(bring_up->desktop->desktops->settings.networks, &here, 1, &bring_up->plugs[i], error);
}

static void
plug_cards(BringUp *bring_up)
{
    g_autoptr(GError) error = NULL;

    if (bring_up->spec->cards->len) {
        networks_unplug(bring_up->desktop->desktops->settings.networks, bring_up->spec->id);
        bring_up->plugged = true;
    }
    for (unsigned i = 0; i < bring_up->spec->cards->len && !error; i++)
        plug_card(bring_up, i, &error);
    go_on(bring_up, error);
}

/* ---- TPM ---- */

static void
start_tpm(BringUp *bring_up)
{
    Desktop *desktop = bring_up->desktop;
    const TpmPlace where = {.swtpm = desktop->desktops->settings.swtpm,
                            .run = desktop->run,
                            .keep = desktop->keep,
                            .uid = bring_up->record->uid};
    g_autoptr(GError) error = NULL;

    if (bring_up->spec->tpm)
        bring_up->tpm = tpm_start(&where, &error);
    if (bring_up->tpm)
        tpm_process(bring_up->tpm, &bring_up->record->tpm_pid, &bring_up->record->tpm_began);
    g_prefix_error(&error, "the desktop's TPM: ");
    go_on(bring_up, error);
}

/* ---- the process ---- */

static bool
write_conf(BringUp *bring_up, GError **error)
{
    Desktop *desktop = bring_up->desktop;
    g_autofree char *path = g_build_filename(desktop->run, "conf", NULL);
    g_autofree char *variables = g_build_filename(desktop->keep, "variables", NULL);
    ConfCard cards[CARDS_MAX];
    ConfRun run = {.spec = bring_up->spec,
                   .variables = variables,
                   .tpm = bring_up->tpm != NULL,
                   .discs = bring_up->discs,
                   .cards = cards,
                   .uid = bring_up->record->uid};

    for (unsigned i = 0; i < bring_up->spec->cards->len; i++)
        cards[i] = (ConfCard){bring_up->plugs[i].backend, bring_up->plugs[i].mac, bring_up->plugs[i].mtu};
    g_autofree char *text = conf_text(&run);
    return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}

static bool
listen_for_it(BringUp *bring_up, GError **error)
{
    const char *run = bring_up->desktop->run;

    bring_up->control = socket_listen(run, "control", error);
    if (bring_up->control >= 0)
        bring_up->spice = socket_listen(run, "spice", error);
    return bring_up->spice >= 0;
}

/* Where it writes why it ended; what the run before wrote goes. */
static bool
make_end(BringUp *bring_up, GError **error)
{
    g_autofree char *path = desktop_end_path(bring_up->desktop);

    bring_up->end = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (bring_up->end >= 0)
        return true;
    int code = errno;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", path, g_strerror(code));
    return false;
}

static void
give(SpawnPlan *plan, GPtrArray *names, int fd, const char *name)
{
    char *kept = g_strdup(name);

    g_ptr_array_add(names, kept);
    plan->fds[plan->n_fds++] = (SpawnFd){fd, kept};
}

static void
give_all(BringUp *bring_up, SpawnPlan *plan, GPtrArray *names)
{
    give(plan, names, bring_up->control, CONF_CONTROL_FD);
    give(plan, names, bring_up->spice, CONF_SPICE_FD);
    give(plan, names, bring_up->end, CONF_END_FD);
    if (bring_up->tpm)
        give(plan, names, tpm_socket(bring_up->tpm), CONF_TPM_FD);
    if (bring_up->saved >= 0)
        give(plan, names, bring_up->saved, SAVED_FD);
    for (unsigned i = 0; i < bring_up->spec->disks->len; i++) {
        g_autofree char *name = conf_disk_fd(i);
        if (bring_up->disks[i] >= 0)
            give(plan, names, bring_up->disks[i], name);
    }
    for (unsigned i = 0; i < bring_up->spec->cards->len; i++) {
        g_autofree char *name = conf_card_fd(i);
        for (unsigned k = 0; k < bring_up->plugs[i].n_fds; k++)
            give(plan, names, bring_up->plugs[i].fds[k], name);
    }
}

static bool
hold_process(BringUp *bring_up, GError **error)
{
    Desktop *desktop = bring_up->desktop;
    g_autofree char *conf = g_build_filename(desktop->run, "conf", NULL);
    g_autofree char *log = g_build_filename(desktop->run, "log", NULL);
    g_autofree char *saved = desktop_restoring_path(desktop);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *fresh[] = {desktop->desktops->settings.vmm, "run", conf, NULL};
    const char *restored[] = {desktop->desktops->settings.vmm, "run", "--restore", saved, conf, NULL};
    SpawnPlan plan = {.arguments = bring_up->saved >= 0 ? restored : fresh, .log = log};

    give_all(bring_up, &plan, names);
    return spawn_hold(&plan, &bring_up->process, error);
}

static void
on_limited(void *user, const GError *error)
{
    go_on(user, error);
}

static void
start_process(BringUp *bring_up)
{
    g_autoptr(GError) error = NULL;

    if (!write_conf(bring_up, &error) || !listen_for_it(bring_up, &error) || !make_end(bring_up, &error) ||
        !hold_process(bring_up, &error)) {
        finish(bring_up, error);
        return;
    }
    const BoundsDisks disks = {bring_up->disks, DISKS_MAX};
    bounds_apply(&bring_up->desktop->desktops->settings, bring_up->spec, &disks, bring_up->process.pid,
                 bring_up->cancellable, on_limited, bring_up);
}

/* The file is no desktop to begin with once a guest may have gone on from it: renamed before, removed when it runs. */
static bool
begin_restoring(Desktop *desktop, GError **error)
{
    g_autofree char *from = desktop_saved_path(desktop), *to = desktop_restoring_path(desktop);

    if (g_rename(from, to) == 0)
        return true;
    int code = errno;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", from, g_strerror(code));
    return false;
}

static bool
write_down(BringUp *bring_up, GError **error)
{
    Record *record = bring_up->record;
    g_autofree char *path = g_build_filename(bring_up->desktop->run, "record", NULL);

    record->pid = bring_up->process.pid;
    record->began = spawn_began(record->pid);
    record->since = g_get_real_time();
    record->name = g_strdup(bring_up->spec->name);
    return record_write(record, path, error);
}

static void
let_go(BringUp *bring_up)
{
    Desktop *desktop = bring_up->desktop;
    g_autoptr(GError) error = NULL;

    if (!write_down(bring_up, &error) || (bring_up->saved >= 0 && !begin_restoring(desktop, &error)) ||
        !spawn_go(&bring_up->process, &error)) {
        g_prefix_error(&error, "%s: ", desktop->desktops->settings.vmm);
        finish(bring_up, error);
        return;
    }
    tpm_release(bring_up->tpm);
    bring_up->process.pid = 0;
    desktop->record = g_steal_pointer(&bring_up->record);
    desktop_start_vmm(desktop, bring_up->process.pidfd);
    finish(bring_up, NULL);
}

/* ---- the chain ---- */

static void (*const steps[])(BringUp *) = {place, admit, open_next, plug_cards, start_tpm, start_process, let_go};

static void
next(BringUp *bring_up)
{
    steps[bring_up->step](bring_up);
}

static bool
make_folders(Desktop *desktop, GError **error)
{
    const char *const folders[] = {desktop->run, desktop->keep};

    for (unsigned i = 0; i < G_N_ELEMENTS(folders); i++) {
        if (g_mkdir_with_parents(folders[i], 0711) < 0) {
            int code = errno;
            g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", folders[i], g_strerror(code));
            return false;
        }
    }
    return true;
}

void
bring_up_begin(Desktop *desktop)
{
    BringUp *bring_up = g_new0(BringUp, 1);
    g_autoptr(GError) error = NULL;
    g_autofree char *saved = desktop_saved_path(desktop), *lost = desktop_restoring_path(desktop);

    g_unlink(lost); /* a guest may have gone on from it: what it knows of its disks is not so any more */
    bring_up->desktop = desktop;
    bring_up->cancellable = g_cancellable_new();
    bring_up->spec = desktop_read_spec(desktop);
    bring_up->record = record_new();
    bring_up->control = bring_up->spice = bring_up->end = -1;
    for (unsigned i = 0; i < DISKS_MAX; i++)
        bring_up->disks[i] = -1;
    bring_up->saved = open(saved, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    desktop->bring_up = bring_up;
    desktop_set_state(desktop, LIFE_PREPARING, NULL);
    if (!bring_up->spec)
        g_set_error(&error, DESKTOPS_ERROR, DESKTOPS_ERROR_NOT_FOUND, "there is no such desktop any more");
    else
        make_folders(desktop, &error);
    if (error)
        finish(bring_up, error);
    else
        next(bring_up);
}

void
bring_up_cancel(BringUp *bring_up)
{
    g_cancellable_cancel(bring_up->cancellable);
}

void
bring_up_drop(BringUp *bring_up)
{
    if (!bring_up)
        return;
    bring_up_cancel(bring_up);
    if (bring_up->plugged)
        networks_unplug(bring_up->desktop->desktops->settings.networks, bring_up->desktop->id);
    bring_up_free(bring_up);
}

uint64_t
bring_up_memory(const BringUp *bring_up)
{
    return bring_up->record->memory;
}

uid_t
bring_up_uid(const BringUp *bring_up)
{
    return bring_up->record->uid;
}
