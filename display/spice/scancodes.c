/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables follow the kernel's own (drivers/tty/vt/keyboard.c, x86_keycodes), which is what clients on Linux make their
 * codes with, and the keys of Microsoft's "Keyboard Scan Code Specification" where that one is silent.
 */
#include "display/spice/scancodes.h"

#include <linux/input-event-codes.h>

#include <glib.h>

#define EXTENDED 0xe0
#define EXTENDED_TWO 0xe1
#define RELEASE 0x80

/* Up to F10 and the numeric keypad, evdev's numbers are set 1's. */
#define SAME_UP_TO KEY_KPDOT

static const uint16_t plain_keys[RELEASE] = {
    [0x54] = KEY_SYSRQ, /* with Alt */
    [0x55] = KEY_F16,      [0x56] = KEY_102ND,     [0x57] = KEY_F11,
    [0x58] = KEY_F12,      [0x59] = KEY_KPEQUAL,   [0x5a] = KEY_F20,
    [0x5b] = KEY_LINEFEED, [0x5c] = KEY_KPJPCOMMA, [0x5d] = KEY_F13,
    [0x5e] = KEY_F14,      [0x5f] = KEY_F15,       [0x63] = KEY_PHONE,
    [0x64] = KEY_OPEN,     [0x65] = KEY_PASTE,     [0x66] = KEY_SETUP,
    [0x67] = KEY_FILE,     [0x68] = KEY_SENDFILE,  [0x69] = KEY_DELETEFILE,
    [0x6a] = KEY_MSDOS,    [0x6b] = KEY_DIRECTION, [0x6c] = KEY_EJECTCD,
    [0x6d] = KEY_F23,      [0x6f] = KEY_F24,       [0x70] = KEY_KATAKANAHIRAGANA,
    [0x71] = KEY_HANJA,    [0x72] = KEY_HANGEUL,   [0x73] = KEY_RO,
    [0x74] = KEY_F21,      [0x75] = KEY_SCROLLUP,  [0x76] = KEY_ZENKAKUHANKAKU,
    [0x77] = KEY_HIRAGANA, [0x78] = KEY_KATAKANA,  [0x79] = KEY_HENKAN,
    [0x7b] = KEY_MUHENKAN, [0x7d] = KEY_YEN,       [0x7e] = KEY_KPCOMMA,
};

/* After 0xe0. The shifts 0x2a and 0x36, which a keyboard fakes around some of these, are nobody's keys. */
static const uint16_t extended_keys[RELEASE] = {
    [0x01] = KEY_CONFIG,       [0x02] = KEY_WWW,          [0x03] = KEY_F17,       [0x04] = KEY_F19,
    [0x05] = KEY_AGAIN,        [0x06] = KEY_PROPS,        [0x07] = KEY_UNDO,      [0x08] = KEY_EDIT,
    [0x09] = KEY_NEW,          [0x0a] = KEY_REDO,         [0x0b] = KEY_SCALE,     [0x0c] = KEY_FRONT,
    [0x0f] = KEY_SCROLLDOWN,   [0x10] = KEY_PREVIOUSSONG, [0x12] = KEY_COFFEE,    [0x13] = KEY_XFER,
    [0x17] = KEY_PROG2,        [0x18] = KEY_REWIND,       [0x19] = KEY_NEXTSONG,  [0x1c] = KEY_KPENTER,
    [0x1d] = KEY_RIGHTCTRL,    [0x1e] = KEY_MENU,         [0x1f] = KEY_PROG1,     [0x20] = KEY_MUTE,
    [0x21] = KEY_CALC,         [0x22] = KEY_PLAYPAUSE,    [0x23] = KEY_CLOSECD,   [0x24] = KEY_STOPCD,
    [0x26] = KEY_CYCLEWINDOWS, [0x2e] = KEY_VOLUMEDOWN,   [0x30] = KEY_VOLUMEUP,  [0x31] = KEY_RECORD,
    [0x32] = KEY_HOMEPAGE,     [0x35] = KEY_KPSLASH,      [0x37] = KEY_SYSRQ,     [0x38] = KEY_RIGHTALT,
    [0x3c] = KEY_CUT,          [0x41] = KEY_FIND,         [0x46] = KEY_PAUSE, /* with Control */
    [0x47] = KEY_HOME,         [0x48] = KEY_UP,           [0x49] = KEY_PAGEUP,    [0x4b] = KEY_LEFT,
    [0x4d] = KEY_RIGHT,        [0x4e] = KEY_KPPLUSMINUS,  [0x4f] = KEY_END,       [0x50] = KEY_DOWN,
    [0x51] = KEY_PAGEDOWN,     [0x52] = KEY_INSERT,       [0x53] = KEY_DELETE,    [0x5b] = KEY_LEFTMETA,
    [0x5c] = KEY_RIGHTMETA,    [0x5d] = KEY_COMPOSE,      [0x5e] = KEY_POWER,     [0x5f] = KEY_SLEEP,
    [0x63] = KEY_WAKEUP,       [0x65] = KEY_SEARCH,       [0x66] = KEY_BOOKMARKS, [0x67] = KEY_REFRESH,
    [0x68] = KEY_STOP,         [0x69] = KEY_FORWARD,      [0x6a] = KEY_BACK,      [0x6b] = KEY_COMPUTER,
    [0x6c] = KEY_MAIL,         [0x6d] = KEY_MEDIA,        [0x6f] = KEY_MACRO,     [0x75] = KEY_HELP,
    [0x76] = KEY_KPLEFTPAREN,  [0x77] = KEY_F18,          [0x78] = KEY_COPY,      [0x79] = KEY_F22,
    [0x7b] = KEY_KPRIGHTPAREN, [0x7d] = KEY_EJECTCLOSECD,
};

static uint16_t
plain_key(uint8_t code)
{
    return code <= SAME_UP_TO ? code : plain_keys[code];
}

/* 0xe1 0x1d 0x45 is the one key with two bytes after its prefix. */
static uint16_t
two_byte_key(uint8_t first, uint8_t second)
{
    return (first & ~RELEASE) == 0x1d && (second & ~RELEASE) == 0x45 ? KEY_PAUSE : 0;
}

bool
scan_decode(ScanDecoder *decoder, uint8_t byte, ScanKey *key)
{
    if (!decoder->prefix && (byte == EXTENDED || byte == EXTENDED_TWO)) {
        decoder->prefix = byte;
        return false;
    }
    if (decoder->prefix == EXTENDED_TWO && !decoder->first) {
        decoder->first = byte ? byte : RELEASE; /* 0 is no code: it leads to no key */
        return false;
    }

    uint8_t code = byte & (RELEASE - 1);
    if (decoder->prefix == EXTENDED)
        key->key = extended_keys[code];
    else if (decoder->prefix == EXTENDED_TWO)
        key->key = two_byte_key(decoder->first, byte);
    else
        key->key = plain_key(code);
    key->down = !(byte & RELEASE);
    *decoder = (ScanDecoder){0};
    return key->key != 0;
}
