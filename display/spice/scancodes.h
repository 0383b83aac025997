/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scan codes as SPICE clients send them (PC/AT set 1, bytes as a keyboard controller delivers them) to Linux evdev keys.
 *
 * Pure; the state belongs to one keyboard.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint8_t prefix; /* 0, 0xe0 or 0xe1 */
    uint8_t first;  /* after 0xe1, the first of two more bytes; 0: none yet */
} ScanDecoder;

typedef struct {
    uint16_t key; /* KEY_…, never 0 */
    bool down;
} ScanKey;

/* Takes one byte; true when it completes a key. Unknown codes complete none. */
bool scan_decode(ScanDecoder *decoder, uint8_t byte, ScanKey *key);
