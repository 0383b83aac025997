/* SPDX-License-Identifier: Apache-2.0 */
/* What desktops may take: told to systemd and to cgroups, and read back. */
#include "appliance/desktops/host_limits.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static Spec *
spec_of(const char *more)
{
    g_autofree char *text =
        g_strdup_printf("{'id': <'desk'>, 'memory': <int64 2048>, 'vcpus': <int64 2>, 'monitors': <int64 2>%s}", more);
    g_autoptr(GVariant) row = g_variant_ref_sink(g_variant_new_parsed(text));

    return spec_new(row, NULL);
}

#define ALL                                                                                                           \
    ", 'cpu_weight': <int64 300>, 'cpu_percent': <int64 150>, 'disk_read_mib': <int64 20>, 'disk_write_mib': <int64 " \
    "10>,"                                                                                                            \
    " 'disk_read_ops': <int64 500>, 'disk_write_ops': <int64 400>"

static void
assert_properties(const char *more, const char *const *disks, const char *expected)
{
    g_autoptr(Spec) spec = spec_of(more);
    g_auto(GVariantBuilder) properties = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(sv)"));
    Limits limits;

    limits_of(spec, &limits);
    limits_add_properties(&limits, disks, &properties);
    g_autoptr(GVariant) all = g_variant_ref_sink(g_variant_builder_end(&properties));
    g_autoptr(GVariant) right = g_variant_ref_sink(g_variant_new_parsed(expected));
    g_assert_cmpvariant(all, right);
}

static void
test_properties(void)
{
    static const char *const disks[] = {"/dev/vg/one", "/srv/two.raw", NULL};

    assert_properties("", disks,
                      "[('MemoryMax', <uint64 3758096384>), ('CPUWeight', <uint64 100>), ('TasksMax', <uint64 512>)]");
    assert_properties(ALL, disks,
                      "[('MemoryMax', <uint64 3758096384>), ('CPUWeight', <uint64 300>), ('TasksMax', <uint64 512>), "
                      "('CPUQuotaPerSecUSec', <uint64 1500000>), "
                      "('IOReadBandwidthMax', <[('/dev/vg/one', uint64 20971520), ('/srv/two.raw', 20971520)]>), "
                      "('IOWriteBandwidthMax', <[('/dev/vg/one', uint64 10485760), ('/srv/two.raw', 10485760)]>), "
                      "('IOReadIOPSMax', <[('/dev/vg/one', uint64 500), ('/srv/two.raw', 500)]>), "
                      "('IOWriteIOPSMax', <[('/dev/vg/one', uint64 400), ('/srv/two.raw', 400)]>)]");
}

static void
test_properties_without_disks(void)
{
    static const char *const none[] = {NULL};

    assert_properties(", 'disk_read_mib': <int64 20>, 'cpu_percent': <int64 5>", none,
                      "[('MemoryMax', <uint64 3758096384>), ('CPUWeight', <uint64 100>), ('TasksMax', <uint64 512>), "
                      "('CPUQuotaPerSecUSec', <uint64 50000>)]");
}

static void
test_words(void)
{
    g_autoptr(Spec) some = spec_of(ALL), none = spec_of(""), reads = spec_of(", 'disk_read_ops': <int64 7>");
    Limits limits;

    limits_of(some, &limits);
    g_autofree char *cpu = limits_cpu_max(&limits), *io = limits_io_max(&limits, makedev(253, 7));
    g_assert_cmpstr(cpu, ==, "150000 100000");
    g_assert_cmpstr(io, ==, "253:7 rbps=20971520 wbps=10485760 riops=500 wiops=400");
    g_assert_true(limits_have_disks(&limits));
    limits_of(none, &limits);
    g_autofree char *all_cpu = limits_cpu_max(&limits);
    g_assert_cmpstr(all_cpu, ==, "max 100000");
    g_assert_false(limits_have_disks(&limits));
    limits_of(reads, &limits);
    g_autofree char *only = limits_io_max(&limits, makedev(8, 0));
    g_assert_cmpstr(only, ==, "8:0 rbps=max wbps=max riops=7 wiops=max");
}

static void
test_device(void)
{
    g_autofd int process = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    dev_t device = 0;

    g_assert_false(limits_device(process, &device)); /* a file system on no device */
    g_assert_false(limits_device(-1, &device));
    g_assert_cmpuint(device, ==, 0);
}

/* ---- back ---- */

static void
put(const char *folder, const char *file, const char *text)
{
    g_autofree char *path = g_build_filename(folder, file, NULL);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void
clear(const char *folder)
{
    static const char *const files[] = {"memory.max", "cpu.max", "cpu.weight", "pids.max", "io.max"};

    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(folder, files[i], NULL);
        g_unlink(path);
    }
    g_rmdir(folder);
}

static void
test_read(void)
{
    g_autofree char *folder = g_dir_make_tmp("carrel-limits-XXXXXX", NULL);
    Limits limits;

    put(folder, "memory.max", "3758096384\n");
    put(folder, "cpu.max", "150000 100000\n");
    put(folder, "cpu.weight", "300\n");
    put(folder, "pids.max", "512\n");
    put(folder, "io.max",
        "8:0 rbps=max wbps=10485760 riops=500 wiops=max\n253:7 rbps=4096 wbps=99 riops=max wiops=max\n");
    limits_read(folder, &limits);
    g_assert_cmpuint(limits.memory, ==, 3758096384);
    g_assert_cmpuint(limits.cpu_us, ==, 1500000);
    g_assert_cmpuint(limits.cpu_weight, ==, 300);
    g_assert_cmpuint(limits.tasks, ==, 512);
    g_assert_cmpuint(limits.read_bytes, ==, 4096);
    g_assert_cmpuint(limits.write_bytes, ==, 99);
    g_assert_cmpuint(limits.read_ops, ==, 500);
    g_assert_cmpuint(limits.write_ops, ==, 0);
    clear(folder);
}

static void
test_read_nothing(void)
{
    g_autofree char *folder = g_dir_make_tmp("carrel-limits-XXXXXX", NULL);
    const Limits none = {0};
    Limits limits;

    limits_read("/nowhere", &limits);
    g_assert_cmpmem(&limits, sizeof limits, &none, sizeof none);
    put(folder, "memory.max", "max\n");
    put(folder, "cpu.max", "max 100000\n");
    put(folder, "io.max", "8:0 rbps=max wbps= riops=-1 wiops=x\n");
    limits_read(folder, &limits);
    g_assert_cmpmem(&limits, sizeof limits, &none, sizeof none);
    put(folder, "cpu.max", "50000 0\n");
    limits_read(folder, &limits);
    g_assert_cmpuint(limits.cpu_us, ==, 0);
    put(folder, "cpu.max", "");
    limits_read(folder, &limits);
    g_assert_cmpuint(limits.cpu_us, ==, 0);
    clear(folder);
}

static void
test_missing(void)
{
    const Limits wanted = {.memory = 10, .cpu_us = 20, .read_bytes = 30, .write_ops = 40};
    const Limits tighter = {.memory = 10, .cpu_us = 10, .read_bytes = 30, .write_ops = 39};
    const Limits looser = {.memory = 11, .cpu_us = 20, .read_bytes = 30};
    const Limits none = {0};
    const char *missing[LIMITS_KINDS + 1];

    limits_missing(&wanted, &tighter, missing);
    g_assert_null(missing[0]);
    limits_missing(&none, &none, missing);
    g_assert_null(missing[0]);
    limits_missing(&wanted, &looser, missing);
    g_assert_cmpstr(missing[0], ==, "memory");
    g_assert_cmpstr(missing[1], ==, "disk");
    g_assert_null(missing[2]);
    limits_missing(&wanted, &none, missing);
    g_assert_cmpstr(missing[1], ==, "cpu");
    g_assert_null(missing[3]);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/desktops/limits/properties", test_properties);
    g_test_add_func("/desktops/limits/properties-without-disks", test_properties_without_disks);
    g_test_add_func("/desktops/limits/words", test_words);
    g_test_add_func("/desktops/limits/device", test_device);
    g_test_add_func("/desktops/limits/read", test_read);
    g_test_add_func("/desktops/limits/read-nothing", test_read_nothing);
    g_test_add_func("/desktops/limits/missing", test_missing);
    return g_test_run();
}
