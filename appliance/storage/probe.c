/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/probe.h"
#include "appliance/storage/error.h"

#include <string.h>

#define SECTOR 512

const char *
probe_format_name(ProbeFormat format)
{
    static const char *const names[] = {
        [PROBE_RAW] = "raw",   [PROBE_ISO] = "iso", [PROBE_QCOW2] = "qcow2", [PROBE_VMDK] = "vmdk",
        [PROBE_VHDX] = "vhdx", [PROBE_VDI] = "vdi", [PROBE_VPC] = "vpc",
    };
    return names[format];
}

/* ---- reading, never beyond the end ---- */

static uint64_t
head_length(const ProbeInput *input)
{
    return MIN(input->size, PROBE_HEAD);
}

static bool
has(const ProbeInput *input, uint64_t at, const void *bytes, uint64_t length)
{
    return at <= head_length(input) && length <= head_length(input) - at &&
           !memcmp(input->head + at, bytes, (size_t)length);
}

#define HAS(input, at, text) has(input, at, text, sizeof(text) - 1)

/* 0 beyond the end, as a field that is not set is. */
static uint64_t
big(const ProbeInput *input, uint64_t at, unsigned length)
{
    uint64_t value = 0;

    if (at > head_length(input) || length > head_length(input) - at)
        return 0;
    for (unsigned i = 0; i < length; i++)
        value = value << 8 | input->head[at + i];
    return value;
}

static uint64_t
little(const ProbeInput *input, uint64_t at, unsigned length)
{
    uint64_t value = 0;

    if (at > head_length(input) || length > head_length(input) - at)
        return 0;
    for (unsigned i = length; i-- > 0;)
        value = value << 8 | input->head[at + i];
    return value;
}

static bool
refuse(GError **error, const char *why)
{
    return storage_fail(error, STORAGE_ERROR_INVALID, "%s", why);
}

#define NEEDS_OTHERS "it is the difference to another image: upload one that is whole"
#define IS_ENCRYPTED "it is encrypted: upload it decrypted"
#define IS_DAMAGED "its header is damaged, or the upload is not the whole file"

/* ---- qcow2 (docs/interop/qcow2.txt, "Header") ---- */

#define QCOW2_MAGIC "QFI\xfb"
#define QCOW2_DIRTY (UINT64_C(1) << 0)
#define QCOW2_CORRUPT (UINT64_C(1) << 1)
#define QCOW2_DATA_FILE (UINT64_C(1) << 2)
#define QCOW2_COMPRESSION (UINT64_C(1) << 3)
#define QCOW2_EXTENDED_L2 (UINT64_C(1) << 4)
#define QCOW2_KNOWN (QCOW2_DIRTY | QCOW2_CORRUPT | QCOW2_DATA_FILE | QCOW2_COMPRESSION | QCOW2_EXTENDED_L2)
#define QCOW2_V2_HEADER 72
#define QCOW2_EXTENSION_DATA_FILE 0x44415441

/* Header extensions, up to the first that is none: does one name a file for the data? */
static bool
qcow2_names_data_file(const ProbeInput *input, uint64_t at)
{
    while (at + 8 <= head_length(input)) {
        uint64_t type = big(input, at, 4), length = big(input, at + 4, 4);
        if (!type)
            return false;
        if (type == QCOW2_EXTENSION_DATA_FILE)
            return true;
        at += 8 + (length + 7) / 8 * 8;
    }
    return false;
}

static bool
probe_qcow2(const ProbeInput *input, Probe *probe, GError **error)
{
    uint64_t version = big(input, 4, 4), features = version >= 3 ? big(input, 72, 8) : 0;
    uint64_t header = version >= 3 ? big(input, 100, 4) : QCOW2_V2_HEADER;

    if (version < 2 || version > 3 || (features & ~QCOW2_KNOWN))
        return refuse(error, "it is a qcow2 image of a version that is not known here");
    if (input->size < QCOW2_V2_HEADER || header < QCOW2_V2_HEADER || header > head_length(input) ||
        (features & QCOW2_CORRUPT))
        return refuse(error, IS_DAMAGED);
    if (big(input, 8, 8) || big(input, 16, 4))
        return refuse(error, NEEDS_OTHERS);
    if ((features & QCOW2_DATA_FILE) || qcow2_names_data_file(input, header))
        return refuse(error, "its data are in another file: upload an image that is whole");
    if (big(input, 32, 4))
        return refuse(error, IS_ENCRYPTED);
    *probe = (Probe){PROBE_QCOW2, big(input, 24, 8)};
    return probe->size || refuse(error, "it is an image of a disk without a single byte");
}

/* ---- VMDK ("Virtual Disk Format 5.0": "Hosted Sparse Extent Header", "The Descriptor File") ---- */

#define VMDK_VERSION_MAX 3
#define VMDK_DESCRIPTOR_MAX 64 /* sectors */

static bool
vmdk_is_of_one_file(const char *type)
{
    return !strcmp(type, "monolithicSparse") || !strcmp(type, "streamOptimized");
}

/* The value of a line "KEY=VALUE" or "KEY=\"VALUE\""; NULL: there is none. */
static char *
vmdk_value(char **lines, const char *key)
{
    for (; *lines; lines++) {
        g_auto(GStrv) pair = g_strsplit(*lines, "=", 2);
        if (!pair[0] || !pair[1] || g_ascii_strcasecmp(g_strstrip(pair[0]), key))
            continue;
        g_strdelimit(pair[1], "\"", ' ');
        return g_strdup(g_strstrip(pair[1]));
    }
    return NULL;
}

static bool
vmdk_may_be(const char *text, GError **error)
{
    g_auto(GStrv) lines = g_strsplit_set(text, "\r\n", -1);
    g_autofree char *type = vmdk_value(lines, "createType"), *parent = vmdk_value(lines, "parentCID");

    if (!type || !vmdk_is_of_one_file(type))
        return refuse(error, "it is a VMDK that consists of several files: upload one of the types monolithicSparse or "
                             "streamOptimized");
    if (parent && g_ascii_strcasecmp(parent, "ffffffff"))
        return refuse(error, NEEDS_OTHERS);
    return true;
}

static bool
probe_vmdk(const ProbeInput *input, Probe *probe, GError **error)
{
    uint64_t capacity = little(input, 12, 8), at = little(input, 28, 8), length = little(input, 36, 8);

    if (little(input, 4, 4) < 1 || little(input, 4, 4) > VMDK_VERSION_MAX)
        return refuse(error, "it is a VMDK of a version that is not known here");
    if (input->size < SECTOR || !at || !length || length > VMDK_DESCRIPTOR_MAX || at > head_length(input) / SECTOR ||
        at + length > head_length(input) / SECTOR)
        return refuse(error, "it is a VMDK without its description inside, or the upload is not the whole file");
    if (!capacity || capacity > STORAGE_DISK_MAX / SECTOR)
        return refuse(error, IS_DAMAGED);
    g_autofree char *text = g_strndup((const char *)input->head + at * SECTOR, (gsize)(length * SECTOR));
    *probe = (Probe){PROBE_VMDK, capacity * SECTOR};
    return vmdk_may_be(text, error);
}

/* ---- VDI (VDICore.h, VDIHEADER1) ---- */

#define VDI_SIGNATURE "\x7f\x10\xda\xbe"
#define VDI_DYNAMIC 1
#define VDI_FIXED 2

static bool
probe_vdi(const ProbeInput *input, Probe *probe, GError **error)
{
    uint64_t type = little(input, 0x4c, 4);

    if (type != VDI_DYNAMIC && type != VDI_FIXED)
        return refuse(error, NEEDS_OTHERS);
    uint64_t data = little(input, 0x158, 4), block = little(input, 0x178, 4), blocks = little(input, 0x184, 4);
    if (data > input->size || block * blocks > input->size - data)
        return refuse(error, IS_DAMAGED);
    *probe = (Probe){PROBE_VDI, little(input, 0x170, 8)};
    return probe->size || refuse(error, IS_DAMAGED);
}

/* ---- VHD, which QEMU calls vpc ("Hard Disk Footer Format") ---- */

#define VPC_FIXED 2
#define VPC_DYNAMIC 3

/* A dynamic one begins with a copy of its last sector. */
static bool
probe_vpc(const ProbeInput *input, Probe *probe, GError **error)
{
    if (input->size < SECTOR || memcmp(input->tail, "conectix", 8))
        return refuse(error, IS_DAMAGED);
    const ProbeInput fields = {input->tail, input->tail, SECTOR};
    uint64_t type = big(&fields, 60, 4);
    if (type != VPC_FIXED && type != VPC_DYNAMIC)
        return refuse(error, NEEDS_OTHERS);
    *probe = (Probe){PROBE_VPC, 0}; /* sectors or cylinders, heads and so on: by who made it. QEMU knows */
    return true;
}

/* ---- discs ---- */

#define DISC_SECTOR 2048
#define FIRST_DESCRIPTOR (16 * DISC_SECTOR)
#define DESCRIPTORS 16

static bool
is_iso_9660(const ProbeInput *input)
{
    return HAS(input, FIRST_DESCRIPTOR + 1, "CD001");
}

/* A volume recognition sequence with an NSR descriptor (ECMA-167, 3/9.1). */
static bool
is_udf(const ProbeInput *input)
{
    for (uint64_t i = 0; i < DESCRIPTORS; i++) {
        uint64_t at = FIRST_DESCRIPTOR + i * DISC_SECTOR + 1;
        if (HAS(input, at, "NSR02") || HAS(input, at, "NSR03"))
            return true;
    }
    return false;
}

static bool
is_disc(const ProbeInput *input)
{
    return is_iso_9660(input) || is_udf(input);
}

/* The primary volume descriptor says how long the disc is (ECMA-119, 8.4.8 and 8.4.10). */
static bool
probe_iso(const ProbeInput *input, Probe *probe, GError **error)
{
    bool primary = is_iso_9660(input) && input->head[FIRST_DESCRIPTOR] == 1;
    uint64_t says = primary ? little(input, FIRST_DESCRIPTOR + 80, 4) * little(input, FIRST_DESCRIPTOR + 128, 2) : 0;

    if (says > input->size)
        return storage_fail(error, STORAGE_ERROR_INVALID,
                            "it is cut off: the disc has %" G_GUINT64_FORMAT " bytes, the upload %" G_GUINT64_FORMAT,
                            says, input->size);
    *probe = (Probe){PROBE_ISO, input->size};
    return true;
}

/* ---- what is no image, though people upload it ---- */

typedef struct {
    uint64_t at;
    const char *bytes;
    unsigned length;
    const char *why;
} Stranger;

#define UNPACK " file: unpack it, and upload what is in it"

static const Stranger strangers[] = {
    {0, "\x1f\x8b", 2, "it is a gzip" UNPACK},
    {0,
     "\xfd"
     "7zXZ",
     5, "it is an xz" UNPACK},
    {0, "BZh", 3, "it is a bzip2" UNPACK},
    {0, "\x28\xb5\x2f\xfd", 4, "it is a zstd" UNPACK},
    {0, "PK\x03\x04", 4, "it is a zip" UNPACK},
    {0, "7z\xbc\xaf\x27\x1c", 6, "it is a 7z" UNPACK},
    {257, "ustar", 5, "it is a tar archive (perhaps an OVA): upload the disk that is in it"},
    {0, "# Disk DescriptorFile", 21,
     "it only describes a disk whose data are in other files: upload the file with the data"},
    {0, "COWD", 4, "it is a VMDK of VMware ESXi, which is not known here: export it as streamOptimized"},
    {0, "QED\0", 4, "it is a QED image, which is not known here: convert it to qcow2"},
    {0, "LUKS\xba\xbe", 6, IS_ENCRYPTED},
    {0, "<!DOCTYPE", 9, "it is a web page, perhaps of a download that failed"},
    {0, "<!doctype", 9, "it is a web page, perhaps of a download that failed"},
    {0, "<html", 5, "it is a web page, perhaps of a download that failed"},
    {0, "json:", 5, "it is no image"},
};

static bool
is_no_stranger(const ProbeInput *input, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(strangers); i++)
        if (has(input, strangers[i].at, strangers[i].bytes, strangers[i].length))
            return refuse(error, strangers[i].why);
    return true;
}

/* ---- raw ---- */

/* A GUID partition table has a copy of its header in the disk's last sector, and says where (UEFI 2.10, 5.3.2). */
static bool
has_its_end(const ProbeInput *input, GError **error)
{
    uint64_t last = HAS(input, SECTOR, "EFI PART") ? little(input, SECTOR + 32, 8) : 0;

    return last < input->size / SECTOR || last == 0 ||
           storage_fail(error, STORAGE_ERROR_INVALID, "it is cut off: its partitions end after the upload does");
}

/* ---- which it is ---- */

static bool
probe_disk(const ProbeInput *input, Probe *probe, GError **error)
{
    if (HAS(input, 0, QCOW2_MAGIC))
        return probe_qcow2(input, probe, error);
    if (HAS(input, 0, "KDMV"))
        return probe_vmdk(input, probe, error);
    if (HAS(input, 0, "vhdxfile")) {
        *probe = (Probe){PROBE_VHDX, 0};
        return true;
    }
    if (HAS(input, 0x40, VDI_SIGNATURE))
        return probe_vdi(input, probe, error);
    if (HAS(input, 0, "conectix") || (input->size >= SECTOR && !memcmp(input->tail, "conectix", 8)))
        return probe_vpc(input, probe, error);
    if (is_disc(input))
        return refuse(error, "it is the image of a disc: upload it as an ISO");
    *probe = (Probe){PROBE_RAW, input->size};
    return has_its_end(input, error);
}

bool
probe_image(const ProbeInput *input, StorageImageType type, Probe *probe, GError **error)
{
    Probe found;

    if (!input->size)
        return refuse(error, "it is empty: nothing was uploaded");
    if (type == STORAGE_IMAGE_ISO) {
        if (!is_disc(input))
            return is_no_stranger(input, error) &&
                   refuse(error,
                          "it is no ISO: neither ISO 9660 nor UDF is on it, or the upload is not the whole file");
        if (!probe_iso(input, &found, error))
            return false;
    } else if (!is_no_stranger(input, error)) {
        return false;
    } else if (input->size < SECTOR) {
        return refuse(error, "it is no disk: a disk has at least one sector of 512 bytes");
    } else if (!probe_disk(input, &found, error)) {
        return false;
    }
    *probe = found;
    return true;
}
