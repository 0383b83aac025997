/* SPDX-License-Identifier: Apache-2.0 */
/* The SMBIOS tables. Clauses are DSP0134's, which numbers the types: 7.2 is type 1. */
#include "vmm/firmware/smbios.h"

#include "vmm/board/bytes.h"

#include <stdbool.h>

#define KIB 1024
#define PCI_HOLE_BASE 0x80000000ull
#define HIGH_BASE 0x100000000ull

#define UNKNOWN 0x02 /* "unknown" and "other" of most of its enumerations */
#define OTHER 0x01

/* One structure being written: its strings follow the formatted part, and fields hold their numbers. */
typedef struct {
    GByteArray *out;
    guint start;
    GPtrArray *strings; /* const char * */
} Structure;

/* Each type has one handle here but memory's, which count on from it. */
static Structure
begin(GByteArray *out, uint8_t type, uint16_t handle)
{
    Structure structure = {.out = out, .start = out->len, .strings = g_ptr_array_new()};
    bytes_put(out, type, 1);
    bytes_put(out, 0, 1); /* length: end() */
    bytes_put(out, handle, 2);
    return structure;
}

static void
put(Structure *structure, uint64_t value, unsigned size)
{
    bytes_put(structure->out, value, size);
}

static void
put_string(Structure *structure, const char *text)
{
    if (text)
        g_ptr_array_add(structure->strings, (gpointer)text);
    put(structure, text ? structure->strings->len : 0, 1);
}

/* 6.1.3: strings end with a zero each, the set of them with another; an empty set is two zeros. */
static void
end(Structure *structure)
{
    GByteArray *out = structure->out;

    bytes_set(out, structure->start + 1, out->len - structure->start, 1);
    for (guint i = 0; i < structure->strings->len; i++) {
        const char *text = structure->strings->pdata[i];
        bytes_put_raw(out, text, strlen(text) + 1);
    }
    bytes_put(out, 0, structure->strings->len ? 1 : 2);
    g_ptr_array_unref(structure->strings);
}

#define HANDLE(type) ((type) << 8)

/* The first three fields of a UUID are little endian here (7.2.1). */
static void
put_uuid(Structure *structure, const uint8_t uuid[16])
{
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    for (unsigned i = 0; i < 16; i++)
        put(structure, uuid[order[i]], 1);
}

/* 7.2 */
static void
add_system(GByteArray *out, const SmbiosOptions *options)
{
    Structure structure = begin(out, 1, HANDLE(1));
    put_string(&structure, options->manufacturer);
    put_string(&structure, options->product);
    put_string(&structure, options->version);
    put_string(&structure, options->serial);
    put_uuid(&structure, options->uuid);
    put(&structure, 6, 1); /* woken by its power switch */
    put_string(&structure, options->sku);
    put_string(&structure, options->family);
    end(&structure);
}

/* 7.4 */
static void
add_chassis(GByteArray *out, const SmbiosOptions *options)
{
    Structure structure = begin(out, 3, HANDLE(3));
    put_string(&structure, options->manufacturer);
    put(&structure, OTHER, 1); /* kind of case */
    put_string(&structure, options->version);
    put_string(&structure, options->serial);
    put_string(&structure, options->asset_tag);
    put(&structure, 3, 1); /* safe: when it was started, … */
    put(&structure, 3, 1); /* … its power supply, … */
    put(&structure, 3, 1); /* … its temperature */
    put(&structure, UNKNOWN, 1);
    put(&structure, 0, 4);
    put(&structure, 0, 1); /* height */
    put(&structure, 0, 1); /* power cords */
    put(&structure, 0, 2); /* no contained elements */
    put_string(&structure, options->sku);
    end(&structure);
}

/* 7.5 */
static void
add_processor(GByteArray *out, const SmbiosOptions *options)
{
    Structure structure = begin(out, 4, HANDLE(4));
    uint8_t cores = MIN(options->n_cpus, 0xff);

    put_string(&structure, "CPU 0");
    put(&structure, 3, 1);     /* a central processor */
    put(&structure, OTHER, 1); /* family */
    put_string(&structure, options->manufacturer);
    put(&structure, 0, 8); /* identity: CPUID has it */
    put_string(&structure, options->version);
    put(&structure, 0, 1);    /* voltage */
    put(&structure, 0, 2);    /* clocks: external, … */
    put(&structure, 0, 2);    /* … most, … */
    put(&structure, 0, 2);    /* … now */
    put(&structure, 0x41, 1); /* socket populated, enabled */
    put(&structure, OTHER, 1);
    put(&structure, 0xffff, 2); /* no caches told */
    put(&structure, 0xffff, 2);
    put(&structure, 0xffff, 2);
    put(&structure, 0, 1); /* serial, asset and part numbers */
    put(&structure, 0, 1);
    put(&structure, 0, 1);
    put(&structure, cores, 1);
    put(&structure, cores, 1);  /* enabled */
    put(&structure, cores, 1);  /* threads */
    put(&structure, 1 << 2, 2); /* 64 bits */
    put(&structure, OTHER, 2);
    put(&structure, options->n_cpus, 2);
    put(&structure, options->n_cpus, 2);
    put(&structure, options->n_cpus, 2);
    end(&structure);
}

/* 7.17: the array that the memory device is in */
static void
add_memory_array(GByteArray *out, const SmbiosOptions *options)
{
    Structure structure = begin(out, 16, HANDLE(16));
    put(&structure, OTHER, 1); /* place */
    put(&structure, 3, 1);     /* system memory */
    put(&structure, UNKNOWN, 1);
    put(&structure, 0x80000000, 4); /* capacity: see below */
    put(&structure, 0xfffe, 2);
    put(&structure, 1, 2); /* devices */
    put(&structure, options->memory_size, 8);
    end(&structure);
}

/* 7.18 */
static void
add_memory_device(GByteArray *out, const SmbiosOptions *options)
{
    Structure structure = begin(out, 17, HANDLE(17));
    put(&structure, HANDLE(16), 2);
    put(&structure, 0xfffe, 2); /* no error information */
    put(&structure, 0xffff, 2); /* widths unknown */
    put(&structure, 0xffff, 2);
    put(&structure, 0x7fff, 2); /* size: in the extended field, MiB */
    put(&structure, 9, 1);      /* a DIMM */
    put(&structure, 0, 1);
    put_string(&structure, "DIMM 0");
    put(&structure, 0, 1);
    put(&structure, 7, 1);      /* RAM */
    put(&structure, 1 << 1, 2); /* details: other */
    put(&structure, 0, 2);
    put_string(&structure, options->manufacturer);
    put(&structure, 0, 1); /* serial, asset and part numbers */
    put(&structure, 0, 1);
    put(&structure, 0, 1);
    put(&structure, 0, 1); /* rank unknown */
    put(&structure, options->memory_size >> 20, 4);
    put(&structure, 0, 2); /* speed and voltages unknown */
    put(&structure, 0, 2);
    put(&structure, 0, 2);
    put(&structure, 0, 2);
    end(&structure);
}

/* 7.20: one run of addresses; the end is its last byte */
static void
add_memory_range(GByteArray *out, uint16_t handle, uint64_t base, uint64_t size)
{
    Structure structure = begin(out, 19, handle);
    bool wide = (base + size) / KIB > UINT32_MAX;
    put(&structure, wide ? UINT32_MAX : base / KIB, 4);
    put(&structure, wide ? UINT32_MAX : (base + size) / KIB - 1, 4);
    put(&structure, HANDLE(16), 2);
    put(&structure, 1, 1);
    put(&structure, wide ? base : 0, 8);
    put(&structure, wide ? base + size - 1 : 0, 8);
    end(&structure);
}

/* 7.33: nothing to report of the last start */
static void
add_boot_information(GByteArray *out)
{
    Structure structure = begin(out, 32, HANDLE(32));
    put(&structure, 0, 6);
    put(&structure, 0, 1);
    end(&structure);
}

static void
add_end(GByteArray *out)
{
    Structure structure = begin(out, 127, HANDLE(127));
    end(&structure);
}

GByteArray *
smbios_tables(const SmbiosOptions *options)
{
    GByteArray *out = g_byte_array_new();
    uint64_t low = MIN(options->memory_size, PCI_HOLE_BASE);

    add_system(out, options);
    add_chassis(out, options);
    add_processor(out, options);
    add_memory_array(out, options);
    add_memory_device(out, options);
    add_memory_range(out, HANDLE(19), 0, low);
    if (options->memory_size > low)
        add_memory_range(out, HANDLE(19) + 1, HIGH_BASE, options->memory_size - low);
    add_boot_information(out);
    add_end(out);
    return out;
}

GByteArray *
smbios_entry_point(const GByteArray *tables)
{
    GByteArray *out = g_byte_array_new();
    uint8_t sum = 0;

    bytes_put_raw(out, "_SM3_", 5);
    bytes_put(out, 0, 1);    /* checksum: firmware sums up again when it knows the address */
    bytes_put(out, 0x18, 1); /* length */
    bytes_put(out, 3, 1);    /* version 3.0.0 */
    bytes_put(out, 0, 1);
    bytes_put(out, 0, 1);
    bytes_put(out, 1, 1); /* of the entry point */
    bytes_put(out, 0, 1);
    bytes_put(out, tables->len, 4);
    bytes_put(out, 0, 8);
    g_assert(out->len == 0x18);
    for (guint i = 0; i < out->len; i++)
        sum += out->data[i];
    bytes_set(out, 5, (uint8_t)-sum, 1);
    return out;
}
