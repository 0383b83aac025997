/* SPDX-License-Identifier: Apache-2.0 */
/* A directory that says who somebody is: the order of calls on a connection, and which server is asked. */
#include "appliance/sign-in/directory/directory.h"

#include "appliance/sign-in/directory/connection.h"
#include "appliance/sign-in/directory/groups.h"
#include "appliance/sign-in/directory/text.h"

#include <string.h>

struct Directory {
    gatomicrefcount refs;
    DirectoryConfig *config;
    int preferred; /* the server that answered last; atomic */
};

Directory *
directory_new(const DirectoryConfig *config, GError **error)
{
    g_autoptr(DirectoryConfig) copy = directory_config_copy(config);
    Directory *directory;

    if (!directory_config_complete(copy, error))
        return NULL;
    directory = g_new0(Directory, 1);
    g_atomic_ref_count_init(&directory->refs);
    directory->config = g_steal_pointer(&copy);
    return directory;
}

Directory *
directory_ref(Directory *directory)
{
    g_atomic_ref_count_inc(&directory->refs);
    return directory;
}

void
directory_unref(Directory *directory)
{
    if (!directory || !g_atomic_ref_count_dec(&directory->refs))
        return;
    directory_config_free(directory->config);
    g_free(directory);
}

void
directory_user_free(DirectoryUser *user)
{
    if (!user)
        return;
    g_free(user->dn);
    g_free(user->id);
    g_free(user->name);
    g_free(user->display_name);
    g_clear_pointer(&user->groups, g_ptr_array_unref);
    g_free(user);
}

static void
set_wrong(GError **error)
{
    directory_failure_of_bind(&(DirectoryOutcome){.result = LDAP_INVALID_CREDENTIALS, .policy = -1}, error);
}

/* Names that nobody has: they would only be sent to see what happens. */
static bool
is_name(const char *name)
{
    size_t len = strnlen(name, DIRECTORY_NAME_BYTES_MAX + 1);

    if (len == 0 || len > DIRECTORY_NAME_BYTES_MAX || !g_utf8_validate(name, (gssize)len, NULL))
        return false;
    for (const char *at = name; *at; at++)
        if (g_ascii_iscntrl(*at))
            return false;
    return true;
}

/* A template that makes "name@domain" has no escapes: a name with anything else in it would be another way to sign in. */
static bool
fits_template(const char *template, const char *name)
{
    return strchr(template, '=') || !strpbrk(name, "\"/\\[]:;|=,+*?<>@()");
}

/* Windows' way to write a name: "OFFICE\anna" is anna, whom the search finds where users are. */
static const char *
without_domain(const DirectoryConfig *config, const char *name)
{
    const char *domain = config->kind == DIRECTORY_KIND_ACTIVE && !config->user_template ? strchr(name, '\\') : NULL;

    return domain ? domain + 1 : name;
}

typedef struct {
    const DirectoryConfig *config;
    DirectoryConnection *connection;
    const char *name, *password;
} SignIn;

/* The one entry of a search; DIRECTORY_ERROR_WRONG: none. */
static DirectoryEntry *
only_entry(SignIn *sign_in, const char *base, int scope, const char *filter, GPtrArray **entries, GError **error)
{
    const DirectoryConfig *config = sign_in->config;
    const char *const attributes[] = {config->id_attribute, config->name_attribute, config->display_attribute,
                                      config->groups == DIRECTORY_GROUPS_MEMBER_OF ? "memberOf" : NULL, NULL};

    *entries = directory_connection_search(sign_in->connection, base, scope, filter, attributes, 1, error);
    if (!*entries)
        return NULL;
    if ((*entries)->len == 0) {
        set_wrong(error);
        return NULL;
    }
    return g_ptr_array_index(*entries, 0);
}

static DirectoryEntry *
find_user(SignIn *sign_in, GPtrArray **entries, GError **error)
{
    const DirectoryConfig *config = sign_in->config;
    g_autofree char *filter = directory_text_fill(config->user_filter, directory_text_for_filter, sign_in->name, NULL);

    return only_entry(sign_in, config->base, LDAP_SCOPE_SUBTREE, filter, entries, error);
}

/* A bind that cannot succeed, for a name that there is not. */
static void
bind_as_nobody(SignIn *sign_in)
{
    g_autofree char *name = g_uuid_string_random();
    g_autofree char *dn = g_strdup_printf("cn=%s,%s", name, sign_in->config->base);

    directory_connection_bind_user(sign_in->connection, dn, sign_in->password, NULL);
}

/* With an account of our own. The entry is in @entries. */
static DirectoryEntry *
by_search(SignIn *sign_in, GPtrArray **entries, GError **error)
{
    g_autoptr(GError) problem = NULL;
    DirectoryEntry *entry;

    if (!directory_connection_bind_service(sign_in->connection, error))
        return NULL;
    entry = find_user(sign_in, entries, &problem);
    if (!entry) {
        if (g_error_matches(problem, DIRECTORY_ERROR, DIRECTORY_ERROR_WRONG))
            bind_as_nobody(sign_in);
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    return *entry->dn && directory_connection_bind_user(sign_in->connection, entry->dn, sign_in->password, error)
               ? entry
               : NULL;
}

/* By a template: the user's own eyes see the entry. */
static DirectoryEntry *
by_template(SignIn *sign_in, GPtrArray **entries, GError **error)
{
    const char *template = sign_in->config->user_template;
    bool is_dn = strchr(template, '=');
    g_autofree char *who = directory_text_fill(template, is_dn ? directory_text_for_dn : g_strdup, sign_in->name, NULL);

    if (!directory_connection_bind_user(sign_in->connection, who, sign_in->password, error))
        return NULL;
    return is_dn ? only_entry(sign_in, who, LDAP_SCOPE_BASE, "(objectClass=*)", entries, error)
                 : find_user(sign_in, entries, error);
}

static GPtrArray *
groups_in_entry(const DirectoryEntry *entry)
{
    GPtrArray *dns = g_ptr_array_new_with_free_func(g_free);
    GPtrArray *values = directory_entry_values(entry, "memberOf");

    for (unsigned i = 0; values && i < MIN(values->len, DIRECTORY_GROUPS_MAX); i++)
        g_ptr_array_add(dns, g_strdup(g_bytes_get_data(g_ptr_array_index(values, i), NULL)));
    return dns;
}

static GPtrArray *
groups_by_search(SignIn *sign_in, const DirectoryEntry *entry, GError **error)
{
    const DirectoryConfig *config = sign_in->config;
    static const char *const none[] = {LDAP_NO_ATTRS, NULL};
    const char *name = directory_entry_text(entry, config->name_attribute);
    g_autofree char *filter =
        directory_text_fill(config->group_filter, directory_text_for_filter, name ? name : sign_in->name, entry->dn);
    g_autoptr(GPtrArray) found = NULL;
    GPtrArray *dns;

    /* What the user may see is not what the service account may. */
    if (config->service_dn && !directory_connection_bind_service(sign_in->connection, error))
        return NULL;
    found = directory_connection_search(sign_in->connection, config->group_base, LDAP_SCOPE_SUBTREE, filter, none,
                                        DIRECTORY_GROUPS_MAX, error);
    if (!found)
        return NULL;
    dns = g_ptr_array_new_with_free_func(g_free);
    for (unsigned i = 0; i < found->len; i++)
        g_ptr_array_add(dns, g_strdup(((DirectoryEntry *)g_ptr_array_index(found, i))->dn));
    return dns;
}

/* A value that may be bytes (objectGUID) as text that stays the same. */
static char *
id_of(const DirectoryConfig *config, const DirectoryEntry *entry)
{
    const char *text = directory_entry_text(entry, config->id_attribute);
    GPtrArray *values = directory_entry_values(entry, config->id_attribute);
    GString *digits;
    gsize len;
    const uint8_t *bytes = values ? g_bytes_get_data(g_ptr_array_index(values, 0), &len) : NULL;

    if (!bytes || (text && g_ascii_strcasecmp(config->id_attribute, "objectGUID") != 0))
        return g_strdup(text);
    digits = g_string_new(NULL);
    for (gsize i = 0; i < len; i++)
        g_string_append_printf(digits, "%02x", bytes[i]);
    return g_string_free(digits, FALSE);
}

static DirectoryUser *
user_of(SignIn *sign_in, const DirectoryEntry *entry, GError **error)
{
    const DirectoryConfig *config = sign_in->config;
    g_autoptr(GPtrArray) dns =
        config->groups == DIRECTORY_GROUPS_MEMBER_OF ? groups_in_entry(entry) : groups_by_search(sign_in, entry, error);
    g_auto(DirectoryMembership) membership = {0};
    g_autoptr(DirectoryUser) user = g_new0(DirectoryUser, 1);
    const char *name = directory_entry_text(entry, config->name_attribute);

    if (!dns)
        return NULL;
    directory_membership_of(config, dns, &membership);
    if (config->only_by_rule && !membership.by_rule) {
        g_set_error(error, DIRECTORY_ERROR, DIRECTORY_ERROR_NO_GROUP, "the user is in no group that may use Carrel");
        return NULL;
    }
    user->dn = g_strdup(entry->dn);
    user->id = id_of(config, entry);
    user->name = g_strdup(name);
    user->display_name = g_strdup(directory_entry_text(entry, config->display_attribute));
    user->role = membership.role;
    user->groups = g_steal_pointer(&membership.groups);
    if (!user->id || !user->name) {
        g_set_error(error, DIRECTORY_ERROR, DIRECTORY_ERROR_CONFIG, "%s: %s has none that can be read",
                    user->id ? "name_attribute" : "id_attribute", user->dn);
        return NULL;
    }
    return g_steal_pointer(&user);
}

static DirectoryUser *
sign_in_there(SignIn *sign_in, GError **error)
{
    g_autoptr(GPtrArray) entries = NULL;
    const DirectoryEntry *entry =
        sign_in->config->user_template ? by_template(sign_in, &entries, error) : by_search(sign_in, &entries, error);

    return entry ? user_of(sign_in, entry, error) : NULL;
}

/* Whether another server may do better. */
static bool
is_servers_own(const GError *error)
{
    return error->code == DIRECTORY_ERROR_UNREACHABLE || error->code == DIRECTORY_ERROR_NO_TLS ||
           error->code == DIRECTORY_ERROR_NOT_TRUSTED;
}

/* Keeps the first problem, or one that tells more: that a server is down is seen more easily than what its certificate lacks. */
static void
keep_problem(GError **kept, GError *problem)
{
    if (*kept && (problem->code == DIRECTORY_ERROR_UNREACHABLE || (*kept)->code != DIRECTORY_ERROR_UNREACHABLE)) {
        g_error_free(problem);
        return;
    }
    g_clear_error(kept);
    *kept = problem;
}

DirectoryUser *
directory_sign_in(Directory *directory, const char *name, const char *password, GError **error)
{
    const DirectoryConfig *config = directory->config;
    unsigned n = g_strv_length(config->servers), first = (unsigned)g_atomic_int_get(&directory->preferred);
    int64_t deadline = g_get_monotonic_time() + config->time;
    g_autoptr(GError) kept = NULL;

    name = without_domain(config, name);
    /* An empty password would be an anonymous bind, which servers say yes to (RFC 4513, 5.1.2). */
    if (!is_name(name) || !*password || (config->user_template && !fits_template(config->user_template, name))) {
        set_wrong(error);
        return NULL;
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned server = (first + i) % n;
        GError *problem = NULL;
        g_autoptr(DirectoryConnection) connection =
            directory_connection_open(config, config->servers[server], deadline, &problem);
        SignIn sign_in = {config, connection, name, password};
        DirectoryUser *user = connection ? sign_in_there(&sign_in, &problem) : NULL;

        if (user || !is_servers_own(problem)) {
            g_atomic_int_set(&directory->preferred, (int)server);
            if (!user)
                g_propagate_error(error, problem);
            return user;
        }
        keep_problem(&kept, problem);
    }
    g_propagate_error(error, g_steal_pointer(&kept));
    return NULL;
}

bool
directory_try_server(Directory *directory, unsigned server, GError **error)
{
    const DirectoryConfig *config = directory->config;
    static const char *const none[] = {LDAP_NO_ATTRS, NULL};
    g_autoptr(DirectoryConnection) connection =
        directory_connection_open(config, config->servers[server], g_get_monotonic_time() + config->time, error);
    g_autoptr(GPtrArray) found = NULL;

    if (!connection || config->user_template)
        return connection != NULL;
    if (!directory_connection_bind_service(connection, error))
        return false;
    found = directory_connection_search(connection, config->base, LDAP_SCOPE_BASE, "(objectClass=*)", none, 1, error);
    return found != NULL;
}
