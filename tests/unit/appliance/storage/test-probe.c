/* SPDX-License-Identifier: Apache-2.0 */
/* What files claim to be, by headers made here field by field; and any first bytes at all, which must harm nothing. */
#include "appliance/storage/probe.h"

#include <string.h>

#define FILE_SIZE (256 * 1024)

typedef struct {
    uint8_t bytes[FILE_SIZE];
    uint64_t size;
} File;

static File *
new_file(void)
{
    File *file = g_new0(File, 1);
    file->size = FILE_SIZE;
    return file;
}

static void
put_text(File *file, uint64_t at, const char *text)
{
    memcpy(file->bytes + at, text, strlen(text));
}

static void
put_big(File *file, uint64_t at, unsigned length, uint64_t value)
{
    for (unsigned i = 0; i < length; i++)
        file->bytes[at + i] = (uint8_t)(value >> 8 * (length - 1 - i));
}

static void
put_little(File *file, uint64_t at, unsigned length, uint64_t value)
{
    for (unsigned i = 0; i < length; i++)
        file->bytes[at + i] = (uint8_t)(value >> 8 * i);
}

static bool
probe(const File *file, StorageImageType type, Probe *found, GError **error)
{
    uint64_t head = MIN(file->size, PROBE_HEAD), tail = MIN(file->size, PROBE_TAIL);
    /* Copies of the right lengths, so that a byte too far is seen. */
    g_autofree uint8_t *first = g_memdup2(file->bytes, head), *last = g_memdup2(file->bytes + file->size - tail, tail);
    const ProbeInput input = {first, last, file->size};

    return probe_image(&input, type, found, error);
}

static void
is(const File *file, StorageImageType type, ProbeFormat format, uint64_t size)
{
    g_autoptr(GError) error = NULL;
    Probe found = {0};

    probe(file, type, &found, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(probe_format_name(found.format), ==, probe_format_name(format));
    g_assert_cmpuint(found.size, ==, size);
}

static void
is_refused(const File *file, StorageImageType type, const char *word)
{
    g_autoptr(GError) error = NULL;
    Probe found = {.size = 77};

    g_assert_false(probe(file, type, &found, &error));
    g_assert_error(error, STORAGE_ERROR, STORAGE_ERROR_INVALID);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, word));
    g_assert_cmpuint(found.size, ==, 77);
}

static File *
new_qcow2(unsigned version)
{
    File *file = new_file();

    put_text(file, 0, "QFI\xfb");
    put_big(file, 4, 4, version);
    put_big(file, 24, 8, 10 << 20);
    if (version == 3)
        put_big(file, 100, 4, 112);
    return file;
}

static void
test_qcow2(void)
{
    g_autofree File *two = new_qcow2(2), *three = new_qcow2(3), *one = new_qcow2(1);

    is(two, STORAGE_IMAGE_DISK, PROBE_QCOW2, 10 << 20);
    is(three, STORAGE_IMAGE_DISK, PROBE_QCOW2, 10 << 20);
    is_refused(one, STORAGE_IMAGE_DISK, "version");
    three->size = 50;
    is_refused(three, STORAGE_IMAGE_DISK, "no disk");
    is_refused(two, STORAGE_IMAGE_ISO, "no ISO");
}

static void
test_qcow2_refused(void)
{
    static const struct {
        unsigned at, length;
        uint64_t value;
        const char *word;
    } changes[] = {
        {8, 8, 120, "difference"},
        {16, 4, 11, "difference"},
        {32, 4, 1, "encrypted"},
        {32, 4, 2, "encrypted"},
        {72, 8, 1 << 1, "damaged"},
        {72, 8, 1 << 2, "another file"},
        {72, 8, UINT64_C(1) << 63, "version"},
        {100, 4, 0, "damaged"},
        {100, 4, ~0u, "damaged"},
        {24, 8, 0, "single byte"},
        {112, 4, 0x44415441, "another file"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autofree File *file = new_qcow2(3);
        put_big(file, changes[i].at, changes[i].length, changes[i].value);
        is_refused(file, STORAGE_IMAGE_DISK, changes[i].word);
    }
}

/* Behind other extensions, with lengths that lead anywhere. */
static void
test_qcow2_extensions(void)
{
    g_autofree File *file = new_qcow2(3);

    put_big(file, 112, 4, 0x6803f857);
    put_big(file, 116, 4, 9);
    put_big(file, 136, 4, 0x44415441);
    is_refused(file, STORAGE_IMAGE_DISK, "another file");
    put_big(file, 116, 4, 0xffffffff);
    is(file, STORAGE_IMAGE_DISK, PROBE_QCOW2, 10 << 20);
}

static File *
new_vmdk(const char *description)
{
    File *file = new_file();

    put_text(file, 0, "KDMV\x01");
    put_little(file, 12, 8, 20480);
    put_little(file, 28, 8, 1);
    put_little(file, 36, 8, 20);
    put_text(file, 512, description);
    return file;
}

static void
test_vmdk(void)
{
    g_autofree File *sparse = new_vmdk("# Disk DescriptorFile\nparentCID=ffffffff\ncreateType=\"monolithicSparse\"\n");
    g_autofree File *stream = new_vmdk("CID=1\r\nparentCID = FFFFFFFF\r\n createType = \"streamOptimized\"\r\n");
    g_autofree File *delta = new_vmdk("parentCID=12345678\ncreateType=\"monolithicSparse\"\n");
    g_autofree File *split = new_vmdk("parentCID=ffffffff\ncreateType=\"twoGbMaxExtentSparse\"\n");
    g_autofree File *none = new_vmdk("");

    is(sparse, STORAGE_IMAGE_DISK, PROBE_VMDK, 20480 * 512);
    is(stream, STORAGE_IMAGE_DISK, PROBE_VMDK, 20480 * 512);
    is_refused(delta, STORAGE_IMAGE_DISK, "difference");
    is_refused(split, STORAGE_IMAGE_DISK, "several files");
    is_refused(none, STORAGE_IMAGE_DISK, "several files");
    put_little(sparse, 28, 8, UINT64_MAX);
    is_refused(sparse, STORAGE_IMAGE_DISK, "description");
    put_little(sparse, 28, 8, UINT64_MAX / 512);
    is_refused(sparse, STORAGE_IMAGE_DISK, "description");
    put_little(stream, 12, 8, 0);
    is_refused(stream, STORAGE_IMAGE_DISK, "damaged");
}

static void
test_others(void)
{
    g_autofree File *vhdx = new_file(), *vdi = new_file(), *fixed = new_file(), *dynamic = new_file();

    put_text(vhdx, 0, "vhdxfile");
    is(vhdx, STORAGE_IMAGE_DISK, PROBE_VHDX, 0);

    put_text(vdi, 0x40, "\x7f\x10\xda\xbe");
    put_little(vdi, 0x4c, 4, 1);
    put_little(vdi, 0x170, 8, 5 << 20);
    is(vdi, STORAGE_IMAGE_DISK, PROBE_VDI, 5 << 20);
    put_little(vdi, 0x158, 4, 1 << 10);
    put_little(vdi, 0x178, 4, 1 << 10);
    put_little(vdi, 0x184, 4, 255);
    is(vdi, STORAGE_IMAGE_DISK, PROBE_VDI, 5 << 20);
    put_little(vdi, 0x184, 4, 256);
    is_refused(vdi, STORAGE_IMAGE_DISK, "damaged");
    put_little(vdi, 0x184, 4, 255);
    put_little(vdi, 0x4c, 4, 4);
    is_refused(vdi, STORAGE_IMAGE_DISK, "difference");

    put_text(fixed, FILE_SIZE - 512, "conectix");
    put_big(fixed, FILE_SIZE - 512 + 60, 4, 2);
    is(fixed, STORAGE_IMAGE_DISK, PROBE_VPC, 0);
    put_big(fixed, FILE_SIZE - 512 + 60, 4, 4);
    is_refused(fixed, STORAGE_IMAGE_DISK, "difference");
    put_text(dynamic, 0, "conectix");
    is_refused(dynamic, STORAGE_IMAGE_DISK, "damaged");
    put_text(dynamic, FILE_SIZE - 512, "conectix");
    put_big(dynamic, FILE_SIZE - 512 + 60, 4, 3);
    is(dynamic, STORAGE_IMAGE_DISK, PROBE_VPC, 0);
}

static void
test_raw(void)
{
    g_autofree File *file = new_file();

    is(file, STORAGE_IMAGE_DISK, PROBE_RAW, FILE_SIZE);
    put_text(file, 512, "EFI PART");
    put_little(file, 512 + 32, 8, FILE_SIZE / 512 - 1);
    is(file, STORAGE_IMAGE_DISK, PROBE_RAW, FILE_SIZE);
    file->size -= 512;
    is_refused(file, STORAGE_IMAGE_DISK, "cut off");
    file->size = 512;
    is(file, STORAGE_IMAGE_DISK, PROBE_RAW, 512);
    file->size = 511;
    is_refused(file, STORAGE_IMAGE_DISK, "no disk");
    file->size = 0;
    is_refused(file, STORAGE_IMAGE_DISK, "empty");
    is_refused(file, STORAGE_IMAGE_ISO, "empty");
}

static void
test_disc(void)
{
    g_autofree File *iso = new_file(), *udf = new_file();

    iso->bytes[0x8000] = 1;
    put_text(iso, 0x8001, "CD001");
    put_little(iso, 0x8000 + 80, 4, FILE_SIZE / 2048);
    put_little(iso, 0x8000 + 128, 2, 2048);
    is(iso, STORAGE_IMAGE_ISO, PROBE_ISO, FILE_SIZE);
    is_refused(iso, STORAGE_IMAGE_DISK, "ISO");
    iso->size -= 2048;
    is_refused(iso, STORAGE_IMAGE_ISO, "cut off");
    iso->size = 0x8000;
    is_refused(iso, STORAGE_IMAGE_ISO, "no ISO");

    put_text(udf, 0x8801, "NSR03");
    is(udf, STORAGE_IMAGE_ISO, PROBE_ISO, FILE_SIZE);
}

static void
test_strangers(void)
{
    static const struct {
        const char *bytes, *word;
    } strangers[] = {
        {"\x1f\x8b\x08", "gzip"},
        {"\xfd"
         "7zXZ",
         "xz"},
        {"PK\x03\x04", "zip"},
        {"\x28\xb5\x2f\xfd", "zstd"},
        {"<!DOCTYPE html>", "web page"},
        {"# Disk DescriptorFile\n", "other files"},
        {"COWD", "ESXi"},
        {"LUKS\xba\xbe", "encrypted"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(strangers); i++) {
        g_autofree File *file = new_file();
        put_text(file, 0, strangers[i].bytes);
        is_refused(file, STORAGE_IMAGE_DISK, strangers[i].word);
        is_refused(file, STORAGE_IMAGE_ISO, strangers[i].word);
    }
    g_autofree File *tar = new_file();
    put_text(tar, 257, "ustar");
    is_refused(tar, STORAGE_IMAGE_DISK, "OVA");
}

/* Every length of a file that ends early. */
static void
cut_anywhere(File *file)
{
    for (file->size = 0; file->size < 2048; file->size++) {
        g_autoptr(GError) error = NULL;
        Probe found;
        if (!probe(file, STORAGE_IMAGE_DISK, &found, &error))
            g_assert_error(error, STORAGE_ERROR, STORAGE_ERROR_INVALID);
    }
}

static void
test_cut_anywhere(void)
{
    g_autofree File *qcow2 = new_qcow2(3);
    g_autofree File *vmdk = new_vmdk("parentCID=ffffffff\ncreateType=\"streamOptimized\"\n");

    cut_anywhere(qcow2);
    cut_anywhere(vmdk);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/probe/qcow2", test_qcow2);
    g_test_add_func("/probe/qcow2-refused", test_qcow2_refused);
    g_test_add_func("/probe/qcow2-extensions", test_qcow2_extensions);
    g_test_add_func("/probe/vmdk", test_vmdk);
    g_test_add_func("/probe/others", test_others);
    g_test_add_func("/probe/raw", test_raw);
    g_test_add_func("/probe/disc", test_disc);
    g_test_add_func("/probe/strangers", test_strangers);
    g_test_add_func("/probe/cut-anywhere", test_cut_anywhere);
    return g_test_run();
}
