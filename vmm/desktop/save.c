/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving a desktop to a file and loading it again, by the machine's table: what a device declares is all there is to it.
 *
 * While the desktop is saved it is paused; its state is gathered on the main thread, RAM is written on a thread of its own
 * so that clients and control are served meanwhile. Whoever asked may change their mind, and cancel the writing.
 */
#include "vmm/desktop/desktop_private.h"
#include "vmm/state/sections.h"

#include <unistd.h>

struct SaveJob {
    Desktop *desktop;
    int fd;
    GByteArray *sections;
    ControlSaved saved;
    void *user;
    gint cancelled;
    GError *error; /* of the writing */
    GThread *thread;
};

/* What a desktop is, besides its devices. */
typedef struct {
    bool paused; /* by a person: it stays so */
} Whole;

static const StateField whole_fields[] = {STATE_BOOL(Whole, paused, 1), STATE_END};
static const StateTable whole_state = {.name = "whole", .version = 1, .oldest = 1, .fields = whole_fields};

static bool
gather(void *sections, const char *id, const DeviceOps *ops, void *device, GError **error)
{
    sections_add(sections, id, ops->state, device);
    return true;
}

static gboolean
save_finished(gpointer user)
{
    SaveJob *job = user;
    Desktop *desktop = job->desktop;

    g_thread_join(job->thread);
    desktop->save = NULL;
    close(job->fd);
    g_byte_array_unref(job->sections);
    job->saved(job->user, job->error);
    if (job->error)
        machine_resume(desktop->machine, MACHINE_PAUSE_SAVE);
    else
        machine_stop(desktop->machine);
    g_clear_error(&job->error);
    g_free(job);
    return G_SOURCE_REMOVE;
}

void
desktop_cancel_save(void *object)
{
    Desktop *desktop = object;

    if (desktop->save)
        g_atomic_int_set(&desktop->save->cancelled, true);
}

static gpointer
write_file(gpointer user)
{
    SaveJob *job = user;
    const GuestRegion *regions;
    size_t n_regions;

    regions = guest_memory_regions(job->desktop->memory, &n_regions);
    SavedRam ram = {regions[0].host, guest_memory_size(job->desktop->memory), guest_memory_fd(job->desktop->memory)};
    saved_file_write(job->fd, &ram, config_text(job->desktop->config), job->sections, &job->cancelled, &job->error);
    g_idle_add(save_finished, job);
    return NULL;
}

void
desktop_save(void *object, int fd, ControlSaved saved, void *user)
{
    Desktop *desktop = object;
    g_autoptr(GError) error = NULL;

    if (machine_state(desktop->machine) == MACHINE_STOPPED || desktop->save) {
        close(fd);
        g_set_error(&error, STATE_ERROR, STATE_ERROR_IO, "the desktop is being saved or has ended already");
        saved(user, error);
        return;
    }
    machine_pause(desktop->machine, MACHINE_PAUSE_SAVE, "its state is being saved");
    if (desktop->tpm && !crb_fetch_state(desktop->tpm, &error)) {
        close(fd);
        saved(user, error);
        machine_resume(desktop->machine, MACHINE_PAUSE_SAVE);
        return;
    }

    SaveJob *job = desktop->save = g_new0(SaveJob, 1);
    *job = (SaveJob){.desktop = desktop, .fd = fd, .saved = saved, .user = user, .sections = g_byte_array_new()};
    Whole whole = {.paused = machine_pause_reasons(desktop->machine) & MACHINE_PAUSE_USER};
    sections_add(job->sections, "desktop", &whole_state, &whole);
    machine_foreach(desktop->machine, gather, job->sections, NULL);
    job->thread = g_thread_new("save", write_file, job);
}

static bool
claim_one(void *reader, const char *id, const DeviceOps *ops, void *device, GError **error)
{
    return section_reader_claim(reader, id, ops->state, error);
}

static bool
load_one(void *reader, const char *id, const DeviceOps *ops, void *device, GError **error)
{
    return section_reader_load(reader, id, ops->state, device, error);
}

static bool
load_sections(Desktop *desktop, SectionReader *reader, GError **error)
{
    Whole whole = {false};

    if (!section_reader_claim(reader, "desktop", &whole_state, error) ||
        !machine_foreach(desktop->machine, claim_one, reader, error) || !section_reader_finish_claims(reader, error) ||
        !section_reader_load(reader, "desktop", &whole_state, &whole, error))
        return false;
    desktop->start_paused |= whole.paused;
    vm_hold_routes(desktop->vm);
    bool loaded = machine_foreach(desktop->machine, load_one, reader, error);
    return vm_release_routes(desktop->vm, loaded ? error : NULL) && loaded;
}

bool
desktop_load(Desktop *desktop, const SavedFile *saved, GError **error)
{
    g_autoptr(SectionReader) reader = section_reader_new(saved->sections->data, saved->sections->len, error);

    if (reader && load_sections(desktop, reader, error))
        return true;
    g_prefix_error(error, "%s: ", saved->path);
    return false;
}
