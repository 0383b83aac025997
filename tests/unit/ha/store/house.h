/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store with an office in it, for the tests of commands. Things have short names; house_id("anna") is the UUID of
 * one, and in the text of a command's fields '$anna' stands for it.
 */
#pragma once

#include "ha/store/error.h"
#include "ha/store/reader.h"

typedef struct {
    Store *store;
    StoreReader *reader;
    const char *actor; /* of the next commands: NULL the console, "daemon", or a user's short name */
    int64_t time;      /* goes on by a second with each command */
    int64_t seen;      /* of the next command alone */
    char *result;      /* of the last one */
    int64_t sequence;
} House;

/* Empty, in memory. */
House *house_new(void);
/* The same with what desktops need: $host, $net, $image (a disk, ready), $iso, $policy, $template, $pool, $desktop, $anna (admin),
 * $olaf (operator), $uwe (user), $group with $uwe in it. */
House *house_new_furnished(void);
void house_free(House *house);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(House, house_free)

/* A UUID that says its name. Static for as long as the process runs. */
const char *house_id(const char *name);

/* A command with fields as GVariant's text, numbers as int64: "{'user': <'$anna'>, 'vlan': <int64 7>}". */
StoreCommand *house_command(House *house, const char *name, const char *fields);

/* It must be done, or be refused with @code and words that hold @says. */
void house_do(House *house, const char *name, const char *fields);
void house_refuse(House *house, int code, const char *says, const char *name, const char *fields);

/* A column of a thing, as GVariant's text; "" where it is NULL, NULL where there is no such thing. */
char *house_column(House *house, const char *kind, const char *thing, const char *column);
#define house_assert_column(house, kind, thing, column, text)            \
    G_STMT_START                                                         \
    {                                                                    \
        g_autofree char *is_ = house_column(house, kind, thing, column); \
        g_assert_cmpstr(is_, ==, text);                                  \
    }                                                                    \
    G_STMT_END
bool house_has(House *house, const char *kind, const char *thing);

/* A folder that is removed, with what is in it, by house_forget_folder(). */
char *house_folder(void);
void house_forget_folder(char *folder);

/* What is at @path cannot be opened as a store: one sentence, with @says in it, and the file is as it was. */
void house_refuse_file(const char *path, int code, const char *says);
