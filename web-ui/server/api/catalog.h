/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's catalog as the API offers it: kinds of things and the commands on them. It was written down when Carrel
 * was built (ha/store/catalog_json.c) and is read once, at the start.
 *
 * Constant from then on, and never freed: any thread.
 */
#pragma once

#include "web-ui/server/api/field.h"

typedef struct {
    const char *name;           /* "desktop": also the field that carries its id in a command */
    const char *table;          /* "desktops": its path */
    const ApiField *columns;    /* as lists have it */
    const ApiField *whole;      /* and its parts, where it is asked for alone */
    bool searchable;            /* its things have names */
    const char *const *filters; /* may be empty */
    bool named;                 /* its id is a name that people choose, not a UUID */
} CatalogKind;

typedef enum { CATALOG_MAKES, CATALOG_CHANGES, CATALOG_REMOVES, CATALOG_OTHER } CatalogAction;

typedef struct {
    const char *name; /* "group.add_member" */
    const char *verb; /* "add-member" */
    const char *about;
    const CatalogKind *kind; /* NULL: of none */
    CatalogAction action;
    const char *role;       /* who may do it to anything: "user", "operator", "admin" */
    bool own;               /* others may do it to what is theirs */
    const ApiField *fields; /* without the thing's own id, but where it is made: there it is "id", and may be absent */
} CatalogCommand;

/* Without the commands that only the daemon gives. Each ends with a NULL name. */
typedef struct {
    const CatalogKind *kinds;
    const CatalogCommand *commands;
} Catalog;

/* From the resource /org/carrel/web/catalog.json. */
const Catalog *catalog_get(void);
