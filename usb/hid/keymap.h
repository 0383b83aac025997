/* SPDX-License-Identifier: Apache-2.0 */
/* evdev's key codes to HID's (HID Usage Tables 1.5, 10, Keyboard/Keypad Page). */
#pragma once

#include <stdint.h>

/* 0: there is none. 0xe0 to 0xe7 are modifiers, each a bit of a report's first byte. */
uint8_t hid_usage_of(uint16_t key);
