/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who this host is to its clients: a certificate, its chain and its key, as files in PEM.
 *
 * Shared by every connection made while it is in use; any thread may hold one, nobody changes it.
 */
#pragma once

#include <gio/gio.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct TlsIdentity TlsIdentity;

/* Both files are PEM. @authority (or NULL) is a file with the certificates that clients are to trust for it. */
TlsIdentity *tls_identity_load(const char *certificate, const char *key, const char *authority, GError **error);
TlsIdentity *tls_identity_ref(TlsIdentity *identity);
void tls_identity_unref(TlsIdentity *identity);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsIdentity, tls_identity_unref)

/* Signed by itself: browsers warn of it, so they must not be told never to come back without (RFC 6797, 11.3). */
bool tls_identity_is_self_signed(const TlsIdentity *identity);
/* "C=DE,O=Office,CN=host", the order that SPICE clients take for host-subject. */
const char *tls_identity_get_subject(const TlsIdentity *identity);
/* What a client needs to trust it, in PEM; NULL: nothing but what the client's system trusts anyway. */
const char *tls_identity_get_authority(const TlsIdentity *identity);
/* Seconds since 1970. */
int64_t tls_identity_get_expiry(const TlsIdentity *identity);

gnutls_certificate_credentials_t tls_identity_get_credentials(const TlsIdentity *identity);
const gnutls_datum_t *tls_identity_get_ticket_key(const TlsIdentity *identity);
