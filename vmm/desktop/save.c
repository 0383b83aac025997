/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving a desktop to a file and loading it again, by the machine's table: what a device declares is all there is to it.
 *
 * While the desktop is saved it is paused; its state is gathered on the main thread, RAM is written on a thread of its own
 * so that clients and control are served meanwhile.
 */
#include "vmm/desktop/desktop_private.h"
#include "vmm/state/sections.h"

#include <unistd.h>

typedef struct {
    Desktop *desktop;
    int fd;
    GByteArray *sections;
    ControlSaved saved;
    void *user;
    GError *error; /* of the writing */
    GThread *thread;
} SaveJob;

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
    desktop->saving = false;
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

static gpointer
write_file(gpointer user)
{
    SaveJob *job = user;
    const GuestRegion *regions;
    size_t n_regions;

    regions = guest_memory_regions(job->desktop->memory, &n_regions);
    SavedRam ram = {regions[0].host, guest_memory_size(job->desktop->memory), guest_memory_fd(job->desktop->memory)};
    saved_file_write(job->fd, &ram, config_text(job->desktop->config), job->sections, &job->error);
    g_idle_add(save_finished, job);
    return NULL;
}

void
desktop_save(void *object, int fd, ControlSaved saved, void *user)
{
    Desktop *desktop = object;
    g_autoptr(GError) error = NULL;

    if (machine_state(desktop->machine) == MACHINE_STOPPED ||
        machine_pause_reasons(desktop->machine) & MACHINE_PAUSE_SAVE) {
        close(fd);
        g_set_error(&error, STATE_ERROR, STATE_ERROR_IO, "the desktop is being saved or has ended already");
        saved(user, error);
        return;
    }
    desktop->saving = true;
    machine_pause(desktop->machine, MACHINE_PAUSE_SAVE, "its state is being saved");

    SaveJob *job = g_new0(SaveJob, 1);
    *job = (SaveJob){.desktop = desktop, .fd = fd, .saved = saved, .user = user, .sections = g_byte_array_new()};
    machine_foreach(desktop->machine, gather, job->sections, NULL);
    job->thread = g_thread_new("save", write_file, job);
}

static bool
load_one(void *reader, const char *id, const DeviceOps *ops, void *device, GError **error)
{
    return section_reader_load(reader, id, ops->state, device, error);
}

bool
desktop_load(Desktop *desktop, const SavedFile *saved, GError **error)
{
    g_autoptr(SectionReader) reader = section_reader_new(saved->sections->data, saved->sections->len, error);

    if (!reader)
        return false;
    vm_hold_routes(desktop->vm);
    bool loaded = machine_foreach(desktop->machine, load_one, reader, error) && section_reader_finish(reader, error);
    return vm_release_routes(desktop->vm, loaded ? error : NULL) && loaded;
}
