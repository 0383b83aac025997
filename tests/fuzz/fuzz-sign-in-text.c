/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody types at the sign-in page: codes, new passwords, names to be counted; and hashes that an import brings. */
#include "appliance/sign-in/limiter.h"
#include "appliance/sign-in/password.h"
#include "appliance/sign-in/password_rules.h"
#include "appliance/sign-in/recovery.h"
#include "appliance/sign-in/totp.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define SECRET "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

static void
check_rules(const char *text)
{
    g_autoptr(GError) error = NULL;
    bool taken = password_rules_check(text, "anna", "Anna Meyer", 0, &error);

    g_assert_true(taken == !error);
    if (taken)
        g_assert_cmpint(g_utf8_strlen(text, -1), >=, PASSWORD_RULES_CHARACTERS_MIN);
}

/* Every name counts, and counts as itself when it comes again. */
static void
check_limiter(const char *text)
{
    static const uint8_t key[LIMITER_KEY_BYTES] = "fuzz";
    static Limiter *limiter;
    static int64_t now;
    LimiterAttempt attempt = {text, text, false};

    if (now > INT64_MAX / 2) {
        g_clear_pointer(&limiter, limiter_free);
        now = 0;
    }
    if (!limiter)
        limiter = limiter_new(&limiter_defaults, key);
    now += 2 * limiter_defaults.forget + limiter_defaults.know; /* whatever was before is forgotten */
    for (unsigned i = 0; i <= limiter_defaults.account_free; i++)
        g_assert_cmpint(limiter_begin(limiter, &attempt, now), ==, 0);
    g_assert_cmpint(limiter_begin(limiter, &attempt, now), ==, limiter_defaults.first_wait);
    limiter_succeed(limiter, &attempt, now);
    g_assert_true(limiter_knows(limiter, &attempt, now));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static bool ready;
    g_autofree char *text = g_strndup((const char *)bytes, len);
    g_autofree char *digest = recovery_code_digest(text);
    g_autofree char *code = NULL;

    if (!ready)
        ready = totp_init();
    g_assert_true(!digest || strlen(digest) == RECOVERY_DIGEST_LENGTH);
    g_assert_cmpint(totp_verify(SECRET, text, 59, TOTP_STEP_NONE), <=, 2);
    g_assert_cmpint(totp_verify(SECRET, text, 59, 2), ==, -1);
    code = totp_code(text, 59);
    check_rules(text);
    check_limiter(text);
    if (password_hash_is_valid(text))
        g_assert_nonnull(strrchr(text, '$'));
    password_hash_is_weak(text, PASSWORD_COST_DEFAULT);
    return 0;
}
