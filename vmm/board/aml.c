/* SPDX-License-Identifier: Apache-2.0 */
/* Writing AML. Opcodes and encodings: ACPI 6.5, 20.2 and 20.3; resource descriptors: 6.4. */
#include "vmm/board/aml.h"

#include "vmm/board/bytes.h"

#include <string.h>

enum {
    OP_ZERO = 0x00,
    OP_ONE = 0x01,
    OP_NAME = 0x08,
    OP_BYTE = 0x0a,
    OP_WORD = 0x0b,
    OP_DWORD = 0x0c,
    OP_STRING = 0x0d,
    OP_QWORD = 0x0e,
    OP_SCOPE = 0x10,
    OP_BUFFER = 0x11,
    OP_PACKAGE = 0x12,
    OP_METHOD = 0x14,
    OP_EXTENDED = 0x5b,
    OP_EXTENDED_DEVICE = 0x82,
    OP_LOCAL0 = 0x60,
    OP_ARG0 = 0x68,
    OP_STORE = 0x70,
    OP_AND = 0x7b,
    OP_OR = 0x7d,
    OP_CREATE_DWORD_FIELD = 0x8a,
    OP_NOT = 0x92,
    OP_EQUAL = 0x93,
    OP_IF = 0xa0,
    OP_ELSE = 0xa1,
    OP_RETURN = 0xa4,
};

#define METHOD_SERIALISED 0x08

/* Resource descriptor tags: small items hold their length, large ones are followed by it. */
enum {
    RESOURCE_IRQ_NO_FLAGS = 0x22,
    RESOURCE_IO = 0x47,
    RESOURCE_END = 0x79,
    RESOURCE_MEMORY32_FIXED = 0x86,
    RESOURCE_DWORD = 0x87,
    RESOURCE_WORD = 0x88,
    RESOURCE_QWORD = 0x8a,
};
enum { WINDOW_MEMORY = 0, WINDOW_IO = 1, WINDOW_BUS = 2 };
#define WINDOW_FIXED 0x0c /* both ends are fixed, it is decoded, and handed on to what is below (6.4.3.5) */
#define WINDOW_IO_ENTIRE 0x03
#define WINDOW_MEMORY_WRITABLE 0x01
#define WINDOW_MEMORY_CACHEABLE 0x02

static void
op(Aml *aml, uint8_t code)
{
    bytes_put(aml->code, code, 1);
}

void
aml_init(Aml *aml)
{
    *aml = (Aml){.code = g_byte_array_new()};
}

GByteArray *
aml_finish(Aml *aml)
{
    g_assert(aml->depth == 0);
    return g_steal_pointer(&aml->code);
}

static void
begin(Aml *aml)
{
    g_assert(aml->depth < AML_DEPTH_MAX);
    aml->open[aml->depth++] = aml->code->len;
}

/* PkgLength (20.2.4): counts itself; 6 bits in one byte, or 4 and then 8 in each of up to 3 more. */
static unsigned
package_length(size_t body, uint8_t encoded[4])
{
    if (body + 1 < 64) {
        encoded[0] = body + 1;
        return 1;
    }
    unsigned more = 1;
    while (more < 3 && body + 1 + more >= (size_t)1 << (4 + 8 * more))
        more++;
    size_t total = body + 1 + more;
    g_assert(total < 1u << 28);
    encoded[0] = more << 6 | (total & 0xf);
    for (unsigned i = 0; i < more; i++)
        encoded[1 + i] = total >> (4 + 8 * i);
    return 1 + more;
}

void
aml_end(Aml *aml)
{
    uint8_t encoded[4];

    g_assert(aml->depth > 0);
    guint at = aml->open[--aml->depth];
    size_t body = aml->code->len - at;
    unsigned len = package_length(body, encoded);
    g_byte_array_set_size(aml->code, aml->code->len + len);
    memmove(aml->code->data + at + len, aml->code->data + at, body);
    memcpy(aml->code->data + at, encoded, len);
}

static void
put_name(Aml *aml, const char *name)
{
    size_t len = strlen(name);
    g_assert(len > 0 && len <= 4);
    for (size_t i = 0; i < 4; i++)
        op(aml, i < len ? name[i] : '_');
}

void
aml_begin_scope(Aml *aml, const char *name)
{
    op(aml, OP_SCOPE);
    begin(aml);
    put_name(aml, name);
}

void
aml_begin_device(Aml *aml, const char *name)
{
    op(aml, OP_EXTENDED);
    op(aml, OP_EXTENDED_DEVICE);
    begin(aml);
    put_name(aml, name);
}

void
aml_begin_method(Aml *aml, const char *name, unsigned n_arguments)
{
    g_assert(n_arguments <= 7);
    op(aml, OP_METHOD);
    begin(aml);
    put_name(aml, name);
    op(aml, METHOD_SERIALISED | n_arguments);
}

void
aml_begin_package(Aml *aml, uint8_t n_elements)
{
    op(aml, OP_PACKAGE);
    begin(aml);
    op(aml, n_elements);
}

void
aml_begin_if(Aml *aml)
{
    op(aml, OP_IF);
    begin(aml);
}

void
aml_begin_else(Aml *aml)
{
    op(aml, OP_ELSE);
    begin(aml);
}

void
aml_name(Aml *aml, const char *name)
{
    op(aml, OP_NAME);
    put_name(aml, name);
}

void
aml_integer(Aml *aml, uint64_t value)
{
    if (value <= 1) {
        op(aml, value ? OP_ONE : OP_ZERO);
        return;
    }
    unsigned size = value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : value <= UINT32_MAX ? 4 : 8;
    op(aml, size == 1 ? OP_BYTE : size == 2 ? OP_WORD : size == 4 ? OP_DWORD : OP_QWORD);
    bytes_put(aml->code, value, size);
}

void
aml_string(Aml *aml, const char *text)
{
    op(aml, OP_STRING);
    bytes_put_raw(aml->code, text, strlen(text) + 1);
}

void
aml_eisa_id(Aml *aml, const char *id)
{
    g_assert(strlen(id) == 7);
    uint32_t value = (id[0] - '@') << 26 | (id[1] - '@') << 21 | (id[2] - '@') << 16;
    for (unsigned i = 0; i < 4; i++)
        value |= (uint32_t)g_ascii_xdigit_value(id[3 + i]) << (12 - 4 * i);
    op(aml, OP_DWORD);
    bytes_put(aml->code, GUINT32_SWAP_LE_BE(value), 4); /* stored big endian */
}

void
aml_buffer(Aml *aml, const uint8_t *bytes, size_t len)
{
    op(aml, OP_BUFFER);
    begin(aml);
    aml_integer(aml, len);
    bytes_put_raw(aml->code, bytes, len);
    aml_end(aml);
}

void
aml_uuid(Aml *aml, const char *uuid)
{
    /* Which byte of the text each byte of the buffer is: the first three groups are little endian. */
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    uint8_t in_text[16], bytes[16];
    unsigned n = 0;

    for (const char *at = uuid; *at && n < 16; at++) {
        if (*at == '-')
            continue;
        in_text[n++] = g_ascii_xdigit_value(at[0]) << 4 | g_ascii_xdigit_value(at[1]);
        at++;
    }
    g_assert(n == 16);
    for (n = 0; n < 16; n++)
        bytes[n] = in_text[order[n]];
    aml_buffer(aml, bytes, sizeof(bytes));
}

void
aml_reference(Aml *aml, const char *name)
{
    put_name(aml, name);
}

void
aml_argument(Aml *aml, unsigned n)
{
    g_assert(n < 7);
    op(aml, OP_ARG0 + n);
}

void
aml_local(Aml *aml, unsigned n)
{
    g_assert(n < 8);
    op(aml, OP_LOCAL0 + n);
}

void
aml_store(Aml *aml)
{
    op(aml, OP_STORE);
}

void
aml_and(Aml *aml)
{
    op(aml, OP_AND);
}

void
aml_or(Aml *aml)
{
    op(aml, OP_OR);
}

void
aml_equal(Aml *aml)
{
    op(aml, OP_EQUAL);
}

void
aml_not_equal(Aml *aml)
{
    op(aml, OP_NOT);
    op(aml, OP_EQUAL);
}

void
aml_return(Aml *aml)
{
    op(aml, OP_RETURN);
}

void
aml_dword_field(Aml *aml, const char *name, unsigned n, uint64_t offset)
{
    op(aml, OP_CREATE_DWORD_FIELD);
    aml_argument(aml, n);
    aml_integer(aml, offset);
    put_name(aml, name);
}

void
aml_resource_io(GByteArray *resources, uint16_t first, uint8_t n)
{
    bytes_put(resources, RESOURCE_IO, 1);
    bytes_put(resources, 1, 1); /* decodes 16 bits of address */
    bytes_put(resources, first, 2);
    bytes_put(resources, first, 2);
    bytes_put(resources, 1, 1); /* alignment */
    bytes_put(resources, n, 1);
}

void
aml_resource_irq(GByteArray *resources, unsigned irq)
{
    g_assert(irq < 16);
    bytes_put(resources, RESOURCE_IRQ_NO_FLAGS, 1);
    bytes_put(resources, 1u << irq, 2);
}

void
aml_resource_memory(GByteArray *resources, uint32_t base, uint32_t size)
{
    bytes_put(resources, RESOURCE_MEMORY32_FIXED, 1);
    bytes_put(resources, 9, 2);
    bytes_put(resources, 1, 1); /* writable */
    bytes_put(resources, base, 4);
    bytes_put(resources, size, 4);
}

/* An address space descriptor (6.4.3.5) with numbers of @width bytes. */
static void
window(GByteArray *resources, uint8_t tag, unsigned width, uint8_t type, uint8_t flags, uint64_t first, uint64_t last)
{
    bytes_put(resources, tag, 1);
    bytes_put(resources, 3 + 5 * width, 2);
    bytes_put(resources, type, 1);
    bytes_put(resources, WINDOW_FIXED, 1);
    bytes_put(resources, flags, 1);
    bytes_put(resources, 0, width); /* granularity */
    bytes_put(resources, first, width);
    bytes_put(resources, last, width);
    bytes_put(resources, 0, width); /* translation */
    bytes_put(resources, last - first + 1, width);
}

void
aml_resource_window_bus(GByteArray *resources, uint16_t first, uint16_t last)
{
    window(resources, RESOURCE_WORD, 2, WINDOW_BUS, 0, first, last);
}

void
aml_resource_window_io(GByteArray *resources, uint16_t first, uint16_t last)
{
    window(resources, RESOURCE_WORD, 2, WINDOW_IO, WINDOW_IO_ENTIRE, first, last);
}

void
aml_resource_window_memory32(GByteArray *resources, uint32_t first, uint32_t last)
{
    window(resources, RESOURCE_DWORD, 4, WINDOW_MEMORY, WINDOW_MEMORY_WRITABLE, first, last);
}

void
aml_resource_window_memory64(GByteArray *resources, uint64_t first, uint64_t last)
{
    window(resources, RESOURCE_QWORD, 8, WINDOW_MEMORY, WINDOW_MEMORY_WRITABLE | WINDOW_MEMORY_CACHEABLE, first, last);
}

void
aml_resources(Aml *aml, GByteArray *resources)
{
    bytes_put(resources, RESOURCE_END, 1);
    bytes_put(resources, 0, 1); /* no checksum (6.4.2.9) */
    aml_buffer(aml, resources->data, resources->len);
    g_byte_array_unref(resources);
}
