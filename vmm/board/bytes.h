/* SPDX-License-Identifier: Apache-2.0 */
/* Building structures the guest reads: little-endian numbers, appended to or changed in an array of bytes. */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <string.h>

/* Appends the low @size bytes (1 to 8) of @value. */
static inline void
bytes_put(GByteArray *bytes, uint64_t value, unsigned size)
{
    uint64_t little = GUINT64_TO_LE(value);
    g_byte_array_append(bytes, (const uint8_t *)&little, size);
}

/* Changes the @size bytes at @offset, which are there. */
static inline void
bytes_set(GByteArray *bytes, size_t offset, uint64_t value, unsigned size)
{
    uint64_t little = GUINT64_TO_LE(value);
    g_assert(offset + size <= bytes->len);
    memcpy(bytes->data + offset, &little, size);
}

static inline uint64_t
bytes_get(const GByteArray *bytes, size_t offset, unsigned size)
{
    uint64_t little = 0;
    g_assert(offset + size <= bytes->len);
    memcpy(&little, bytes->data + offset, size);
    return GUINT64_FROM_LE(little);
}

/* Appends @len bytes. */
static inline void
bytes_put_raw(GByteArray *bytes, const void *from, size_t len)
{
    g_byte_array_append(bytes, from, len);
}

/* Appends zeros up to a length of @len. */
static inline void
bytes_pad_to(GByteArray *bytes, size_t len)
{
    guint before = bytes->len;
    if (len <= before)
        return;
    g_byte_array_set_size(bytes, len);
    memset(bytes->data + before, 0, len - before);
}
