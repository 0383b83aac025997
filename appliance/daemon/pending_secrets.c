/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/pending_secrets.h"

#include "appliance/sign-in/totp.h"

typedef struct {
    SecretText *secret;
    int64_t made;
} Pending;

struct PendingSecrets {
    GHashTable *by_session; /* id → Pending */
};

static void
pending_free(void *data)
{
    Pending *pending = data;

    secret_text_free(pending->secret);
    g_free(pending);
}

PendingSecrets *
pending_secrets_new(void)
{
    PendingSecrets *secrets = g_new(PendingSecrets, 1);

    secrets->by_session = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, pending_free);
    return secrets;
}

void
pending_secrets_free(PendingSecrets *secrets)
{
    if (!secrets)
        return;
    g_hash_table_unref(secrets->by_session);
    g_free(secrets);
}

const char *
pending_secrets_make(PendingSecrets *secrets, const char *session, int64_t now)
{
    Pending *pending = g_new(Pending, 1);

    *pending = (Pending){totp_secret_new(), now};
    g_hash_table_replace(secrets->by_session, g_strdup(session), pending);
    return pending->secret;
}

bool
pending_secrets_has(PendingSecrets *secrets, const char *session, const char *secret, int64_t now)
{
    const Pending *pending = g_hash_table_lookup(secrets->by_session, session);

    return pending && now - pending->made < PENDING_SECRETS_LIFETIME && secret_same(pending->secret, secret);
}

void
pending_secrets_drop(PendingSecrets *secrets, const char *session)
{
    g_hash_table_remove(secrets->by_session, session);
}
