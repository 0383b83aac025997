/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what: every call of org.carrel.Host1 in every role, over the daemon's own socket.
 *
 * The house: anna is a user, with the desktop $own and the pool $pool; bert is another, with $other and $lounge; olga is an operator,
 * ada an administrator. $session is the caller's, $self the caller's id (bert's at the console), $bert bert's, $theirs a session of bert's.
 */
#include "appliance/daemon/call.h"
#include "appliance/daemon/host1.h"
#include "appliance/daemon/sight.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

typedef enum { NOBODY, USER, OPERATOR, ADMIN, CONSOLE, ROLES } Role;
static const char *const role_names[ROLES] = {"nobody", "anna", "olga", "ada", "console"};

/*
 * For each role what comes of it. y: they may, whatever else is wrong with the call; F: Forbidden; N: NotFound; S: NotSignedIn.
 */
typedef struct {
    const char *method, *arguments, *outcome; /* nobody, user, operator, admin, console */
} Line;

/* clang-format off */
static const Line table[] = {
    {"SignIn",       "('anna', 'wrong', {'address': <'192.0.2.1'>})",                         "yyyyy"},
    {"SignInCode",   "('x', '000000', {'address': <'192.0.2.1'>})",                           "yyyyy"},
    {"SignOut",      "('$session',)",                                                         "Syyyy"},
    {"GetSession",   "('$session',)",                                                         "Syyyy"},
    {"ListSessions", "('$session',)",                                                         "Syyyy"},
    {"EndSession",   "('$session', '$theirs')",                                               "SNNyy"},
    {"EndSession",   "('$session', '$mine')",                                                 "SyyyN"},
    {"EndSession",   "('$session', 'nothing')",                                               "SNNNN"},
    {"SetPassword",  "('$session', '$self', 'wrong', 'a new one, quite long')",               "Syyyy"},
    {"SetPassword",  "('$session', '$bert', '', 'a new one, quite long')",                    "SNFyy"},
    {"SetPassword",  "('$session', '$nothing', '', 'a new one, quite long')",                 "SNNNN"},
    {"BeginTotp",    "('$session', 'wrong')",                                                 "Syyyy"},
    {"ConfirmTotp",  "('$session', 'AAAA', '000000')",                                        "Syyyy"},
    {"RemoveTotp",   "('$session', '$self', 'wrong')",                                        "Syyyy"},
    {"RemoveTotp",   "('$session', '$bert', '')",                                             "SNFyy"},

    {"Submit",       "('$session', '', 'desktop.want', 0, {'desktop': <'$own'>, 'wanted': <'stopped'>})",        "Syyyy"},
    {"Submit",       "('$session', '', 'desktop.want', 0, {'desktop': <'$other'>, 'wanted': <'stopped'>})",      "SNyyy"},
    {"Submit",       "('$session', '', 'desktop.want', 0, {'desktop': <'$nothing'>, 'wanted': <'stopped'>})",    "SNNNN"},
    {"Submit",       "('$session', '', 'desktop.change', 0, {'desktop': <'$own'>, 'monitors': <int64 2>})",      "SFyyy"},
    {"Submit",       "('$session', '', 'desktop.change', 0, {'desktop': <'$other'>, 'monitors': <int64 2>})",    "SFyyy"},
    {"Submit",       "('$session', '', 'desktop.release', 0, {'desktop': <'$own'>})",                            "SFFyy"},
    {"Submit",       "('$session', '', 'desktop.place', 0, {'desktop': <'$own'>, 'host': <''>})",                "SFFFF"},
    {"Submit",       "('$session', '', 'pool.take', 0, {'pool': <'$pool'>, 'user': <'$anna'>})",                 "Syyyy"},
    {"Submit",       "('$session', '', 'pool.take', 0, {'pool': <'$lounge'>, 'user': <'$anna'>})",            "SNyyy"},
    {"Submit",       "('$session', '', 'pool.take', 0, {'pool': <'$pool'>, 'user': <'$bert'>})",                 "SNyyy"},
    {"Submit",       "('$session', '', 'user.set_password', 0, {'user': <'$bert'>, 'password': <'long enough, it is'>})", "SNFyy"},
    {"Submit",       "('$session', '', 'user.set_password', 0, {'user': <'$self'>, 'password': <'long enough, it is'>})", "SFFFy"},
    {"Submit",       "('$session', '', 'user.set_totp', 0, {'user': <'$self'>, 'totp': <''>})",                  "SFFFF"},
    {"Submit",       "('$session', '', 'user.set_totp', 0, {'user': <'$bert'>, 'totp': <''>})",                  "SFFFF"},
    {"Submit",       "('$session', '', 'user.change', 0, {'user': <'$self'>, 'full_name': <'X'>})",              "SFFyy"},
    {"Submit",       "('$session', '', 'user.create', 0, {'user': <'$new'>, 'name': <'$new'>})",                 "SFFyy"},
    {"Submit",       "('$session', '', 'user.create', 0, {'user': <'$bert'>, 'password': <'short'>})",            "SFFyy"},
    {"Submit",       "('$session', '', 'user.use_totp', 0, {'user': <'$self'>, 'totp_step': <int64 9>})",        "SFFFF"},
    {"Submit",       "('$session', '', 'user.rehash', 0, {'user': <'$self'>, 'was': <'$y$j9T$s$h'>, 'password': <'$y$j9T$s$h'>})", "SFFFF"},
    {"Submit",       "('$session', '', 'user.arrive', 0, {'user': <'$new'>, 'source': <'d'>, 'directory_id': <'1'>, 'name': <'n'>, "
                     "'role': <'admin'>, 'groups': <@aa{sv} []>})",                                              "SFFFF"},
    {"Submit",       "('$session', '', 'assignment.create', 0, {'assignment': <'$new'>, 'user': <'$self'>, 'desktop': <'$room'>})", "SFFyy"},
    {"Submit",       "('$session', '', 'image.create', 0, {'image': <'$new'>, 'name': <'$new'>, 'type': <'disk'>})", "SFyyy"},
    {"Submit",       "('$session', '', 'image.settle', 0, {'image': <'$image'>, 'state': <'failed'>})",          "SFFFF"},
    {"Submit",       "('$session', '', 'template.change', 0, {'template': <'$template'>, 'monitors': <int64 2>})", "SFFyy"},
    {"Submit",       "('$session', '', 'network.change', 0, {'network': <'$network'>, 'isolated': <true>})",     "SFFyy"},
    {"Submit",       "('$session', '', 'policy.change', 0, {'policy': <'$policy'>, 'clipboard': <'both'>})",     "SFFyy"},
    {"Submit",       "('$session', '', 'host.change', 0, {'host': <'desk1'>, 'maintenance': <false>})",          "SFyyy"},
    {"Submit",       "('$session', '', 'setting.change', 0, {'setting': <'pools.left-minutes'>, 'value': <int64 5>})", "SFFyy"},
    {"Submit",       "('$session', '', 'audit.note', 0, {'event': <'sign-in'>})",                                "SFFFF"},
    {"Submit",       "('$session', '', 'audit.prune', 0, {'before': <int64 1>, 'keep': <int64 1000>})",          "SFFyy"},

    {"Get",          "('$session', 'desktop', '$own')",       "Syyyy"},
    {"Get",          "('$session', 'desktop', '$other')",     "SNyyy"},
    {"Get",          "('$session', 'desktop', 'name:other')", "SNyyy"},
    {"Get",          "('$session', 'desktop', '$nothing')",   "SNNNN"},
    {"Get",          "('$session', 'pool', '$pool')",         "Syyyy"},
    {"Get",          "('$session', 'pool', '$lounge')",    "SNyyy"},
    {"Get",          "('$session', 'user', '$self')",         "Syyyy"},
    {"Get",          "('$session', 'user', '$bert')",         "SNyyy"},
    {"Get",          "('$session', 'user', 'name:bert')",     "SNyyy"},
    {"Get",          "('$session', 'host', 'desk1')",         "SNyyy"},
    {"Get",          "('$session', 'setting', 'pools.left-minutes')", "SNyyy"},
    {"Get",          "('$session', 'group', '$group')",       "SNyyy"},
    {"Get",          "('$session', 'network', '$network')",   "SNyyy"},
    {"Get",          "('$session', 'image', '$image')",       "SNyyy"},
    {"Get",          "('$session', 'policy', '$policy')",     "SNyyy"},
    {"Get",          "('$session', 'template', '$template')", "SNyyy"},
    {"Get",          "('$session', 'assignment', '$assignment')", "SNyyy"},
    {"List",         "('$session', 'desktop', {})",           "Syyyy"},
    {"ListAudit",    "('$session', {})",                      "SFFyy"},

    {"ListMine",     "('$session',)",                         "Syyyy"},
    {"GetLive",      "('$session', ['$own', '$other', '$nothing'])", "Syyyy"},
    {"Control",      "('$session', '$own', 'stop', {})",      "Syyyy"},
    {"Control",      "('$session', '$other', 'stop', {})",    "SNyyy"},
    {"Control",      "('$session', '$nothing', 'stop', {})",  "SNNNN"},
    {"Control",      "('$session', '$own', 'snapshot', {})",  "SFyyy"},
    {"Control",      "('$session', '$other', 'snapshot', {})", "SNyyy"},
    {"Control",      "('$session', '$own', 'clone', {})",     "SFFyy"},
    {"Control",      "('$session', '$empty', 'clone', {})",   "SNyyy"},
    {"Control",      "('$session', '$own', 'make-template', {})", "SFFyy"},
    {"ListSnapshots", "('$session', '$own')",                 "SFyyy"},
    {"ListSnapshots", "('$session', '$nothing')",             "SFNNN"},
    {"Screenshot",   "('$session', '$own', 0)",               "SyFFF"},
    {"Screenshot",   "('$session', '$other', 0)",             "SNFFF"},
    {"Screenshot",   "('$session', '$empty', 0)",              "SNyyy"},
    {"Connect",      "('$session', '$own', {'watch': <true>})",   "SFyyy"},
    {"Connect",      "('$session', '$other', {'watch': <true>})", "SNyyy"},
    {"Connect",      "('$session', '$other', {})",            "SNFFF"},
    {"Connect",      "('$session', '$nothing', {})",          "SNNNN"},
    {"OpenTunnel",   "('0123456789abcdef0123456789abcdef', {'address': <'192.0.2.1'>})", "NNNNN"},
    {"AnswerWatch",  "('$session', '$nothing', true)",        "SNNNN"},
    {"EndWatch",     "('$session', '$nothing')",              "SNNNN"},
    {"Upload",       "('$session', '$image', 0)",             "SFyyy"},
    {"Upload",       "('$session', '$nothing', 0)",           "SFNNN"},
    {"ListJobs",     "('$session',)",                         "Syyyy"},
    {"CancelJob",    "('$session', '$nothing')",              "SNNNN"},
    {"GetHost",      "('$session',)",                         "SFyyy"},
    {"ListOrphans",  "('$session',)",                         "SFyyy"},
    {"GetMetrics",   "('$session',)",                         "SFyyy"},

    {"Subscribe",    "('$session', 0)",                       "Syyyy"},
    {"Unsubscribe",  "(uint32 77,)",                          "yyyyy"},
};
/* clang-format on */

/* --- the house --- */

typedef struct {
    char *folder;
    Daemon *daemon;
    GDBusConnection *connection;
    GHashTable *words; /* "$own" → what stands for it */
} House;

static House house;

static void
fill_in(GString *text)
{
    GHashTableIter iter;
    void *word, *stands_for;

    g_hash_table_iter_init(&iter, house.words);
    while (g_hash_table_iter_next(&iter, &word, &stands_for))
        g_string_replace(text, word, stands_for, 0);
}

static void
set_word(const char *word, const char *stands_for)
{
    g_hash_table_insert(house.words, g_strdup(word), g_strdup(stands_for));
}

static void
done(GObject *source, GAsyncResult *result, gpointer data)
{
    *(GAsyncResult **)data = g_object_ref(result);
}

static GVariant *
call(const char *method, const char *arguments, GError **error)
{
    g_autoptr(GString) text = g_string_new(arguments);
    const GDBusMethodInfo *info =
        g_dbus_interface_info_lookup_method((GDBusInterfaceInfo *)&org_carrel_host1_interface, method);
    g_autoptr(GString) type = g_string_new("(");
    g_autoptr(GAsyncResult) result = NULL;
    GError *wrong = NULL;

    for (GDBusArgInfo **in = info->in_args; *in; in++)
        g_string_append(type, (*in)->signature);
    g_string_append_c(type, ')');
    fill_in(text);
    g_autoptr(GVariant) packed = g_variant_parse(G_VARIANT_TYPE(type->str), text->str, NULL, NULL, &wrong);
    g_assert_no_error(wrong);
    g_dbus_connection_call(house.connection, NULL, "/org/carrel/Host1", "org.carrel.Host1", method, packed, NULL,
                           G_DBUS_CALL_FLAGS_NONE, -1, NULL, done, &result);
    while (!result)
        g_main_context_iteration(NULL, TRUE);
    return g_dbus_connection_call_with_unix_fd_list_finish(house.connection, NULL, result, error);
}

/* By the console. */
static void
submit(const char *command, const char *fields)
{
    g_autofree char *arguments = g_strdup_printf("('', '', '%s', 0, %s)", command, fields);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer = call("Submit", arguments, &error);

    g_assert_no_error(error);
}

static void
make(const char *kind, const char *word, const char *fields)
{
    g_autofree char *id = g_uuid_string_random();
    g_autofree char *command = g_strdup_printf("%s.create", kind);
    g_autofree char *all = g_strdup_printf("{'%s': <'%s'>, %s}", kind, id, fields);

    set_word(word, id);
    submit(command, all);
}

static void
furnish(void)
{
    make("user", "$anna", "'name': <'anna'>");
    make("user", "$bert", "'name': <'bert'>");
    make("user", "$olga", "'name': <'olga'>, 'role': <'operator'>");
    make("user", "$ada", "'name': <'ada'>, 'role': <'admin'>");
    make("group", "$group", "'name': <'group'>");
    make("network", "$network", "'name': <'network'>, 'type': <'passt'>");
    make("policy", "$policy", "'name': <'policy'>");
    make("image", "$image", "'name': <'image'>, 'type': <'disk'>");
    make("template", "$template", "'name': <'template'>, 'memory': <int64 64>, 'vcpus': <int64 1>");
    make("desktop", "$own", "'name': <'own'>, 'memory': <int64 64>, 'vcpus': <int64 1>");
    make("desktop", "$other", "'name': <'other'>, 'memory': <int64 64>, 'vcpus': <int64 1>");
    make("desktop", "$empty", "'name': <'empty'>, 'memory': <int64 64>, 'vcpus': <int64 1>");
    make("desktop", "$room", "'name': <'room'>, 'memory': <int64 64>, 'vcpus': <int64 1>");
    make("pool", "$pool", "'name': <'pool'>, 'template': <'$template'>, 'type': <'persistent'>, 'size': <int64 1>");
    make("pool", "$lounge",
         "'name': <'otherpool'>, 'template': <'$template'>, 'type': <'persistent'>, 'size': <int64 1>");
    make("assignment", "$assignment", "'user': <'$anna'>, 'desktop': <'$own'>");
    make("assignment", "$a2", "'user': <'$anna'>, 'pool': <'$pool'>");
    make("assignment", "$a3", "'user': <'$bert'>, 'desktop': <'$other'>");
    make("assignment", "$a4", "'user': <'$bert'>, 'pool': <'$lounge'>");
    submit("setting.change", "{'setting': <'pools.left-minutes'>, 'value': <int64 5>}");
}

static void
write_config(const char *path)
{
    g_autofree char *text =
        g_strdup_printf("[host]\nname=desk1\nstate=%s/state\nruntime=%s/run\n[sign-in]\npassword-cost=3\n"
                        "[network]\nmanage=false\n",
                        house.folder, house.folder);
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(path, text, -1, &error));
    g_assert_no_error(error);
}

static void
connect_to_it(void)
{
    g_autofree char *address = g_strdup_printf("unix:path=%s/run/carreld.socket", house.folder);
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;

    g_dbus_connection_new_for_address(address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, done,
                                      &result);
    while (!result)
        g_main_context_iteration(NULL, TRUE);
    house.connection = g_dbus_connection_new_for_address_finish(result, &error);
    g_assert_no_error(error);
}

static void
open_house(void)
{
    g_autoptr(GError) error = NULL;

    house.folder = g_dir_make_tmp("carrel-authorization-XXXXXX", NULL);
    house.words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autofree char *config = g_build_filename(house.folder, "carreld.conf", NULL);
    write_config(config);
    house.daemon = daemon_new(config, &error);
    g_assert_no_error(error);
    connect_to_it();
    furnish();
}

static void
remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *inside = g_build_filename(path, name, NULL);
        remove_tree(inside);
    }
    g_remove(path);
}

static void
close_house(void)
{
    g_clear_object(&house.connection);
    g_clear_pointer(&house.daemon, daemon_free);
    remove_tree(house.folder);
    g_free(house.folder);
    g_hash_table_unref(house.words);
}

/* --- the callers --- */

/* A session without the way there; its id stands for @id_word. */
static void
begin_session(const char *name, SignInRole role, const char *token_word, const char *id_word)
{
    People *people = house.daemon->people;
    g_autofree char *user_word = g_strconcat("$", name, NULL);
    const char *user = g_hash_table_lookup(house.words, user_word);
    const Session who = {.user_id = user, .user_name = name, .role = role, .client = SESSION_CLIENT_WEB};
    g_autoptr(SecretText) token = sessions_begin(people_sessions(people), &who, people_now(people));

    set_word(token_word, token);
    set_word(id_word, sessions_peek(people_sessions(people), token, SESSION_CLIENT_WEB, people_now(people))->id);
    people_session_began(people, user);
}

static void
come_in(Role role)
{
    static const SignInRole roles[] = {
        [USER] = SIGN_IN_ROLE_USER, [OPERATOR] = SIGN_IN_ROLE_OPERATOR, [ADMIN] = SIGN_IN_ROLE_ADMIN};
    g_autofree char *new_id = g_uuid_string_random();
    g_autofree char *nothing = g_uuid_string_random();

    set_word("$new", new_id);
    set_word("$nothing", nothing);
    begin_session("bert", SIGN_IN_ROLE_USER, "$unused", "$theirs");
    if (role == NOBODY || role == CONSOLE) {
        set_word("$session", role == NOBODY ? "not-a-token" : "");
        set_word("$mine", "none");
        set_word("$self", g_hash_table_lookup(house.words, "$bert"));
        return;
    }
    begin_session(role_names[role], roles[role], "$session", "$mine");
    g_autofree char *word = g_strconcat("$", role_names[role], NULL);
    set_word("$self", g_hash_table_lookup(house.words, word));
}

static char
outcome_of(const GError *error)
{
    g_autofree char *name = error ? g_dbus_error_get_remote_error(error) : NULL;

    if (!name)
        return 'y';
    g_assert_true(g_str_has_prefix(name, "org.carrel.Error."));
    return g_str_has_suffix(name, ".Forbidden")     ? 'F'
           : g_str_has_suffix(name, ".NotFound")    ? 'N'
           : g_str_has_suffix(name, ".NotSignedIn") ? 'S'
                                                    : 'y';
}

static void
test_line(const void *data)
{
    const Line *line = data;

    for (Role role = 0; role < ROLES; role++) {
        g_autoptr(GError) error = NULL;
        come_in(role);
        g_autoptr(GVariant) answer = call(line->method, line->arguments, &error);
        g_test_message("%s: %s", role_names[role], error ? error->message : "done");
        g_assert_cmpint(outcome_of(error), ==, line->outcome[role]);
    }
}

/* A list holds what may be read, and nothing else. */
static void
test_lists(void)
{
    const StoreKind *kind;

    for (unsigned i = 0; (kind = store_catalog_kind(i)); i++) {
        static const unsigned seen[] = {[SIGHT_NONE] = 0, [SIGHT_OWN] = 1};
        g_autofree char *arguments = g_strdup_printf("('$session', '%s', {})", kind->name);
        g_autoptr(GError) error = NULL;
        come_in(USER);
        g_autoptr(GVariant) answer = call("List", arguments, &error);
        g_assert_no_error(error);
        g_autoptr(GVariant) things = g_variant_get_child_value(answer, 0);
        g_assert_cmpuint(g_variant_n_children(things), ==, seen[sight_of(kind, STORE_ROLE_USER)]);
        g_assert_cmpint(sight_of(kind, STORE_ROLE_ADMIN), ==, SIGHT_ALL);
    }
}

static bool
has_line(const char *method)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++)
        if (!strcmp(table[i].method, method))
            return true;
    return false;
}

/* Each call of the interface is offered, and in the table above; and there are no others. */
static void
test_table(void)
{
    unsigned n = 0;

    for (GDBusMethodInfo **method = org_carrel_host1_interface.methods; *method; method++, n++) {
        if (!call_find((*method)->name) || !has_line((*method)->name))
            g_error("the call %s is not offered, or not in the table", (*method)->name);
    }
    g_assert_null(call_kind(n));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (geteuid() != 0) {
        g_print("1..0 # SKIP the console is root's\n");
        return 0;
    }
    open_house();
    g_test_add_func("/authorization/table", test_table);
    g_test_add_func("/authorization/lists", test_lists);
    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autofree char *name = g_strdup_printf("/authorization/%02u-%s", i, table[i].method);
        g_test_add_data_func(name, &table[i], test_line);
    }
    int status = g_test_run();
    close_house();
    return status;
}
