/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog of commands: what there is, who may issue it, which fields it has. Whoever offers commands to people (the
 * API, the command line) makes its validation and its help from these tables.
 *
 * Constant tables: any thread.
 */
#pragma once

#include "ha/store/command.h"
#include "ha/store/field.h"
#include "ha/store/kind.h"

typedef struct StoreApply StoreApply;

/* Each may what those before it may. */
typedef enum {
    STORE_ROLE_USER,
    STORE_ROLE_OPERATOR, /* runs desktops */
    STORE_ROLE_ADMIN,    /* says who has what */
    STORE_ROLE_DAEMON,   /* tells what the host has done */
} StoreRole;

/* What of it somebody of a lower role may do it to. */
typedef enum {
    STORE_OWN_NOTHING,
    STORE_OWN_SELF,    /* the field "user" is themselves */
    STORE_OWN_DESKTOP, /* "desktop" is theirs to use (ownership.h) */
    STORE_OWN_POOL,    /* "pool" is theirs to take from, and "user" is themselves */
} StoreOwn;

typedef enum {
    STORE_MAKES,   /* the thing, with the fields as its columns; its id must be new */
    STORE_CHANGES, /* those columns of the thing that fields are given for */
    STORE_REMOVES, /* the thing, which nobody may be using */
    STORE_OTHER,   /* what .apply does */
} StoreAction;

typedef struct {
    const char *name;  /* "desktop.create" */
    const char *about; /* what it does, for help */
    /* What it is about: a field of this kind's name carries the id. NULL: nothing that there is a kind of. */
    const StoreKind *kind;
    StoreAction action;
    StoreRole role;           /* who may do it to anything */
    StoreOwn own;             /* who else may, and to what */
    const StoreField *fields; /* ends with a NULL name */
    /*
     * Or NULL. What else may refuse it, before the action (the thing may not be there); what else it does, after it.
     * apply.h
     */
    bool (*check)(StoreApply *apply, GError **error);
    bool (*apply)(StoreApply *apply, GError **error);
    /* STORE_CHANGES: nobody edits what it changes, so who looked at the thing before may still change it. */
    bool aside;
} StoreCommandKind;

/* Every kind and every command, in the order that help shows them: NULL behind the last. */
const StoreKind *store_catalog_kind(unsigned i);
const StoreCommandKind *store_catalog_command(unsigned i);

/* By name; NULL: there is none. */
const StoreKind *store_catalog_find_kind(const char *name);
const StoreCommandKind *store_catalog_find(const char *name);

/*
 * Which it is, if its fields are what they must be; else NULL. What depends on the state is seen only when it is
 * applied.
 */
const StoreCommandKind *store_catalog_check(const StoreCommand *command, GError **error);

/* "user", "operator", "admin", "daemon"; and back, false for any other word. */
extern const char *const store_role_names[];
bool store_role_from_name(const char *name, StoreRole *role);
