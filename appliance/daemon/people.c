/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/people.h"

#include "appliance/daemon/caller.h"
#include "ha/store/error.h"

#include <string.h>
#include <time.h>

/* What a user's sessions were begun with. */
typedef struct {
    char *state;    /* a digest of role, second factor and whether they are disabled; NULL: no session has begun yet */
    char *password; /* one of the password's hash */
    char *rehashed; /* one of the hash that the same password is getting; NULL: none */
} Known;

struct People {
    SignIn *sign_in;
    Commands *commands;
    StoreReader *reader;
    SessionEnded ended;
    void *ended_data;
    char *directory_name;
    GHashTable *known; /* user id → Known */
    GHashTable *kept;  /* user id → session id */
    int64_t clock_offset;
};

static void
known_free(void *data)
{
    Known *known = data;

    g_free(known->state);
    g_free(known->password);
    g_free(known->rehashed);
    g_free(known);
}

/* --- the clock --- */

static int64_t
clock_us(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

int64_t
people_now(const People *people)
{
    return clock_us(CLOCK_BOOTTIME) + people->clock_offset;
}

static int64_t
now(void *owner)
{
    return people_now(owner);
}

static int64_t
wall_clock(void *owner)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

/* --- users --- */

static const StoreKind *
user_kind(void)
{
    return store_catalog_find_kind("user");
}

static SignInRole
role_of(const char *word)
{
    for (SignInRole role = 0; role < SIGN_IN_ROLES; role++)
        if (!strcmp(word, sign_in_role_name(role)))
            return role;
    return SIGN_IN_ROLE_USER;
}

static SignInUser *
user_from(GVariant *thing)
{
    SignInUser *user = sign_in_user_new();
    const char *role = "", *source = "";
    gboolean disabled = FALSE;

    g_variant_lookup(thing, "id", "s", &user->id);
    g_variant_lookup(thing, "name", "s", &user->name);
    g_variant_lookup(thing, "role", "&s", &role);
    g_variant_lookup(thing, "source", "&s", &source);
    g_variant_lookup(thing, "disabled", "b", &disabled);
    g_variant_lookup(thing, "password", "s", &user->password_hash);
    g_variant_lookup(thing, "totp", "s", &user->totp_secret);
    g_variant_lookup(thing, "totp_step", "x", &user->totp_step);
    user->role = role_of(role);
    user->from_directory = strcmp(source, "local") != 0;
    user->disabled = disabled;
    return user;
}

static SignInUser *
find_with(People *people, const char *key,
          bool (*read)(StoreReader *, const StoreKind *, const char *, GVariant **, GError **))
{
    g_autoptr(GVariant) thing = NULL;
    g_autoptr(GError) error = NULL;

    if (!read(people->reader, user_kind(), key, &thing, &error))
        g_warning("users cannot be read: %s", error->message);
    return thing ? user_from(thing) : NULL;
}

static SignInUser *
find(void *owner, const char *name)
{
    return find_with(owner, name, store_reader_find_secret);
}

static SignInUser *
find_by_id(void *owner, const char *id)
{
    return find_with(owner, id, store_reader_get_secret);
}

/* --- what their sessions depend on --- */

static char *
digest(const char *text)
{
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text ? text : "", -1);
}

static char *
state_of(const SignInUser *user)
{
    g_autofree char *state =
        g_strdup_printf("%d %d %s", user->role, user->disabled, user->totp_secret ? user->totp_secret : "");

    return digest(state);
}

static Known *
known_of(People *people, const char *user_id)
{
    Known *known = g_hash_table_lookup(people->known, user_id);

    if (!known) {
        known = g_new0(Known, 1);
        g_hash_table_insert(people->known, g_strdup(user_id), known);
    }
    return known;
}

static void
remember(People *people, const SignInUser *user)
{
    Known *known = known_of(people, user->id);

    g_free(known->state);
    g_free(known->password);
    known->state = state_of(user);
    known->password = digest(user->password_hash);
}

void
people_session_began(People *people, const char *user_id)
{
    g_autoptr(SignInUser) user = find_by_id(people, user_id);

    if (user)
        remember(people, user);
}

static bool
is_password_known(const Known *known, const SignInUser *user)
{
    g_autofree char *password = digest(user->password_hash);

    return !g_strcmp0(password, known->password) || !g_strcmp0(password, known->rehashed);
}

static bool
is_as_known(const Known *known, const SignInUser *user)
{
    g_autofree char *state = state_of(user);

    return !g_strcmp0(state, known->state) && is_password_known(known, user);
}

void
people_changed(People *people, const char *user_id)
{
    const Known *known = g_hash_table_lookup(people->known, user_id);
    g_autoptr(SignInUser) user = known ? find_by_id(people, user_id) : NULL;

    if (!known || (user && !known->state && is_password_known(known, user)))
        return;
    if (!user || !is_as_known(known, user))
        sign_in_user_changed(people->sign_in, user_id, user ? g_hash_table_lookup(people->kept, user_id) : NULL);
    g_autoptr(GPtrArray) left = sessions_list(people_sessions(people), user_id);
    if (user && left->len)
        remember(people, user);
    else
        g_hash_table_remove(people->known, user_id);
}

void
people_changed_all(People *people)
{
    g_autoptr(GPtrArray) ids = g_hash_table_get_keys_as_ptr_array(people->known);

    for (guint i = 0; i < ids->len; i++) {
        g_autofree char *id = g_strdup(ids->pdata[i]);
        people_changed(people, id);
    }
}

void
people_keep(People *people, const char *user_id, const char *session_id)
{
    g_hash_table_insert(people->kept, g_strdup(user_id), g_strdup(session_id));
}

void
people_let_go(People *people, const char *user_id)
{
    g_hash_table_remove(people->kept, user_id);
}

/* --- what sign-in has changed --- */

/* The step waits for a command's answer. */
static void
changed(GObject *source, GAsyncResult *result, gpointer data)
{
    SignInStep *step = data;
    g_autoptr(GError) error = NULL;
    g_auto(StoreAnswer) answer = {0};
    bool done = store_submit_finish(result, &answer, &error);

    if (!done && !store_error_is_refusal(error))
        g_warning("a sign-in ends, since the store fails: %s", error->message);
    sign_in_go_on(step, done, answer.result);
}

/* Those of the directory's groups that are known here; an administrator makes them. */
static GVariant *
groups_of(People *people, const DirectoryUser *who)
{
    g_auto(GVariantBuilder) groups = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    const StoreKind *kind = store_catalog_find_kind("group");

    for (guint i = 0; i < who->groups->len; i++) {
        g_autoptr(GVariant) group = NULL;
        const char *id;
        if (!store_reader_find(people->reader, kind, who->groups->pdata[i], &group, NULL) || !group ||
            !g_variant_lookup(group, "id", "&s", &id)) {
            g_message("a rule of the directory's names the group “%s”, which is not there",
                      (const char *)who->groups->pdata[i]);
            continue;
        }
        g_variant_builder_add_parsed(&groups, "{'group': <%s>}", id);
    }
    return g_variant_builder_end(&groups);
}

static void
adopt(void *owner, const DirectoryUser *who, SignInStep *step)
{
    People *people = owner;
    g_auto(GVariantBuilder) fields = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
    g_autofree char *id = g_uuid_string_random();

    g_variant_builder_add(&fields, "{sv}", "user", g_variant_new_string(id));
    g_variant_builder_add(&fields, "{sv}", "source", g_variant_new_string(people->directory_name));
    g_variant_builder_add(&fields, "{sv}", "directory_id", g_variant_new_string(who->id));
    g_variant_builder_add(&fields, "{sv}", "name", g_variant_new_string(who->name));
    if (who->display_name)
        g_variant_builder_add(&fields, "{sv}", "full_name", g_variant_new_string(who->display_name));
    g_variant_builder_add(&fields, "{sv}", "role", g_variant_new_string(sign_in_role_name(who->role)));
    g_variant_builder_add(&fields, "{sv}", "groups", groups_of(people, who));
    commands_submit(people->commands, NULL, "user.arrive", STORE_ACTOR_DAEMON, 0, g_variant_builder_end(&fields),
                    changed, step);
}

static void
take_code(void *owner, const char *user_id, int64_t totp_step, SignInStep *step)
{
    People *people = owner;

    commands_submit(people->commands, NULL, "user.use_totp", STORE_ACTOR_DAEMON, 0,
                    g_variant_new_parsed("{'user': <%s>, 'totp_step': <%x>}", user_id, (gint64)totp_step), changed,
                    step);
}

static void
take_recovery(void *owner, const char *user_id, const char *used, SignInStep *step)
{
    People *people = owner;

    commands_submit(people->commands, NULL, "user.use_recovery", STORE_ACTOR_DAEMON, 0,
                    g_variant_new_parsed("{'user': <%s>, 'digest': <%s>}", user_id, used), changed, step);
}

static void
rehash_answered(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_auto(StoreAnswer) answer = {0};

    if (!store_submit_finish(result, &answer, &error) && !store_error_is_refusal(error))
        g_warning("a password keeps the hash it had, since the store fails: %s", error->message);
}

/* Refused where the password is another meanwhile, which is as well: the next sign-in looks again. */
static void
rehashed(void *owner, const char *user_id, const char *old, const char *hash)
{
    People *people = owner;
    Known *known = known_of(people, user_id);

    g_free(known->rehashed);
    known->rehashed = digest(hash);
    commands_submit(people->commands, NULL, "user.rehash", STORE_ACTOR_DAEMON, 0,
                    g_variant_new_parsed("{'user': <%s>, 'was': <%s>, 'password': <%s>}", user_id, old, hash),
                    rehash_answered, NULL);
}

/* --- what is written down --- */

static void
audit(void *owner, const SignInAudit *said)
{
    People *people = owner;
    bool in = said->reason == SIGN_IN_REASON_NONE;
    g_autoptr(GString) detail = g_string_new(NULL);

    g_string_printf(detail, "%s by %s, %s", in ? "right" : sign_in_reason_word(said->reason),
                    sign_in_way_word(said->way), said->console ? "console" : caller_client_words[said->client]);
    if (said->detail)
        g_string_append_printf(detail, ": %s", said->detail);
    if (said->left_out)
        g_string_append_printf(detail, " (and %u more that were not written down)", said->left_out);
    g_log_structured(G_LOG_DOMAIN, in ? G_LOG_LEVEL_INFO : G_LOG_LEVEL_MESSAGE, "CARREL_USER",
                     said->user_id ? said->user_id : "", "CARREL_ADDRESS", said->source ? said->source : "", "MESSAGE",
                     "sign-in of “%s” from %s: %s", said->name, said->source ? said->source : "here", detail->str);
    if (said->confirm ? in : said->reason == SIGN_IN_REASON_CODE_WANTED)
        return; /* nobody came or was turned away */
    commands_note(people->commands, &(CommandsNote){
                                        .event = in ? "sign-in" : "sign-in-failed",
                                        .name = said->name,
                                        .user = said->user_id,
                                        .address = said->source,
                                        .detail = in && !said->left_out ? NULL : detail->str,
                                    });
}

/* --- the whole --- */

static void
session_ended(void *owner, const Session *session, SessionEnd end)
{
    People *people = owner;

    people->ended(people->ended_data, session, end);
}

static void
settings_from(const DaemonConfig *config, SignInSettings *settings)
{
    sign_in_settings_init(settings);
    settings->password_cost = (unsigned)config->password_cost;
    settings->session_ended = session_ended;
    settings->sessions.idle[SESSION_CLIENT_WEB] = config->idle_minutes * 60 * G_USEC_PER_SEC;
    for (int client = 0; client < SESSION_CLIENTS; client++)
        settings->sessions.absolute[client] = config->hours * 3600 * G_USEC_PER_SEC;
}

People *
people_new(const DaemonConfig *config, Commands *commands, StoreReader *reader, SessionEnded ended, void *data)
{
    static const SignInOps ops = {
        .find = find,
        .find_by_id = find_by_id,
        .adopt = adopt,
        .take_code = take_code,
        .take_recovery = take_recovery,
        .rehashed = rehashed,
        .audit = audit,
        .now = now,
        .wall_clock = wall_clock,
    };
    People *people = g_new0(People, 1);
    SignInSettings settings;

    people->commands = commands;
    people->reader = reader;
    people->ended = ended;
    people->ended_data = data;
    people->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, known_free);
    people->kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    people->clock_offset = g_get_real_time() - clock_us(CLOCK_BOOTTIME);
    settings_from(config, &settings);
    people->sign_in = sign_in_new(&settings, &ops, people);
    return people;
}

void
people_free(People *people)
{
    if (!people)
        return;
    sign_in_free(people->sign_in);
    g_hash_table_unref(people->known);
    g_hash_table_unref(people->kept);
    g_free(people->directory_name);
    g_free(people);
}

SignIn *
people_sign_in(People *people)
{
    return people->sign_in;
}

Sessions *
people_sessions(People *people)
{
    return sign_in_sessions(people->sign_in);
}

bool
people_set_directory(People *people, const DaemonConfig *config, GError **error)
{
    g_autoptr(Directory) directory = config->directory ? directory_new(config->directory, error) : NULL;

    if (config->directory && !directory)
        return false;
    g_free(people->directory_name);
    people->directory_name = g_strdup(config->directory_name);
    sign_in_set_directory(people->sign_in, directory);
    return true;
}

/* --- over a restart --- */

GVariant *
people_save(People *people)
{
    g_auto(GVariantBuilder) known = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{s(ss)}"));
    g_autoptr(GVariant) sessions = sessions_save(people_sessions(people));
    GHashTableIter iter;
    void *id, *value;

    g_hash_table_iter_init(&iter, people->known);
    while (g_hash_table_iter_next(&iter, &id, &value)) {
        const Known *with = value;
        if (with->state && with->password)
            g_variant_builder_add(&known, "{s(ss)}", (const char *)id, with->state, with->password);
    }
    return g_variant_new("(v@a{s(ss)})", sessions, g_variant_builder_end(&known));
}

/* Those of whom the file does not say what their sessions depend on. */
static void
revoke_unknown(People *people)
{
    g_autoptr(GPtrArray) all = sessions_list(people_sessions(people), NULL);

    for (guint i = 0; i < all->len; i++) {
        const Session *session = all->pdata[i];
        g_autofree char *id = g_strdup(session->id);
        if (!g_hash_table_contains(people->known, session->user_id))
            sessions_revoke(people_sessions(people), id);
    }
}

unsigned
people_load(People *people, GVariant *saved)
{
    g_autoptr(GVariant) sessions = NULL;
    g_autoptr(GVariantIter) known = NULL;
    const char *id, *state, *password;

    g_variant_get(saved, PEOPLE_SAVED_TYPE, &sessions, &known);
    sessions_load(people_sessions(people), sessions, people_now(people));
    while (g_variant_iter_next(known, "{&s(&s&s)}", &id, &state, &password)) {
        Known *with = known_of(people, id);
        g_free(with->state);
        g_free(with->password);
        with->state = g_strdup(state);
        with->password = g_strdup(password);
    }
    revoke_unknown(people);
    people_changed_all(people);
    g_autoptr(GPtrArray) left = sessions_list(people_sessions(people), NULL);
    return left->len;
}
