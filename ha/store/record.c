/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/record.h"

#include "ha/store/error.h"
#include "ha/store/json.h"

#include <string.h>

static const char *const change_words[] = {
    [STORE_CHANGE_MADE] = "made",
    [STORE_CHANGE_CHANGED] = "changed",
    [STORE_CHANGE_REMOVED] = "removed",
};

bool
store_record_find(StoreDatabase *database, const StoreCommand *command, const char *digest, bool *repeated,
                  StoreAnswer *answer, GError **error)
{
    sqlite3_stmt *row = store_database_prepare(
        database, error, "SELECT digest, sequence, code, message, result FROM requests WHERE id = ?1", "s",
        command->id);
    int code = row ? store_database_step(database, row, error) : 0;
    bool ok = code;

    *repeated = code == SQLITE_ROW;
    if (code != SQLITE_ROW)
        return ok;
    if (strcmp((const char *)sqlite3_column_text(row, 0), digest)) {
        ok = store_refuse(error, STORE_ERROR_RULE, "the request's id %s was used for another command before",
                          command->id);
    } else if (sqlite3_column_type(row, 2) != SQLITE_NULL) {
        g_set_error_literal(error, STORE_ERROR, sqlite3_column_int(row, 2), (const char *)sqlite3_column_text(row, 3));
        ok = false;
    } else {
        *answer = (StoreAnswer){
            .sequence = sqlite3_column_int64(row, 1),
            .result = g_strdup((const char *)sqlite3_column_text(row, 4)),
            .repeated = true,
        };
    }
    sqlite3_reset(row);
    return ok;
}

static bool
write_changes(StoreApply *apply, GError **error)
{
    for (guint i = 0; i < apply->changes->len; i++) {
        const StoreChange *change = apply->changes->pdata[i];
        /* A thing made and then changed by one command was made. */
        if (!store_database_run(apply->database, error,
                                "INSERT INTO changes (sequence, kind, thing, what) VALUES (?1, ?2, ?3, ?4) "
                                "ON CONFLICT DO NOTHING",
                                "isss", change->sequence, change->kind, change->thing, change_words[change->type]))
            return false;
    }
    return store_database_run(apply->database, error, "DELETE FROM changes WHERE sequence <= ?1", "i",
                              apply->sequence - STORE_CHANGES_KEPT);
}

static bool
write_answer(StoreApply *apply, const char *digest, const GError *refusal, GError **error)
{
    static const char sql[] = "INSERT INTO requests (id, sequence, digest, code, message, result) "
                              "VALUES (?1, ?2, ?3, nullif(?4, 0), ?5, ?6)";

    return store_database_run(apply->database, error, sql, "sisiss", apply->command->id, apply->sequence, digest,
                              (int64_t)(refusal ? refusal->code : 0), refusal ? refusal->message : NULL,
                              apply->result) &&
           store_database_run(apply->database, error, "DELETE FROM requests WHERE sequence <= ?1", "i",
                              apply->sequence - STORE_REQUESTS_KEPT);
}

static bool
write_audit(StoreApply *apply, const GError *refusal, GError **error)
{
    static const char sql[] = "INSERT INTO audit (sequence, time, actor, actor_name, origin, command, kind, thing, "
                              "thing_name, details, code, message) "
                              "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, nullif(?11, 0), ?12)";
    const StoreCommand *command = apply->command;
    g_autofree char *details = store_json_from_fields(apply->kind->fields, command->fields);

    return store_database_run(apply->database, error, sql, "iissssssssis", apply->sequence, command->time,
                              command->actor, apply->actor_name, command->origin, command->name,
                              apply->kind->kind ? apply->kind->kind->name : NULL, apply->thing, apply->thing_name,
                              details, (int64_t)(refusal ? refusal->code : 0), refusal ? refusal->message : NULL);
}

bool
store_record_write(StoreApply *apply, const char *digest, const GError *refusal, GError **error)
{
    return write_changes(apply, error) && write_answer(apply, digest, refusal, error) &&
           write_audit(apply, refusal, error) &&
           store_database_run(apply->database, error, "UPDATE progress SET sequence = ?1", "i", apply->sequence);
}
