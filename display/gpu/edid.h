/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EDID: what the guest is told of a monitor (VESA E-EDID 1.4; DisplayID 1.3 for sizes EDID cannot say).
 *
 * The preferred mode is the wanted size at 60 Hz with CVT reduced blanking: a detailed timing in the base block where its
 * 12-bit sizes and 16-bit clock can hold it, else a DisplayID type I timing in an extension block. A pure function.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define EDID_BLOCK 128
#define EDID_BYTES_MAX (2 * EDID_BLOCK)

typedef struct {
    uint32_t width, height;       /* pixels, 1 to 16384 */
    uint32_t width_mm, height_mm; /* of the glass; 0: as large as it would be with 96 dots an inch */
    uint32_t number;              /* 1, 2, …: becomes the serial number, so that a guest tells its monitors apart */
} EdidMonitor;

/* Returns the bytes used: one block or two. */
size_t edid_make(const EdidMonitor *monitor, uint8_t edid[EDID_BYTES_MAX]);
