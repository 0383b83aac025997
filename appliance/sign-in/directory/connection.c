/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a directory's server. libldap's calls are used in their asynchronous form, each followed by a wait until
 * the deadline, since those that wait by themselves have no time limit of ours.
 */
#include "appliance/sign-in/directory/connection.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SYSTEM_AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"
/* What one answer may take: a user in some thousand groups fits. */
#define ANSWER_BYTES_MAX (ber_len_t)(8 * 1024 * 1024)

struct DirectoryConnection {
    const DirectoryConfig *config;
    char *server;
    LDAP *ldap;
    int authorities; /* descriptor of the file with the certificates; -1: the system's */
    int64_t deadline;
};

typedef LDAPMessage Message;
static void
message_free(Message *message)
{
    ldap_msgfree(message);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Message, message_free)

/* What is left until the deadline, and no more than @most µs; false: nothing. */
static bool
time_left(const DirectoryConnection *connection, int64_t most, struct timeval *left)
{
    int64_t us = MIN(connection->deadline - g_get_monotonic_time(), most);

    if (us <= 0)
        return false;
    *left = (struct timeval){us / G_USEC_PER_SEC, us % G_USEC_PER_SEC};
    return true;
}

/* libldap wants a file. This one has no name, and nobody else can change it. */
static int
file_of(const char *pem)
{
    int fd = memfd_create("authorities", MFD_CLOEXEC);
    size_t len = strlen(pem);

    if (fd >= 0 && write(fd, pem, len) != (ssize_t)len) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool
set(LDAP *ldap, int option, const void *value)
{
    return ldap_set_option(ldap, option, value) == LDAP_OPT_SUCCESS;
}

static bool
set_up_tls(DirectoryConnection *connection, GError **error)
{
    static const int demand = LDAP_OPT_X_TLS_DEMAND, no_revocation_lists = LDAP_OPT_X_TLS_CRL_NONE, client = 0,
                     oldest = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2,
                     alternative_names =
                         LDAP_OPT_X_TLS_TRY; /* where there are some, the subject's name does not count */
    LDAP *ldap = connection->ldap;
    g_autofree char *path = g_strdup(SYSTEM_AUTHORITIES);

    if (connection->config->ca) {
        connection->authorities = file_of(connection->config->ca);
        g_free(path);
        path = g_strdup_printf("/proc/self/fd/%d", connection->authorities);
    }
    if (!set(ldap, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) ||
        !set(ldap, LDAP_OPT_X_TLS_REQUIRE_SAN, &alternative_names) ||
        !set(ldap, LDAP_OPT_X_TLS_PROTOCOL_MIN, &oldest) || !set(ldap, LDAP_OPT_X_TLS_CRLCHECK, &no_revocation_lists) ||
        !set(ldap, LDAP_OPT_X_TLS_CACERTDIR, NULL) || !set(ldap, LDAP_OPT_X_TLS_CACERTFILE, path) ||
        !set(ldap, LDAP_OPT_X_TLS_CERTFILE, NULL) || !set(ldap, LDAP_OPT_X_TLS_KEYFILE, NULL) ||
        !set(ldap, LDAP_OPT_X_TLS_NEWCTX, &client)) {
        g_set_error(error, DIRECTORY_ERROR, DIRECTORY_ERROR_CONFIG, "ca: %s",
                    connection->config->ca ? "the certificates cannot be read"
                                           : "the system has no trusted certificates");
        return false;
    }
    return true;
}

static bool
set_up(DirectoryConnection *connection, GError **error)
{
    static const int version = LDAP_VERSION3;
    static const ber_len_t answer_max = ANSWER_BYTES_MAX;
    struct timeval connect_time;
    LDAP *ldap = connection->ldap;
    Sockbuf *socket = NULL;

    if (!time_left(connection, connection->config->connect_time, &connect_time)) {
        directory_failure_of_call(LDAP_TIMEOUT, NULL, connection->server, "connecting", error);
        return false;
    }
    if (!set(ldap, LDAP_OPT_PROTOCOL_VERSION, &version) || !set(ldap, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) ||
        !set(ldap, LDAP_OPT_RESTART, LDAP_OPT_ON) || !set(ldap, LDAP_OPT_NETWORK_TIMEOUT, &connect_time) ||
        !set(ldap, LDAP_OPT_TIMEOUT, &connect_time)) {
        directory_failure_of_call(LDAP_LOCAL_ERROR, NULL, connection->server, "connecting", error);
        return false;
    }
    if (ldap_get_option(ldap, LDAP_OPT_SOCKBUF, &socket) == LDAP_OPT_SUCCESS && socket)
        ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_MAX_INCOMING, (void *)&answer_max);
    return set_up_tls(connection, error);
}

static char *
diagnostic_of(LDAP *ldap)
{
    char *said = NULL;
    char *copy;

    ldap_get_option(ldap, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
    copy = g_strdup(said);
    ldap_memfree(said);
    return copy;
}

static bool
fail(DirectoryConnection *connection, int result, const char *diagnostic, const char *what, GError **error)
{
    directory_failure_of_call(result, diagnostic, connection->server, what, error);
    return false;
}

static bool
fail_to_connect(DirectoryConnection *connection, int result, GError **error)
{
    g_autofree char *said = diagnostic_of(connection->ldap);

    directory_failure_of_connection(result, said, connection->server, error);
    return false;
}

/* The whole answer to a message; NULL: there is none in time. */
static Message *
wait_for(DirectoryConnection *connection, int message_id, const char *what, GError **error)
{
    struct timeval left;
    LDAPMessage *answer = NULL;
    int kind = 0, result = LDAP_TIMEOUT;

    if (time_left(connection, INT64_MAX, &left))
        kind = ldap_result(connection->ldap, message_id, LDAP_MSG_ALL, &left, &answer);
    if (kind > 0)
        return answer;
    if (kind < 0)
        ldap_get_option(connection->ldap, LDAP_OPT_RESULT_CODE, &result);
    else
        ldap_abandon_ext(connection->ldap, message_id, NULL, NULL);
    fail(connection, result, NULL, what, error);
    return NULL;
}

/* RFC 4511, 4.14. A server, or somebody between, who says no ends it: nothing more is said in the clear. */
static bool
start_tls(DirectoryConnection *connection, GError **error)
{
    g_autoptr(Message) answer = NULL;
    int message_id, result = LDAP_SUCCESS;

    result = ldap_start_tls(connection->ldap, NULL, NULL, &message_id);
    if (result != LDAP_SUCCESS)
        return fail_to_connect(connection, result, error);
    answer = wait_for(connection, message_id, "asking for TLS", error);
    if (!answer)
        return false;
    if (ldap_parse_result(connection->ldap, answer, &result, NULL, NULL, NULL, NULL, 0) != LDAP_SUCCESS ||
        result != LDAP_SUCCESS) {
        g_set_error(error, DIRECTORY_ERROR, DIRECTORY_ERROR_NO_TLS,
                    "%s: it refuses StartTLS (%s), and passwords are not sent in the clear", connection->server,
                    ldap_err2string(result));
        return false;
    }
    result = ldap_install_tls(connection->ldap);
    return result == LDAP_SUCCESS || fail_to_connect(connection, result, error);
}

DirectoryConnection *
directory_connection_open(const DirectoryConfig *config, const char *server, int64_t deadline, GError **error)
{
    g_autoptr(DirectoryConnection) connection = g_new0(DirectoryConnection, 1);
    int result;

    connection->config = config;
    connection->server = g_strdup(server);
    connection->deadline = deadline;
    connection->authorities = -1;
    result = ldap_initialize(&connection->ldap, server);
    if (result != LDAP_SUCCESS) {
        fail(connection, result, NULL, "connecting", error);
        return NULL;
    }
    if (!set_up(connection, error))
        return NULL;
    result = ldap_connect(connection->ldap);
    if (result != LDAP_SUCCESS) {
        fail_to_connect(connection, result, error);
        return NULL;
    }
    if (!ldap_tls_inplace(connection->ldap) && !start_tls(connection, error))
        return NULL;
    if (!ldap_tls_inplace(connection->ldap)) {
        g_set_error(error, DIRECTORY_ERROR, DIRECTORY_ERROR_NO_TLS, "%s: no TLS", server);
        return NULL;
    }
    return g_steal_pointer(&connection);
}

void
directory_connection_free(DirectoryConnection *connection)
{
    if (!connection)
        return;
    if (connection->ldap)
        ldap_unbind_ext(connection->ldap, NULL, NULL);
    if (connection->authorities >= 0)
        close(connection->authorities);
    g_free(connection->server);
    g_free(connection);
}

/* The error in the password policy's control; -1: none. */
static int
policy_of(LDAP *ldap, LDAPControl **controls)
{
    LDAPControl *control = ldap_control_find(LDAP_CONTROL_PASSWORDPOLICYRESPONSE, controls, NULL);
    LDAPPasswordPolicyError policy = PP_noError;
    ber_int_t expires, logins_left;

    if (!control || ldap_parse_passwordpolicy_control(ldap, control, &expires, &logins_left, &policy) != LDAP_SUCCESS ||
        policy == PP_noError)
        return -1;
    return (int)policy;
}

/* What the server says to a simple bind; false: it says nothing. */
static bool
bind_as(DirectoryConnection *connection, const char *dn, const char *password, DirectoryOutcome *outcome,
        char **diagnostic, GError **error)
{
    struct berval secret = {strlen(password), (char *)password};
    LDAPControl policy = {.ldctl_oid = (char *)LDAP_CONTROL_PASSWORDPOLICYREQUEST};
    LDAPControl *ask[] = {&policy, NULL}, **controls = NULL;
    g_autoptr(Message) answer = NULL;
    char *said = NULL;
    int message_id, result;

    g_assert(*dn && *password);
    result = ldap_sasl_bind(connection->ldap, dn, LDAP_SASL_SIMPLE, &secret, ask, NULL, &message_id);
    if (result != LDAP_SUCCESS)
        return fail(connection, result, NULL, "signing in", error);
    answer = wait_for(connection, message_id, "signing in", error);
    if (!answer)
        return false;
    result = ldap_parse_result(connection->ldap, answer, &outcome->result, NULL, &said, NULL, &controls, 0);
    if (result != LDAP_SUCCESS)
        return fail(connection, result, NULL, "signing in", error);
    outcome->policy = policy_of(connection->ldap, controls);
    ldap_controls_free(controls);
    *diagnostic = g_strdup(said);
    outcome->diagnostic = *diagnostic;
    ldap_memfree(said);
    return true;
}

bool
directory_connection_bind_service(DirectoryConnection *connection, GError **error)
{
    DirectoryOutcome outcome;
    g_autofree char *said = NULL;
    const DirectoryConfig *config = connection->config;

    if (!bind_as(connection, config->service_dn, config->service_password, &outcome, &said, error))
        return false;
    return outcome.result == LDAP_SUCCESS ||
           fail(connection, outcome.result, said, "signing in as the service account", error);
}

bool
directory_connection_bind_user(DirectoryConnection *connection, const char *dn, const char *password, GError **error)
{
    DirectoryOutcome outcome;
    g_autofree char *said = NULL;

    return bind_as(connection, dn, password, &outcome, &said, error) && !directory_failure_of_bind(&outcome, error);
}

static void
entry_free(void *data)
{
    DirectoryEntry *entry = data;

    g_free(entry->dn);
    g_hash_table_unref(entry->values);
    g_free(entry);
}

/* A copy with a zero byte behind its end, which does not count. */
static GBytes *
bytes_of(const struct berval *value)
{
    char *copy = g_malloc(value->bv_len + 1);

    memcpy(copy, value->bv_val, value->bv_len);
    copy[value->bv_len] = 0;
    return g_bytes_new_take(copy, value->bv_len);
}

static void
add_values(DirectoryEntry *entry, const char *attribute, struct berval **values)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);

    for (unsigned i = 0; values && values[i]; i++)
        g_ptr_array_add(list, bytes_of(values[i]));
    g_hash_table_insert(entry->values, g_ascii_strdown(attribute, -1), list);
}

static DirectoryEntry *
entry_of(LDAP *ldap, LDAPMessage *message)
{
    DirectoryEntry *entry = g_new0(DirectoryEntry, 1);
    char *dn = ldap_get_dn(ldap, message);
    BerElement *at = NULL;

    entry->dn = g_strdup(dn ? dn : "");
    ldap_memfree(dn);
    entry->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    for (char *name = ldap_first_attribute(ldap, message, &at); name; name = ldap_next_attribute(ldap, message, at)) {
        struct berval **values = ldap_get_values_len(ldap, message, name);
        add_values(entry, name, values);
        ldap_value_free_len(values);
        ldap_memfree(name);
    }
    ber_free(at, 0);
    return entry;
}

static GPtrArray *
entries_of(LDAP *ldap, LDAPMessage *answer)
{
    GPtrArray *entries = g_ptr_array_new_with_free_func(entry_free);

    for (LDAPMessage *message = ldap_first_entry(ldap, answer); message; message = ldap_next_entry(ldap, message))
        g_ptr_array_add(entries, entry_of(ldap, message));
    return entries;
}

GPtrArray *
directory_connection_search(DirectoryConnection *connection, const char *base, int scope, const char *filter,
                            const char *const *attributes, unsigned most, GError **error)
{
    static const char what[] = "searching";
    g_autoptr(Message) answer = NULL;
    g_autoptr(GPtrArray) entries = NULL;
    g_autofree char *said = NULL;
    struct timeval left;
    char *diagnostic = NULL;
    int message_id, result = LDAP_TIMEOUT;

    if (time_left(connection, INT64_MAX, &left))
        result = ldap_search_ext(connection->ldap, base, scope, filter, (char **)attributes, 0, NULL, NULL, &left,
                                 (int)most + 1, &message_id);
    if (result != LDAP_SUCCESS) {
        fail(connection, result, NULL, what, error);
        return NULL;
    }
    answer = wait_for(connection, message_id, what, error);
    if (!answer)
        return NULL;
    if (ldap_parse_result(connection->ldap, answer, &result, NULL, &diagnostic, NULL, NULL, 0) != LDAP_SUCCESS)
        result = LDAP_DECODING_ERROR;
    said = g_strdup(diagnostic);
    ldap_memfree(diagnostic);
    entries = entries_of(connection->ldap, answer);
    if (entries->len > most || (result == LDAP_SIZELIMIT_EXCEEDED && entries->len == most)) {
        g_set_error(error, DIRECTORY_ERROR, DIRECTORY_ERROR_AMBIGUOUS, "%s: more than %u entries fit",
                    connection->server, most);
        return NULL;
    }
    if (result != LDAP_SUCCESS) {
        fail(connection, result, said, what, error);
        return NULL;
    }
    return g_steal_pointer(&entries);
}

GPtrArray *
directory_entry_values(const DirectoryEntry *entry, const char *attribute)
{
    g_autofree char *key = g_ascii_strdown(attribute, -1);
    GPtrArray *values = g_hash_table_lookup(entry->values, key);

    return values && values->len ? values : NULL;
}

const char *
directory_entry_text(const DirectoryEntry *entry, const char *attribute)
{
    GPtrArray *values = directory_entry_values(entry, attribute);
    size_t len;
    const char *text = values ? g_bytes_get_data(g_ptr_array_index(values, 0), &len) : NULL;

    return text && len && strlen(text) == len && g_utf8_validate(text, -1, NULL) ? text : NULL;
}
