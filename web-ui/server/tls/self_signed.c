/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/tls/self_signed.h"

#include <gio/gio.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#define DAY (24 * 60 * 60)
#define DAYS 820
#define RENEW_DAYS 30
#define SERIAL_BYTES 16
/* Says whose it is, and that nobody else has looked at it. */
#define ORGANIZATION "Carrel (made by the host itself)"

typedef struct {
    gnutls_x509_crt_t certificate;
    gnutls_x509_privkey_t key;
} Pair;

static void
pair_clear(Pair *pair)
{
    if (pair->certificate)
        gnutls_x509_crt_deinit(pair->certificate);
    if (pair->key)
        gnutls_x509_privkey_deinit(pair->key);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pair, pair_clear)

static int
add_name(gnutls_x509_crt_t certificate, const char *name)
{
    g_autoptr(GInetAddress) address = g_inet_address_new_from_string(name);

    if (!address)
        return gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, name, strlen(name),
                                                    GNUTLS_FSAN_APPEND);
    return gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, g_inet_address_to_bytes(address),
                                                g_inet_address_get_native_size(address), GNUTLS_FSAN_APPEND);
}

static int
set_serial(gnutls_x509_crt_t certificate)
{
    uint8_t serial[SERIAL_BYTES];
    int code = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and of full length (RFC 5280, 4.1.2.2) */
    return code ? code : gnutls_x509_crt_set_serial(certificate, serial, sizeof(serial));
}

static int
set_subject(gnutls_x509_crt_t certificate, const char *name)
{
    /* A common name has at most 64 characters; which names it is good for is said elsewhere. */
    g_autofree char *common = g_strndup(name, 64);
    int code = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_ORGANIZATION_NAME, 0, ORGANIZATION,
                                             strlen(ORGANIZATION));

    return code ? code
                : gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, common, strlen(common));
}

static int
set_identifier(gnutls_x509_crt_t certificate)
{
    uint8_t id[64];
    size_t len = sizeof(id);
    int code = gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, id, &len);

    return code ? code : gnutls_x509_crt_set_subject_key_id(certificate, id, len);
}

static int
fill(Pair *pair, const char *const *names, int64_t now)
{
    gnutls_x509_crt_t certificate = pair->certificate;
    int code = gnutls_x509_crt_set_version(certificate, 3);

    for (; !code && *names; names++)
        code = add_name(certificate, *names);
    return code
               ?: gnutls_x509_crt_set_key(certificate, pair->key)
               ?: set_serial(certificate)
               ?: gnutls_x509_crt_set_activation_time(certificate, now - DAY) /* clocks differ */
               ?: gnutls_x509_crt_set_expiration_time(certificate, now + (int64_t)DAYS * DAY)
               ?: gnutls_x509_crt_set_basic_constraints(certificate, 0, -1)
               ?: gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE)
               ?: gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0)
               ?: set_identifier(certificate)
               ?: gnutls_x509_crt_sign2(certificate, certificate, pair->key, GNUTLS_DIG_SHA256, 0);
}

static bool
write_pem(const char *path, const gnutls_datum_t *pem, int mode, GError **error)
{
    return g_file_set_contents_full(path, (const char *)pem->data, pem->size,
                                    G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, mode, error);
}

static bool
write_pair(Pair *pair, const char *certificate, const char *key, GError **error)
{
    gnutls_datum_t certificate_pem = {0}, key_pem = {0};
    int code =
        gnutls_x509_crt_export2(pair->certificate, GNUTLS_X509_FMT_PEM, &certificate_pem)
            ?: gnutls_x509_privkey_export2_pkcs8(pair->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &key_pem);
    bool ok = !code && write_pem(key, &key_pem, 0600, error) && write_pem(certificate, &certificate_pem, 0644, error);

    if (code)
        g_set_error(error, G_TLS_ERROR, G_TLS_ERROR_MISC, "no certificate: %s", gnutls_strerror(code));
    if (key_pem.data)
        explicit_bzero(key_pem.data, key_pem.size);
    gnutls_free(certificate_pem.data);
    gnutls_free(key_pem.data);
    return ok;
}

bool
tls_self_signed_make(const char *certificate, const char *key, const char *const *names, int64_t now, GError **error)
{
    g_auto(Pair) pair = {0};
    int code = gnutls_x509_crt_init(&pair.certificate)
                   ?: gnutls_x509_privkey_init(&pair.key)
                   ?: gnutls_x509_privkey_generate(pair.key, GNUTLS_PK_ECDSA,
                                                   GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0)
                   ?: set_subject(pair.certificate, names[0])
                   ?: fill(&pair, names, now);

    if (code) {
        g_set_error(error, G_TLS_ERROR, G_TLS_ERROR_MISC, "no certificate: %s", gnutls_strerror(code));
        return false;
    }
    return write_pair(&pair, certificate, key, error);
}

static bool
is_ours(gnutls_x509_crt_t certificate)
{
    char name[128];
    size_t len = sizeof(name);

    return !gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_ORGANIZATION_NAME, 0, 0, name, &len) &&
           !strcmp(name, ORGANIZATION);
}

bool
tls_self_signed_is_due(const char *path, int64_t now)
{
    g_auto(Pair) pair = {0};
    g_autofree char *pem = NULL;
    gsize len;

    if (!g_file_get_contents(path, &pem, &len, NULL) || gnutls_x509_crt_init(&pair.certificate))
        return false;
    gnutls_datum_t text = {(unsigned char *)pem, len};
    return !gnutls_x509_crt_import(pair.certificate, &text, GNUTLS_X509_FMT_PEM) && is_ours(pair.certificate) &&
           gnutls_x509_crt_get_expiration_time(pair.certificate) < now + RENEW_DAYS * DAY;
}

static void
add(GPtrArray *names, const char *name)
{
    if (name && *name && !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
        g_ptr_array_add(names, g_strdup(name));
}

/* Those of this moment, without what only a neighbour on the same wire can use. */
static void
add_addresses(GPtrArray *names)
{
    struct ifaddrs *all = NULL;

    if (getifaddrs(&all))
        return;
    for (struct ifaddrs *one = all; one; one = one->ifa_next) {
        if (!one->ifa_addr || !(one->ifa_flags & IFF_UP) ||
            (one->ifa_addr->sa_family != AF_INET && one->ifa_addr->sa_family != AF_INET6))
            continue;
        g_autoptr(GSocketAddress) address = g_socket_address_new_from_native(
            one->ifa_addr,
            one->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        GInetAddress *inet = g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(address));
        g_autofree char *text = g_inet_address_to_string(inet);
        if (!g_inet_address_get_is_link_local(inet))
            add(names, text);
    }
    freeifaddrs(all);
}

char **
tls_self_signed_names(const char *const *more)
{
    GPtrArray *names = g_ptr_array_new();

    for (; more && *more; more++)
        add(names, *more);
    add(names, g_get_host_name());
    add(names, "localhost");
    add_addresses(names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}
