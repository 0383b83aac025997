/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second factor: one-time codes, and recovery codes for the day the phone is lost. What was used is used up, here, where
 * two hosts that see one code cannot both take it. Using them changes nothing that others look at, so the user's revision
 * stays.
 */
#include "ha/store/things/people.h"

#include "ha/store/error.h"

static const StoreField recovery_fields[] = {
    {"digest", "of a code", STORE_FIELD_SHA256, STORE_FIELD_REQUIRED | STORE_FIELD_SECRET},
    {NULL},
};
static const StoreField totp_fields[] = {
    STORE_OLD_ID("user"),
    {"totp", "the shared secret; empty: none any more", STORE_FIELD_BASE32,
     STORE_FIELD_REQUIRED | STORE_FIELD_SECRET | STORE_FIELD_CLEARABLE},
    {"recovery", "codes that are good once each; none where they are not given", STORE_FIELD_RECORDS, .max = 20,
     .fields = recovery_fields, .table = "recovery_codes"},
    {NULL},
};
static const StoreField step_fields[] = {
    {"user", "who", STORE_FIELD_UUID, STORE_FIELD_REQUIRED, .to = &store_kind_user},
    {"totp_step", "the code's step, RFC 6238, 4.2", STORE_FIELD_NUMBER, STORE_FIELD_REQUIRED, 0, INT64_C(1) << 40},
    {NULL},
};
static const StoreField code_fields[] = {
    {"user", "who", STORE_FIELD_UUID, STORE_FIELD_REQUIRED, .to = &store_kind_user},
    {"digest", "of the code", STORE_FIELD_SHA256, STORE_FIELD_REQUIRED | STORE_FIELD_SECRET},
    {NULL},
};

/* With a new secret, codes of the old one are of no use, nor is what was used of it. */
static bool
start_anew(StoreApply *apply, GError **error)
{
    g_autoptr(GVariant) given = g_variant_lookup_value(apply->command->fields, "recovery", NULL);
    bool keep = given && store_apply_text(apply, "totp");

    return store_database_run(apply->database, error, "UPDATE users SET totp_step = -1 WHERE id = ?1", "s",
                              apply->thing) &&
           (keep || store_database_run(apply->database, error, "DELETE FROM recovery_codes WHERE user = ?1", "s",
                                       apply->thing));
}

static bool
use_step(StoreApply *apply, GError **error)
{
    int64_t step = store_command_number(apply->command, "totp_step", 0), last;

    if (!store_database_number(apply->database, &last, 0, error, "SELECT totp_step FROM users WHERE id = ?1", "s",
                               apply->thing))
        return false;
    if (step <= last)
        return store_refuse(error, STORE_ERROR_RULE, "totp_step: that code, or a later one, was used already");
    return store_database_run(apply->database, error, "UPDATE users SET totp_step = ?1 WHERE id = ?2", "is", step,
                              apply->thing);
}

static bool
use_code(StoreApply *apply, GError **error)
{
    static const char find[] = "SELECT count(*) FROM recovery_codes WHERE user = ?1 AND digest = ?2";
    static const char use[] = "DELETE FROM recovery_codes WHERE user = ?1 AND digest = ?2";
    const char *digest = store_apply_text(apply, "digest");
    int64_t found;

    if (!store_database_number(apply->database, &found, 0, error, find, "ss", apply->thing, digest))
        return false;
    if (!found)
        return store_refuse(error, STORE_ERROR_NOT_FOUND, "digest: “%s” has no such code left", apply->thing_name);
    return store_database_run(apply->database, error, use, "ss", apply->thing, digest);
}

/* clang-format off */
const StoreCommandKind store_factor_commands[] = {
    {"user.set_totp", "a user's second factor",
     &store_kind_user, STORE_CHANGES, STORE_ROLE_ADMIN, STORE_OWN_SELF, totp_fields, .apply = start_anew, .aside = true},
    {"user.use_totp", "takes a one-time code; refused if it was taken before",
     &store_kind_user, STORE_OTHER, STORE_ROLE_DAEMON, .fields = step_fields, .apply = use_step},
    {"user.use_recovery", "takes a recovery code; refused if it was taken before",
     &store_kind_user, STORE_OTHER, STORE_ROLE_DAEMON, .fields = code_fields, .apply = use_code},
    {NULL},
};
