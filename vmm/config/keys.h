/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of every group and key of DESKTOP.conf, and how a value's text becomes a member of DesktopConfig.
 */
#pragma once

#include "vmm/config/config.h"

typedef enum {
    KEY_BOOL,     /* bool: true or false */
    KEY_COUNT,    /* uint64_t: a whole number from min to max */
    KEY_SIZE,     /* uint64_t: bytes, written with a unit: 512M, 2G */
    KEY_TEXT,     /* char *: printable UTF-8, not empty */
    KEY_PATH,     /* char *: an absolute path */
    KEY_CHOICE,   /* an enum: one of the words of .words, in its order */
    KEY_WORD,     /* char *: one of the words of .words */
    KEY_PIXELS,   /* two uint32_t: 1920x1080 */
    KEY_MAC,      /* uint8_t[6]: 52:54:00:12:34:56, unicast */
    KEY_UUID,     /* char *: canonical lower case */
    KEY_USB_PORT, /* ConfigUsbPort: 3, or HUB.3 */
    KEY_SERIAL,   /* char *: none, stdio, file:PATH or socket:PATH */
} KeyType;

typedef struct {
    const char *name;
    KeyType type;
    size_t offset; /* in DesktopConfig, or in the instance of a named group */
    uint64_t min, max;
    const char *fallback;     /* the value where the key is not there; NULL: zero */
    const char *const *words; /* NULL-terminated */
} Key;

typedef struct {
    const char *name;
    const Key *keys; /* ends with a NULL name */
    size_t size;     /* of an instance, for groups with a name of their own ([disk NAME]); else 0 */
    size_t list_offset;
    unsigned max; /* instances */
} KeyGroup;

const KeyGroup *config_key_group(const char *name);
char *config_key_group_names(void);
const Key *config_key(const KeyGroup *group, const char *name);
/* false with *why, a newly made sentence, where the text does not fit. */
bool config_key_set(const Key *key, void *object, const char *text, char **why);
void config_keys_set_defaults(const KeyGroup *group, void *object);
void config_keys_set_all_defaults(DesktopConfig *config);
