/* SPDX-License-Identifier: Apache-2.0 */
/* The second factor: what was used is used up. */
#include "house.h"

#define ONE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TWO "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static void
test_set(void)
{
    g_autoptr(House) house = house_new_furnished();

    house->actor = "uwe";
    house_do(house, "user.set_totp",
             "{'user': <'$uwe'>, 'totp': <'ABCDEFGHIJKLMNOP'>, 'recovery': <[{'digest': <'" ONE "'>}, {'digest': <'" TWO
             "'>}]>}");
    house_assert_column(house, "user", "$uwe", "totp", "");
    house_assert_column(house, "user", "$uwe", "recovery", "[{}, {}]"); /* that there are two */
    house_refuse(house, STORE_ERROR_FIELD, "totp: it is 16 to 128 characters of base32", "user.set_totp",
                 "{'user': <'$uwe'>, 'totp': <'12345678'>}");
    house_refuse(house, STORE_ERROR_FIELD, "recovery[0].digest: it is 64", "user.set_totp",
                 "{'user': <'$uwe'>, 'totp': <''>, 'recovery': <[{'digest': <'code'>}]>}");
    house->actor = "olaf";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role", "user.set_totp", "{'user': <'$uwe'>, 'totp': <''>}");
    house->actor = "uwe";
    house_do(house, "user.set_totp", "{'user': <'$uwe'>, 'totp': <''>, 'recovery': <[{'digest': <'" ONE "'>}]>}");
    house_assert_column(house, "user", "$uwe", "recovery", "[]");
}

static void
test_secrets(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autoptr(GVariant) uwe = NULL;

    house_do(house, "user.set_totp",
             "{'user': <'$uwe'>, 'totp': <'ABCDEFGHIJKLMNOP'>, 'recovery': <[{'digest': <'" ONE "'>}]>}");
    g_assert_true(store_reader_find_secret(house->reader, store_catalog_find_kind("user"), "uwe", &uwe, NULL));
    g_autoptr(GVariant) recovery = g_variant_lookup_value(uwe, "recovery", NULL);
    g_autofree char *text = g_variant_print(recovery, FALSE);
    g_assert_cmpstr(text, ==, "[{'digest': <'" ONE "'>}]");
    const StoreAuditQuery last = {.limit = 1};
    g_autoptr(GPtrArray) lines = store_reader_audit(house->reader, &last, NULL);
    const char *details;
    g_assert_true(g_variant_lookup(lines->pdata[0], "details", "&s", &details));
    g_autofree char *should = g_strdup_printf(
        "{\"user\":\"%s\",\"totp\":\"(hidden)\",\"recovery\":[{\"digest\":\"(hidden)\"}]}", house_id("uwe"));
    g_assert_cmpstr(details, ==, should);
}

static void
test_use_totp(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autofree char *revision = house_column(house, "user", "$uwe", "revision");

    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role daemon", "user.use_totp",
                 "{'user': <'$uwe'>, 'totp_step': <int64 7>}");
    house->actor = STORE_ACTOR_DAEMON;
    house_do(house, "user.use_totp", "{'user': <'$uwe'>, 'totp_step': <int64 7>}");
    house_refuse(house, STORE_ERROR_RULE, "was used already", "user.use_totp",
                 "{'user': <'$uwe'>, 'totp_step': <int64 7>}");
    house_refuse(house, STORE_ERROR_RULE, "was used already", "user.use_totp",
                 "{'user': <'$uwe'>, 'totp_step': <int64 6>}");
    house_do(house, "user.use_totp", "{'user': <'$uwe'>, 'totp_step': <int64 8>}");
    house_assert_column(house, "user", "$uwe", "totp_step", "8");
    house_assert_column(house, "user", "$uwe", "revision", revision);
    house_refuse(house, STORE_ERROR_NOT_FOUND, "there is no user", "user.use_totp",
                 "{'user': <'$nobody'>, 'totp_step': <int64 8>}");
    house_do(house, "user.set_totp", "{'user': <'$uwe'>, 'totp': <'ABCDEFGHIJKLMNOP'>}");
    house_assert_column(house, "user", "$uwe", "totp_step", "-1");
}

static void
test_use_recovery(void)
{
    g_autoptr(House) house = house_new_furnished();

    house->actor = STORE_ACTOR_DAEMON;
    house_do(house, "user.set_totp",
             "{'user': <'$uwe'>, 'totp': <'ABCDEFGHIJKLMNOP'>, 'recovery': <[{'digest': <'" ONE "'>}, {'digest': <'" TWO
             "'>}]>}");
    house_refuse(house, STORE_ERROR_NOT_FOUND, "digest: “anna” has no such code left", "user.use_recovery",
                 "{'user': <'$anna'>, 'digest': <'" ONE "'>}");
    house_do(house, "user.use_recovery", "{'user': <'$uwe'>, 'digest': <'" ONE "'>}");
    house_refuse(house, STORE_ERROR_NOT_FOUND, "digest: “uwe” has no such code left", "user.use_recovery",
                 "{'user': <'$uwe'>, 'digest': <'" ONE "'>}");
    house_assert_column(house, "user", "$uwe", "recovery", "[{}]");
    house_do(house, "user.delete", "{'user': <'$uwe'>}");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/factors/set", test_set);
    g_test_add_func("/store/factors/secrets", test_secrets);
    g_test_add_func("/store/factors/use-totp", test_use_totp);
    g_test_add_func("/store/factors/use-recovery", test_use_recovery);
    return g_test_run();
}
