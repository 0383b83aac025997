/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One lvm command a step; LVM's own locks keep those of several threads apart, and its metadata is on stable storage when a
 * command ends. Where udev does not run, LVM makes the device nodes itself.
 */
#include "appliance/storage/lvm.h"
#include "appliance/storage/error.h"
#include "appliance/storage/lvm_report.h"
#include "appliance/storage/program.h"

#include <glib/gstdio.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define METADATA_PERCENT_MAX 90 /* fuller than that, a pool that runs out of it is in danger as a whole */
#define WORDS_MAX 24

typedef struct {
    Volumes base;
    char *group, *pool, *config;
    int lock;
} Lvm;

/* ---- the program ---- */

/* The words after the command's own, up to NULL. */
static bool
run(Lvm *lvm, char **output, GError **error, const char *command, ...)
{
    static const char *const environment[] = {"LVM_SUPPRESS_FD_WARNINGS", "1", NULL};
    const char *words[WORDS_MAX] = {"lvm", command, "--config", lvm->config};
    Work work = {0}; /* a command is not stopped half-way */
    unsigned n = 4;
    va_list more;

    va_start(more, command);
    for (const char *word; (word = va_arg(more, const char *));) {
        g_assert(n < WORDS_MAX - 1);
        words[n++] = word;
    }
    va_end(more);
    const Program program = {words, environment, &lvm->lock, 1, .output = output};
    return program_run(&program, &work, error);
}

static char *
full_name(const Lvm *lvm, const char *name)
{
    return g_strdup_printf("%s/%s", lvm->group, name);
}

static bool
read_report(Lvm *lvm, LvmReport *report, GError **error)
{
    g_autofree char *json = NULL;

    return run(lvm, &json, error, "lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "--options",
               LVM_REPORT_FIELDS, lvm->group, NULL) &&
           lvm_report_read(json, lvm->pool, report, error);
}

/* ---- looking ---- */

/* No room is what there is when the pool's metadata is nearly full. */
static VolumesView *
lvm_look(Volumes *volumes, GError **error)
{
    g_auto(LvmReport) report = {0};

    if (!read_report((Lvm *)volumes, &report, error))
        return NULL;
    if (report.metadata_percent > METADATA_PERCENT_MAX)
        report.view->free = 0;
    return g_steal_pointer(&report.view);
}

/* ---- changing ---- */

static bool
lvm_make(Volumes *volumes, const char *name, uint64_t size, GError **error)
{
    Lvm *lvm = (Lvm *)volumes;
    g_autofree char *bytes = g_strdup_printf("%" G_GUINT64_FORMAT "b", size);

    return run(lvm, NULL, error, "lvcreate", "--yes", "--type", "thin", "--virtualsize", bytes, "--thinpool", lvm->pool,
               "--name", name, "--addtag", LVM_TAG, "--setactivationskip", "n", "--wipesignatures", "n", lvm->group,
               NULL);
}

static bool
lvm_clone(Volumes *volumes, const char *from, const char *name, Work *work, GError **error)
{
    Lvm *lvm = (Lvm *)volumes;
    g_autofree char *source = full_name(lvm, from);

    return run(lvm, NULL, error, "lvcreate", "--yes", "--type", "thin", "--name", name, "--addtag", LVM_TAG,
               "--setactivationskip", "n", source, NULL);
}

static bool
lvm_grow(Volumes *volumes, const char *name, uint64_t size, GError **error)
{
    Lvm *lvm = (Lvm *)volumes;
    g_autofree char *full = full_name(lvm, name);
    g_autofree char *bytes = g_strdup_printf("%" G_GUINT64_FORMAT "b", size);

    return run(lvm, NULL, error, "lvextend", "--size", bytes, full, NULL);
}

static bool
lvm_rename(Volumes *volumes, const char *name, const char *to, GError **error)
{
    Lvm *lvm = (Lvm *)volumes;
    return run(lvm, NULL, error, "lvrename", lvm->group, name, to, NULL);
}

static bool
is_there(Lvm *lvm, const char *name, bool *there, GError **error)
{
    g_auto(LvmReport) report = {0};

    if (!read_report(lvm, &report, error))
        return false;
    *there = volumes_find(report.view, name);
    return true;
}

static bool
lvm_remove(Volumes *volumes, const char *name, GError **error)
{
    Lvm *lvm = (Lvm *)volumes;
    g_autofree char *full = full_name(lvm, name);
    g_autoptr(GError) why = NULL;
    bool there;

    if (run(lvm, NULL, &why, "lvremove", "--yes", full, NULL))
        return true;
    if (is_there(lvm, name, &there, NULL) && !there)
        return true;
    if (strstr(why->message, "in use") || strstr(why->message, "is used by"))
        return storage_fail(error, STORAGE_ERROR_IN_USE, "%s is in use: stop what runs with it first", name);
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
}

/* ---- opening ---- */

/* In a device's name, a hyphen of the group's or the volume's name is two. */
static char *
device_of(const Lvm *lvm, const char *name)
{
    g_auto(GStrv) group = g_strsplit(lvm->group, "-", -1), volume = g_strsplit(name, "-", -1);
    g_autofree char *first = g_strjoinv("--", group), *second = g_strjoinv("--", volume);

    return g_strdup_printf("/dev/mapper/%s-%s", first, second);
}

static bool
activate(Lvm *lvm, const char *name, GError **error)
{
    g_autofree char *full = full_name(lvm, name);
    bool there;

    if (!is_there(lvm, name, &there, error))
        return false;
    if (!there)
        return storage_fail(error, STORAGE_ERROR_NOT_FOUND, "there is no %s", name);
    return run(lvm, NULL, error, "lvchange", "--activate", "y", "--ignoreactivationskip", full, NULL);
}

static int
lvm_open(Volumes *volumes, const char *name, int flags, GError **error)
{
    Lvm *lvm = (Lvm *)volumes;
    g_autofree char *device = device_of(lvm, name);
    int fd = open(device, flags | O_CLOEXEC);

    if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV)) {
        if (!activate(lvm, name, error))
            return -1;
        fd = open(device, flags | O_CLOEXEC);
    }
    if (fd < 0)
        storage_fail_errno(error, "open %s", device);
    return fd;
}

/* Bytes written through a descriptor of ours; a clone has none, and LVM settles its own. */
static bool
lvm_settle(Volumes *volumes, const char *name, GError **error)
{
    g_autofd int fd = lvm_open(volumes, name, O_RDONLY, error);

    return fd >= 0 && (fsync(fd) == 0 || storage_fail_errno(error, "bring %s to stable storage", name));
}

static void
lvm_free(Volumes *volumes)
{
    Lvm *lvm = (Lvm *)volumes;

    g_free(lvm->group);
    g_free(lvm->pool);
    g_free(lvm->config);
    g_free(lvm);
}

static const VolumesClass lvm_class = {
    .look = lvm_look,
    .make = lvm_make,
    .clone = lvm_clone,
    .grow = lvm_grow,
    .open = lvm_open,
    .settle = lvm_settle,
    .rename = lvm_rename,
    .remove = lvm_remove,
    .free = lvm_free,
};

/* ---- taking the pool ---- */

const char *
lvm_without_udev(void)
{
    return g_file_test("/run/udev/control", G_FILE_TEST_EXISTS)
               ? ""
               : "activation{udev_sync=0 udev_rules=0} "
                 "devices{obtain_device_list_from_udev=0 external_device_info_source=\"none\"}";
}

static bool
is_lvm_name(const char *name, size_t max)
{
    return name && *name && *name != '-' && *name != '.' && strlen(name) <= max &&
           strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "+_.-") == strlen(name);
}

static bool
take_pool(Lvm *lvm, GError **error)
{
    g_auto(LvmReport) report = {0};
    g_autofree char *pool = full_name(lvm, lvm->pool);

    if (!read_report(lvm, &report, error))
        return false;
    if (!report.has_pool)
        return storage_fail(error, STORAGE_ERROR_NOT_FOUND,
                            "there is no thin pool %s: lvcreate --type thin-pool makes one", pool);
    if (!report.extent)
        return storage_fail(error, STORAGE_ERROR_FAILED, "lvs does not tell the size of an extent of %s", lvm->group);
    lvm->base.grain = report.extent;
    return report.fails_when_full || run(lvm, NULL, error, "lvchange", "--errorwhenfull", "y", pool, NULL);
}

Volumes *
lvm_new(const StorageConfig *config, int lock, GError **error)
{
    g_autoptr(Volumes) volumes = NULL;

    if (!is_lvm_name(config->volume_group, STORAGE_GROUP_NAME_MAX) || !is_lvm_name(config->thin_pool, 64)) {
        storage_fail(error, STORAGE_ERROR_INVALID,
                     "an LVM group with a name of up to %d letters and a thin pool in it must be configured",
                     STORAGE_GROUP_NAME_MAX);
        return NULL;
    }
    Lvm *lvm = g_new0(Lvm, 1);
    volumes = &lvm->base;
    lvm->base = (Volumes){&lvm_class, .shares_blocks = true, .clones_whole = true, .grain = 1};
    lvm->group = g_strdup(config->volume_group);
    lvm->pool = g_strdup(config->thin_pool);
    lvm->config = g_strdup_printf("report{time_format=\"%%s\"} %s %s", lvm_without_udev(),
                                  config->lvm_config ? config->lvm_config : "");
    lvm->lock = lock;
    return take_pool(lvm, error) ? g_steal_pointer(&volumes) : NULL;
}
