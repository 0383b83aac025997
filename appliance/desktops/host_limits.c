/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest cannot take more memory than it has, but what serves it could by a fault: the limit stands far enough above for
 * pictures and buffers. Processors are shared by weight; unless it has a limit, a desktop may have all that nobody else wants.
 */
#include "appliance/desktops/host_limits.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MIB (UINT64_C(1) << 20)
#define MEMORY_BESIDE (1024 * MIB)
#define MEMORY_PER_MONITOR (256 * MIB)
#define CPU_WEIGHT_PER_VCPU 50 /* two: the default of a group */
#define CPU_WEIGHT_MAX 10000
#define TASKS_MAX 512
#define CPU_PERIOD_US 100000 /* the kernel's, and systemd's */

void
limits_of(const Spec *spec, Limits *limits)
{
    *limits = (Limits){
        .memory = spec->memory + MEMORY_BESIDE + spec->monitors * MEMORY_PER_MONITOR,
        .tasks = TASKS_MAX,
        .cpu_weight = spec->cpu_weight ? spec->cpu_weight : MIN(spec->vcpus * CPU_WEIGHT_PER_VCPU, CPU_WEIGHT_MAX),
        .cpu_us = spec->cpu_percent * G_USEC_PER_SEC / 100,
        .read_bytes = spec->disk_read_bytes,
        .write_bytes = spec->disk_write_bytes,
        .read_ops = spec->disk_read_ops,
        .write_ops = spec->disk_write_ops,
    };
}

bool
limits_have_disks(const Limits *limits)
{
    return limits->read_bytes || limits->write_bytes || limits->read_ops || limits->write_ops;
}

/* ---- systemd ---- */

static void
add_number(GVariantBuilder *properties, const char *name, uint64_t value)
{
    if (value)
        g_variant_builder_add(properties, "(sv)", name, g_variant_new_uint64(value));
}

static void
add_of_disks(GVariantBuilder *properties, const char *name, uint64_t value, const char *const *disks)
{
    GVariantBuilder list;

    if (!value || !disks[0])
        return;
    g_variant_builder_init(&list, G_VARIANT_TYPE("a(st)"));
    for (; *disks; disks++)
        g_variant_builder_add(&list, "(st)", *disks, (guint64)value);
    g_variant_builder_add(properties, "(sv)", name, g_variant_builder_end(&list));
}

void
limits_add_properties(const Limits *limits, const char *const *disks, GVariantBuilder *properties)
{
    add_number(properties, "MemoryMax", limits->memory);
    add_number(properties, "CPUWeight", limits->cpu_weight);
    add_number(properties, "TasksMax", limits->tasks);
    add_number(properties, "CPUQuotaPerSecUSec", limits->cpu_us);
    add_of_disks(properties, "IOReadBandwidthMax", limits->read_bytes, disks);
    add_of_disks(properties, "IOWriteBandwidthMax", limits->write_bytes, disks);
    add_of_disks(properties, "IOReadIOPSMax", limits->read_ops, disks);
    add_of_disks(properties, "IOWriteIOPSMax", limits->write_ops, disks);
}

/* ---- cgroup v2 ---- */

char *
limits_cpu_max(const Limits *limits)
{
    if (!limits->cpu_us)
        return g_strdup_printf("max %d", CPU_PERIOD_US);
    return g_strdup_printf("%" G_GUINT64_FORMAT " %d", limits->cpu_us * CPU_PERIOD_US / G_USEC_PER_SEC, CPU_PERIOD_US);
}

static void
add_word(GString *line, const char *word, uint64_t value)
{
    if (value)
        g_string_append_printf(line, " %s=%" G_GUINT64_FORMAT, word, value);
    else
        g_string_append_printf(line, " %s=max", word);
}

char *
limits_io_max(const Limits *limits, dev_t device)
{
    GString *line = g_string_new(NULL);

    g_string_append_printf(line, "%u:%u", major(device), minor(device));
    add_word(line, "rbps", limits->read_bytes);
    add_word(line, "wbps", limits->write_bytes);
    add_word(line, "riops", limits->read_ops);
    add_word(line, "wiops", limits->write_ops);
    return g_string_free(line, FALSE);
}

/* io.max is of whole disks. A partition lies in its disk's folder (sysfs-block). */
static void
find_whole_disk(dev_t *device)
{
    g_autofree char *partition = g_strdup_printf("/sys/dev/block/%u:%u/partition", major(*device), minor(*device));
    g_autofree char *whole = g_strdup_printf("/sys/dev/block/%u:%u/../dev", major(*device), minor(*device));
    g_autofree char *text = NULL;
    unsigned of_major, of_minor;

    if (g_file_test(partition, G_FILE_TEST_EXISTS) && g_file_get_contents(whole, &text, NULL, NULL) &&
        sscanf(text, "%u:%u", &of_major, &of_minor) == 2)
        *device = makedev(of_major, of_minor);
}

bool
limits_device(int disk, dev_t *device)
{
    struct stat seen;

    if (fstat(disk, &seen) < 0 || (!S_ISBLK(seen.st_mode) && !major(seen.st_dev)))
        return false;
    *device = S_ISBLK(seen.st_mode) ? seen.st_rdev : seen.st_dev;
    find_whole_disk(device);
    return true;
}

/* ---- and back ---- */

static char *
read_file(const char *folder, const char *file)
{
    g_autofree char *path = g_build_filename(folder, file, NULL);
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? g_strchomp(text) : g_strdup("");
}

/* "max", or what is none, is 0. */
static uint64_t
parse(const char *text)
{
    guint64 value;

    return g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &value, NULL) ? value : 0;
}

static uint64_t
read_number(const char *folder, const char *file)
{
    g_autofree char *text = read_file(folder, file);

    return parse(text);
}

/* "50000 100000": so much in each so long. */
static uint64_t
read_cpu_us(const char *folder)
{
    g_autofree char *text = read_file(folder, "cpu.max");
    g_auto(GStrv) words = g_strsplit(text, " ", 2);
    uint64_t quota = words[0] ? parse(words[0]) : 0, period = words[0] && words[1] ? parse(words[1]) : 0;

    return period && quota < G_MAXUINT64 / G_USEC_PER_SEC ? quota * G_USEC_PER_SEC / period : 0;
}

static void
lower(uint64_t *limit, uint64_t value)
{
    if (value && (!*limit || value < *limit))
        *limit = value;
}

/* "8:0 rbps=1048576 wbps=max riops=max wiops=max", a line for each device. */
static void
read_io_max(const char *folder, Limits *limits)
{
    const struct {
        const char *word;
        uint64_t *limit;
    } kinds[] = {{"rbps=", &limits->read_bytes},
                 {"wbps=", &limits->write_bytes},
                 {"riops=", &limits->read_ops},
                 {"wiops=", &limits->write_ops}};
    g_autofree char *text = read_file(folder, "io.max");
    g_auto(GStrv) words = g_strsplit_set(text, " \n", -1);

    for (unsigned i = 0; words[i]; i++)
        for (unsigned kind = 0; kind < G_N_ELEMENTS(kinds); kind++)
            if (g_str_has_prefix(words[i], kinds[kind].word))
                lower(kinds[kind].limit, parse(words[i] + strlen(kinds[kind].word)));
}

void
limits_read(const char *folder, Limits *limits)
{
    *limits = (Limits){
        .memory = read_number(folder, "memory.max"),
        .tasks = read_number(folder, "pids.max"),
        .cpu_weight = read_number(folder, "cpu.weight"),
        .cpu_us = read_cpu_us(folder),
    };
    read_io_max(folder, limits);
}

static bool
is_looser(uint64_t wanted, uint64_t there)
{
    return wanted && (!there || there > wanted);
}

void
limits_missing(const Limits *wanted, const Limits *there, const char *missing[LIMITS_KINDS + 1])
{
    unsigned n = 0;

    if (is_looser(wanted->memory, there->memory))
        missing[n++] = "memory";
    if (is_looser(wanted->cpu_us, there->cpu_us))
        missing[n++] = "cpu";
    if (is_looser(wanted->read_bytes, there->read_bytes) || is_looser(wanted->write_bytes, there->write_bytes) ||
        is_looser(wanted->read_ops, there->read_ops) || is_looser(wanted->write_ops, there->write_ops))
        missing[n++] = "disk";
    missing[n] = NULL;
}
