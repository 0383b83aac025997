/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One command, from its form to its commit:
 *
 *     form ─→ seen before? ─→ may they? ─→ its own check ─→ action by the tables ─→ its own function ─→ records ─→ commit
 *                                └─────────────── refused: taken back to here ──────────────┘
 */
#include "ha/store/apply.h"

#include "ha/store/action.h"
#include "ha/store/authority.h"
#include "ha/store/error.h"
#include "ha/store/record.h"

#include <stdarg.h>

void
store_change_free(StoreChange *change)
{
    g_free(change->thing);
    g_free(change);
}

void
store_answer_clear(StoreAnswer *answer)
{
    g_clear_pointer(&answer->result, g_free);
}

bool
store_refuse(GError **error, int code, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    g_autofree char *why = g_strdup_vprintf(format, values);
    va_end(values);
    g_set_error_literal(error, STORE_ERROR, code, why);
    return false;
}

const char *
store_apply_text(const StoreApply *apply, const char *field)
{
    const char *text = store_command_text(apply->command, field);

    return text && *text ? text : NULL;
}

static void
note_change(StoreApply *apply, const StoreKind *kind, const char *thing, StoreChangeType type)
{
    StoreChange *change = g_new(StoreChange, 1);

    *change = (StoreChange){.sequence = apply->sequence, .kind = kind->name, .thing = g_strdup(thing), .type = type};
    g_ptr_array_add(apply->changes, change);
}

bool
store_apply_changed(StoreApply *apply, const StoreKind *kind, const char *thing, StoreChangeType type, GError **error)
{
    note_change(apply, kind, thing, type);
    if (type != STORE_CHANGE_CHANGED)
        return true;
    g_autofree char *sql = g_strdup_printf("UPDATE %s SET revision = ?1 WHERE id = ?2", kind->table);
    return store_database_run(apply->database, error, sql, "is", apply->sequence, thing);
}

static GPtrArray *
changes_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)store_change_free);
}

static void
apply_finish(StoreApply *apply)
{
    g_free(apply->thing);
    g_free(apply->thing_name);
    g_free(apply->actor_name);
    g_free(apply->result);
    g_clear_pointer(&apply->changes, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(StoreApply, apply_finish)

/* What the command is about, by the name it has before. */
static bool
find_thing(StoreApply *apply, GError **error)
{
    const StoreKind *kind = apply->kind->kind;

    apply->thing = kind ? g_strdup(store_apply_text(apply, kind->name)) : NULL;
    return !apply->thing || store_action_label(apply->database, kind, apply->thing, &apply->thing_name, error);
}

static bool
carry_out(StoreApply *apply, GError **error)
{
    const StoreCommandKind *kind = apply->kind;

    return store_authority_check(apply, error) && find_thing(apply, error) &&
           (!kind->check || kind->check(apply, error)) && store_action_run(apply, error) &&
           (!kind->apply || kind->apply(apply, error));
}

/* Carries it out, or takes back what it did and sets *refusal. False: a failure. */
static bool
carry_out_or_refuse(StoreApply *apply, GError **refusal, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (!store_database_run(apply->database, error, "SAVEPOINT command", ""))
        return false;
    if (!carry_out(apply, &why)) {
        if (!store_error_is_refusal(why)) {
            g_propagate_error(error, g_steal_pointer(&why));
            return false;
        }
        if (!store_database_run(apply->database, error, "ROLLBACK TO command", ""))
            return false;
        g_ptr_array_set_size(apply->changes, 0);
        g_clear_pointer(&apply->result, g_free);
        g_propagate_error(refusal, g_steal_pointer(&why));
    }
    return store_database_run(apply->database, error, "RELEASE command", "");
}

static bool
next_sequence(StoreApply *apply, GError **error)
{
    if (!store_database_number(apply->database, &apply->sequence, 0, error, "SELECT sequence FROM progress", ""))
        return false;
    apply->sequence++;
    return true;
}

/* The whole of a command that was not seen before; *refusal where that is its end. */
static bool
apply_new(StoreApply *apply, const char *digest, GError **refusal, GError **error)
{
    return next_sequence(apply, error) && carry_out_or_refuse(apply, refusal, error) &&
           store_record_write(apply, digest, *refusal, error) &&
           store_database_run(apply->database, error, "COMMIT", "");
}

/*
 * What a request sent again has in common with the first: not its time, nor the host it came through, nor a password, of which no
 * two hashes are alike.
 */
static StoreCommand *
what_stays(const StoreCommand *command, const StoreCommandKind *kind)
{
    g_auto(GVariantBuilder) fields = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);

    for (gsize i = 0; i < g_variant_n_children(command->fields); i++) {
        g_autoptr(GVariant) entry = g_variant_get_child_value(command->fields, i);
        g_autoptr(GVariant) name = g_variant_get_child_value(entry, 0);
        if (store_field_find(kind->fields, g_variant_get_string(name, NULL))->type != STORE_FIELD_HASH)
            g_variant_builder_add_value(&fields, entry);
    }
    return store_command_new_full(command->id, command->name, command->actor, "", 0, command->seen,
                                  g_variant_builder_end(&fields));
}

/* A digest by which a request sent again is known; NULL: it is too long. */
static char *
digest_of(const StoreCommand *command, const StoreCommandKind *kind, GError **error)
{
    g_autoptr(GBytes) bytes = store_command_encode(command);

    if (g_bytes_get_size(bytes) <= STORE_COMMAND_BYTES_MAX) {
        g_autoptr(StoreCommand) staying = what_stays(command, kind);
        g_autoptr(GBytes) stay = store_command_encode(staying);
        return g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, stay);
    }
    store_refuse(error, STORE_ERROR_MALFORMED, "the command has %zu bytes, and can have %d", g_bytes_get_size(bytes),
                 STORE_COMMAND_BYTES_MAX);
    return NULL;
}

/* Within the transaction, up to its end. */
static bool
apply_in_transaction(StoreApply *apply, const char *digest, StoreAnswer *answer, StoreStep *step, GError **error)
{
    g_autoptr(GError) refusal = NULL;
    bool repeated;

    if (!store_record_find(apply->database, apply->command, digest, &repeated, answer, error) || repeated) {
        store_database_roll_back(apply->database);
        return !*error;
    }
    if (!apply_new(apply, digest, &refusal, error)) {
        store_database_roll_back(apply->database);
        return false;
    }
    *step = (StoreStep){.sequence = apply->sequence, .changes = g_steal_pointer(&apply->changes)};
    if (refusal) {
        g_propagate_error(error, g_steal_pointer(&refusal));
        return false;
    }
    *answer = (StoreAnswer){.sequence = apply->sequence, .result = g_steal_pointer(&apply->result)};
    return true;
}

bool
store_apply_command(StoreDatabase *database, const StoreCommand *command, StoreAnswer *answer, StoreStep *step,
                    GError **error)
{
    g_autoptr(GError) why = NULL; /* never NULL for those below, which look at it */
    g_auto(StoreApply) apply = {.database = database, .command = command, .changes = changes_new()};
    g_autofree char *digest = NULL;

    *step = (StoreStep){0};
    if (store_command_check(command, &why) && (apply.kind = store_catalog_check(command, &why)) &&
        (digest = digest_of(command, apply.kind, &why)) && store_database_run(database, &why, "BEGIN IMMEDIATE", "") &&
        apply_in_transaction(&apply, digest, answer, step, &why))
        return true;
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
}
