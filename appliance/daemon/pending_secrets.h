/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets for authenticator apps that were shown and are not confirmed yet, one a session, for a quarter of an hour: only the one
 * that was shown, after the password was asked for, can become a user's.
 *
 * Time is injected (µs). Owner: one thread.
 */
#pragma once

#include "appliance/sign-in/secret.h"

#define PENDING_SECRETS_LIFETIME ((int64_t)15 * 60 * G_USEC_PER_SEC)

typedef struct PendingSecrets PendingSecrets;

PendingSecrets *pending_secrets_new(void);
void pending_secrets_free(PendingSecrets *secrets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PendingSecrets, pending_secrets_free)

/* A new one, in place of the session's last. */
const char *pending_secrets_make(PendingSecrets *secrets, const char *session, int64_t now);
bool pending_secrets_has(PendingSecrets *secrets, const char *session, const char *secret, int64_t now);
void pending_secrets_drop(PendingSecrets *secrets, const char *session);
