/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of things the store keeps, as readers see them and as commands need them: which table, which columns, what
 * lists belong to one, who may be using it. Each is described where its commands are, in things/.
 *
 * Every kind's table has the columns id (text, the primary key), created (microseconds since 1970), revision (the
 * sequence number of the command that last changed it) and edited (of the one that last changed what people edit of
 * it).
 *
 * Constant tables: any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* How a column is read, and in brackets the GVariant type it is given as. Columns that are NULL are left out. */
typedef enum {
    STORE_COLUMN_TEXT,   /* [s] */
    STORE_COLUMN_NUMBER, /* [x] */
    STORE_COLUMN_BOOL,   /* [b] */
    STORE_COLUMN_SECRET, /* [s] only for who asks for secrets */
} StoreColumnType;

typedef struct {
    const char *name;
    StoreColumnType type;
    const char *about; /* for people, where the name does not say it; or NULL */
} StoreColumn;

/* A list that belongs to a thing: rows of another table, where the column of the kind's name has the thing's id. */
typedef struct {
    const char *name; /* "disks" */
    const char *table;
    const char *order;          /* the column it is sorted by */
    const StoreColumn *columns; /* ends with a NULL name */
} StorePart;

/* Who may be using one: the names of those that do, of at most a few. */
typedef struct {
    const char *by;  /* "pool" */
    const char *sql; /* with the thing's id for ?1 */
} StoreUse;

typedef struct StoreKind {
    const char *name;           /* "desktop": also the field that carries its id in a command */
    const char *table;          /* "desktops" */
    const char *label;          /* the column people know it by */
    const char *order;          /* the column lists are sorted by, of which no two are alike */
    const StoreColumn *columns; /* ends with a NULL name; without those that every kind has */
    const StorePart *parts;     /* likewise, or NULL */
    const StoreUse *uses;       /* ends with a NULL by, or NULL: nobody can be using it */
    /* Columns a list can be narrowed by, or NULL; each with an index that goes on with .order. */
    const char *const *filters;
    /* Columns of text beside the name that a search looks into, or NULL. search.h */
    const char *const *searched;
    /* What else is said of one that is no state, since it follows from the id: .tell adds what .told lists. Or both NULL. */
    const StoreColumn *told;
    void (*tell)(const char *id, GVariantBuilder *thing);
} StoreKind;
