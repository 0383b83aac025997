/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applying one command: what the store does with each, and what a command's own function in things/ has to work with.
 *
 * A function must come to the same end on every host: it looks at the command and the database and nothing else; no
 * clock, no random numbers, no environment; rows are read in an order it names. What it refuses (store_refuse()) leaves
 * no trace but the answer: everything it has written is taken back.
 */
#pragma once

#include "ha/store/catalog.h"
#include "ha/store/database.h"

typedef enum { STORE_CHANGE_MADE, STORE_CHANGE_CHANGED, STORE_CHANGE_REMOVED } StoreChangeType;

typedef struct {
    int64_t sequence;
    const char *kind; /* of a kind in the catalog */
    char *thing;      /* its id */
    StoreChangeType type;
} StoreChange;

void store_change_free(StoreChange *change);

/* What came of a command that was done. */
typedef struct {
    int64_t sequence; /* its place in the history */
    char *result;     /* the id of what the store chose (a desktop of a pool), or NULL */
    bool repeated;    /* this request had been applied before: nothing was changed now */
} StoreAnswer;

void store_answer_clear(StoreAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(StoreAnswer, store_answer_clear)

struct StoreApply {
    StoreDatabase *database;
    const StoreCommand *command;
    const StoreCommandKind *kind;
    int64_t sequence;
    char *thing;      /* the id of what the command is about; NULL: of none */
    char *thing_name; /* what people call it, for the audit trail */
    char *actor_name;
    StoreRole role; /* the actor's */
    char *result;
    GPtrArray *changes; /* StoreChange */
};

/* What a command did to the history, done or refused. */
typedef struct {
    int64_t sequence;   /* 0: nothing: it was malformed, or repeated, or the host failed */
    GPtrArray *changes; /* StoreChange; none of a refused one; NULL where sequence is 0 */
} StoreStep;

/*
 * Applies it in one transaction. A refusal is an error too; unless it is one of the command's form, it takes a place in
 * the history as what is done does. *step is set in any case.
 */
bool store_apply_command(StoreDatabase *database, const StoreCommand *command, StoreAnswer *answer, StoreStep *step,
                         GError **error);

/* For commands' functions. */

/* Sets the error; false. */
bool store_refuse(GError **error, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* Text of a field, NULL where it was not given or is "". */
const char *store_apply_text(const StoreApply *apply, const char *field);
/* Tells readers that a thing has changed, and gives a changed one its new revision. */
bool store_apply_changed(StoreApply *apply, const StoreKind *kind, const char *thing, StoreChangeType type,
                         GError **error);
