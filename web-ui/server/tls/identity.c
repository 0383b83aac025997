/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/tls/identity.h"

#include <gnutls/x509.h>

struct TlsIdentity {
    gatomicrefcount refs;
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t ticket_key; /* sessions are taken up again only with the identity they began with */
    bool self_signed;
    char *subject, *authority;
    int64_t expiry;
};

#define CHAIN_MAX 16
#define FILE_MAX (1 << 20)

static bool
fail(GError **error, const char *what, int code)
{
    g_set_error(error, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE, "%s: %s", what, gnutls_strerror(code));
    return false;
}

static char *
read_file(const char *path, gsize *len, GError **error)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, len, error))
        return NULL;
    if (*len > FILE_MAX) {
        g_set_error(error, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE, "%s is too large to be a certificate", path);
        return NULL;
    }
    return g_steal_pointer(&text);
}

/* What RFC 4514 writes last comes first: the order in which spice clients compare. */
static char *
subject_of(gnutls_x509_crt_t certificate)
{
    gnutls_datum_t text = {0};

    if (gnutls_x509_crt_get_dn3(certificate, &text, GNUTLS_X509_DN_FLAG_COMPAT))
        return g_strdup("");
    char *subject = g_strndup((const char *)text.data, text.size);
    gnutls_free(text.data);
    return subject;
}

static char *
pem_of(gnutls_x509_crt_t certificate)
{
    gnutls_datum_t text = {0};

    if (gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &text))
        return NULL;
    char *pem = g_strndup((const char *)text.data, text.size);
    gnutls_free(text.data);
    return pem;
}

static bool
is_its_own_issuer(gnutls_x509_crt_t certificate)
{
    return gnutls_x509_crt_check_issuer(certificate, certificate);
}

/* The chain's end is what clients are to trust, where it is an end. */
static void
describe(TlsIdentity *identity, gnutls_x509_crt_t *chain, unsigned n)
{
    identity->self_signed = is_its_own_issuer(chain[0]);
    identity->subject = subject_of(chain[0]);
    identity->expiry = gnutls_x509_crt_get_expiration_time(chain[0]);
    if (is_its_own_issuer(chain[n - 1]))
        identity->authority = pem_of(chain[n - 1]);
}

static bool
read_chain(TlsIdentity *identity, const char *path, const char *pem, gsize len, GError **error)
{
    gnutls_x509_crt_t chain[CHAIN_MAX];
    unsigned n = CHAIN_MAX;
    gnutls_datum_t text = {(unsigned char *)pem, len};
    int code =
        gnutls_x509_crt_list_import(chain, &n, &text, GNUTLS_X509_FMT_PEM,
                                    GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED | GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);

    if (code < 0)
        return fail(error, path, code);
    describe(identity, chain, n);
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crt_deinit(chain[i]);
    return true;
}

static bool
set_keys(TlsIdentity *identity, const char *path, const gnutls_datum_t *chain, const gnutls_datum_t *key,
         GError **error)
{
    int code = gnutls_certificate_allocate_credentials(&identity->credentials);

    if (!code)
        code = gnutls_certificate_set_x509_key_mem(identity->credentials, chain, key, GNUTLS_X509_FMT_PEM);
    if (!code)
        code = gnutls_session_ticket_key_generate(&identity->ticket_key);
    return !code || fail(error, path, code);
}

TlsIdentity *
tls_identity_load(const char *certificate, const char *key, const char *authority, GError **error)
{
    g_autoptr(TlsIdentity) identity = g_new0(TlsIdentity, 1);
    gsize chain_len, key_len, len;
    g_autofree char *chain_pem = read_file(certificate, &chain_len, error);
    g_autofree char *key_pem = chain_pem ? read_file(key, &key_len, error) : NULL;

    g_atomic_ref_count_init(&identity->refs);
    if (!key_pem || !read_chain(identity, certificate, chain_pem, chain_len, error))
        return NULL;
    gnutls_datum_t chain_text = {(unsigned char *)chain_pem, chain_len}, key_text = {(unsigned char *)key_pem, key_len};
    bool ok = set_keys(identity, certificate, &chain_text, &key_text, error);
    explicit_bzero(key_pem, key_len);
    if (!ok)
        return NULL;
    if (authority) {
        g_free(identity->authority);
        identity->authority = read_file(authority, &len, error);
        if (!identity->authority)
            return NULL;
    }
    return g_steal_pointer(&identity);
}

TlsIdentity *
tls_identity_ref(TlsIdentity *identity)
{
    g_atomic_ref_count_inc(&identity->refs);
    return identity;
}

void
tls_identity_unref(TlsIdentity *identity)
{
    if (!identity || !g_atomic_ref_count_dec(&identity->refs))
        return;
    if (identity->credentials)
        gnutls_certificate_free_credentials(identity->credentials);
    if (identity->ticket_key.data) {
        explicit_bzero(identity->ticket_key.data, identity->ticket_key.size);
        gnutls_free(identity->ticket_key.data);
    }
    g_free(identity->subject);
    g_free(identity->authority);
    g_free(identity);
}

bool
tls_identity_is_self_signed(const TlsIdentity *identity)
{
    return identity->self_signed;
}

const char *
tls_identity_get_subject(const TlsIdentity *identity)
{
    return identity->subject;
}

const char *
tls_identity_get_authority(const TlsIdentity *identity)
{
    return identity->authority;
}

int64_t
tls_identity_get_expiry(const TlsIdentity *identity)
{
    return identity->expiry;
}

gnutls_certificate_credentials_t
tls_identity_get_credentials(const TlsIdentity *identity)
{
    return identity->credentials;
}

const gnutls_datum_t *
tls_identity_get_ticket_key(const TlsIdentity *identity)
{
    return &identity->ticket_key;
}
