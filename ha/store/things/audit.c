/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit trail has a line for every command by itself. These commands are for what is no change (a sign-in, a
 * connection), and for keeping the trail from growing for ever.
 */
#include "ha/store/things/things.h"

static const char *const event_words[] = {
    "sign-in",  "sign-in-failed",   "sign-out",   "connected", "disconnected",
    "watching", "watching-refused", "controlled", NULL,
};

static const StoreField note_fields[] = {
    {"event", "what happened", STORE_FIELD_WORD, STORE_FIELD_REQUIRED, .words = event_words},
    {"name", "the name that was given", STORE_FIELD_LINE, 0, 0, 128},
    {"user", "who", STORE_FIELD_UUID},
    {"desktop", "at which desktop", STORE_FIELD_UUID},
    {"address", "from where", STORE_FIELD_LINE, 0, 1, 128},
    {"detail", "what else there is to say", STORE_FIELD_LINE, 0, 1, 512},
    {NULL},
};
static const StoreField prune_fields[] = {
    {"before", "lines older than this go", STORE_FIELD_TIME, STORE_FIELD_REQUIRED},
    {"keep", "but not the last so many", STORE_FIELD_NUMBER, STORE_FIELD_REQUIRED, 1000, 100000000},
    {NULL},
};

static bool
prune(StoreApply *apply, GError **error)
{
    return store_database_run(apply->database, error, "DELETE FROM audit WHERE sequence <= ?1 AND time < ?2", "ii",
                              apply->sequence - store_command_number(apply->command, "keep", 0),
                              store_command_number(apply->command, "before", 0));
}

/* clang-format off */
const StoreCommandKind store_audit_commands[] = {
    {"audit.note", "writes down what is no change of the state",
     NULL, STORE_OTHER, STORE_ROLE_DAEMON, .fields = note_fields},
    {"audit.prune", "forgets old lines of the audit trail",
     NULL, STORE_OTHER, STORE_ROLE_ADMIN, .fields = prune_fields, .apply = prune},
    {NULL},
};
