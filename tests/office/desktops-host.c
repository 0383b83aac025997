/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appliance/desktops without the daemon: a host for tests to give orders to, line by line, and to kill.
 *
 *     desktops-host FOLDER VMM [KEY=NUMBER …]      keys: memory (MiB), scopes (1)
 *
 *     thing KIND ID a{sv}        what the store has of it from now on
 *     no-thing KIND ID
 *     look [KIND ID]             desktops_look()
 *     removed ID                 desktops_removed()
 *     live ID                    → live ID a{sv}
 *     control ID ACTION a{sv}    → done ACTION [JOB], or failed ACTION SENTENCE
 *     connect ID SESSION USER    → ticket TICKET PASSWORD, or failed connect SENTENCE
 *     tunnel TICKET              → tunnel, with the socket passed over FOLDER/door; or failed tunnel SENTENCE
 *     picture ID                 → picture BYTES, which are in FOLDER/picture.png
 *     snapshots ID               → snapshots aa{sv}
 *     disallow USER              desktops_check_rights(), in which that user may nothing
 *     gone CARRIER, over SESSION, left USER
 *     follow, unfollow
 *     take ID USER               the desktop of a pool is the user's
 *     memory                     → memory PROMISED ALL
 *     end                        frees everything
 *
 * Unasked it prints: change ID a{sv}; submit COMMAND a{sv}; job ID SENTENCE; job-progress ID N; job-end ID SENTENCE; client ID
 * WHAT CALLER ADDRESS, of which WHAT is a DesktopsClient. GVariants are in their text format. The store of this house is a table that does what commands say.
 */
#include "appliance/desktops/desktops.h"

#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
    char *folder;
    GHashTable *things; /* "kind id" → GVariant */
    Desktops *desktops;
    Storage *storage;
    Networks *networks;
    GMainLoop *loop;
    unsigned jobs;
    GHashTable *cancellables; /* job → GCancellable */
    char *disallowed;
} House;

static void G_GNUC_PRINTF(1, 2) say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

static void
say_variant(const char *what, GVariant *value)
{
    g_autoptr(GVariant) kept = g_variant_ref_sink(value);
    g_autofree char *text = g_variant_print(kept, TRUE);

    say("%s %s", what, text);
}

/* ---- the store ---- */

static char *
key_of(const char *kind, const char *id)
{
    return g_strdup_printf("%s %s", kind, id);
}

static GVariant *
get(void *owner, const char *kind, const char *id)
{
    House *house = owner;
    g_autofree char *key = key_of(kind, id);
    GVariant *thing = g_hash_table_lookup(house->things, key);

    return thing ? g_variant_ref(thing) : NULL;
}

static GPtrArray *
list(void *owner, const char *kind, const char *filter, const char *value)
{
    House *house = owner;
    GPtrArray *found = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);
    g_autofree char *prefix = key_of(kind, "");
    GHashTableIter iter;
    const char *key, *has;
    GVariant *thing;

    g_hash_table_iter_init(&iter, house->things);
    while (g_hash_table_iter_next(&iter, (gpointer *)&key, (gpointer *)&thing)) {
        if (!g_str_has_prefix(key, prefix))
            continue;
        has = NULL;
        if (filter)
            g_variant_lookup(thing, filter, "&s", &has);
        if (!filter || !g_strcmp0(has, value))
            g_ptr_array_add(found, g_variant_ref(thing));
    }
    return found;
}

static void
put(House *house, const char *kind, const char *id, GVariant *thing)
{
    g_hash_table_insert(house->things, key_of(kind, id), g_variant_ref_sink(thing));
}

/* The fields of a command over those of the thing. */
static void
merge(House *house, const char *kind, const char *id, GVariant *fields)
{
    g_autoptr(GVariant) old = get(house, kind, id);
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(old);
    GVariantIter iter;
    const char *key;
    GVariant *value;

    g_variant_iter_init(&iter, fields);
    while (g_variant_iter_loop(&iter, "{&sv}", &key, &value))
        g_variant_dict_insert_value(&dict, key, value);
    g_variant_dict_insert(&dict, "id", "s", id);
    put(house, kind, id, g_variant_dict_end(&dict));
    desktops_look(house->desktops, kind, id);
}

static void
release(House *house, const char *id)
{
    g_autoptr(GVariant) old = get(house, "desktop", id);
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(old);

    g_variant_dict_remove(&dict, "user");
    put(house, "desktop", id, g_variant_dict_end(&dict));
    desktops_look(house->desktops, "desktop", id);
}

static void
submit(void *owner, DesktopsCaller caller, const char *command, GVariant *fields, DesktopsSubmitted done, void *data)
{
    House *house = owner;
    g_autoptr(GVariant) kept = g_variant_ref_sink(fields);
    g_autofree char *what = g_strdup_printf("submit %s", command);
    g_auto(GStrv) words = g_strsplit(command, ".", 2);
    const char *id = NULL;

    say_variant(what, kept);
    g_variant_lookup(kept, words[0], "&s", &id);
    if (!strcmp(words[1], "delete")) {
        g_autofree char *key = key_of(words[0], id);
        g_hash_table_remove(house->things, key);
        if (!strcmp(words[0], "desktop"))
            desktops_removed(house->desktops, id);
    } else if (!strcmp(words[1], "release")) {
        release(house, id);
    } else if (id) {
        merge(house, words[0], id, kept);
    }
    done(data, NULL);
}

/* ---- what is told ---- */

static void
changed(void *owner, const char *desktop, GVariant *what)
{
    g_autofree char *line = g_strdup_printf("change %s", desktop);

    say_variant(line, what);
}

static char *
job_begin(void *owner, DesktopsCaller caller, const char *desktop, const char *what, GCancellable *cancellable)
{
    House *house = owner;
    char *id = g_strdup_printf("job%u", house->jobs++);

    g_hash_table_insert(house->cancellables, g_strdup(id), g_object_ref(cancellable));
    say("job %s %s", id, what);
    return id;
}

static void
job_progress(void *owner, const char *job, double progress)
{
    say("job-progress %s %.2f", job, progress);
}

static void
job_end(void *owner, const char *job, const GError *error)
{
    say("job-end %s %s", job, error ? error->message : "");
}

static void
client(void *owner, const char *desktop, DesktopsClient what, DesktopsCaller caller, const char *address)
{
    say("client %s %d %s %s", desktop, (int)what, caller, address);
}

static const DesktopsOps ops = {
    .get = get,
    .list = list,
    .submit = submit,
    .changed = changed,
    .job_begin = job_begin,
    .job_progress = job_progress,
    .job_end = job_end,
    .client = client,
};

/* ---- orders ---- */

static void
do_thing(House *house, char **words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) thing = g_variant_parse(G_VARIANT_TYPE("a{sv}"), words[2], NULL, NULL, &error);

    if (thing)
        put(house, words[0], words[1], thing);
    else
        say("failed thing %s", error->message);
}

static void
do_no_thing(House *house, char **words)
{
    g_autofree char *key = key_of(words[0], words[1]);

    g_hash_table_remove(house->things, key);
}

static void
do_look(House *house, char **words)
{
    desktops_look(house->desktops, words[0], words[0] ? words[1] : NULL);
}

static void
do_removed(House *house, char **words)
{
    desktops_removed(house->desktops, words[0]);
}

static void
do_live(House *house, char **words)
{
    g_autofree char *line = g_strdup_printf("live %s", words[0]);
    GVariant *live = desktops_live(house->desktops, words[0]);

    say_variant(line, live ? live : g_variant_new_parsed("@a{sv} {}"));
}

static void
controlled(void *data, const char *job, const GError *error)
{
    g_autofree char *action = data;

    if (error)
        say("failed %s %s", action, error->message);
    else
        say("done %s %s", action, job);
}

static void
do_control(House *house, char **words)
{
    g_autoptr(GVariant) options =
        g_variant_parse(G_VARIANT_TYPE("a{sv}"), words[2] ? words[2] : "{}", NULL, NULL, NULL);

    desktops_control(house->desktops, "tester", words[0], words[1], options, controlled, g_strdup(words[1]));
}

static void
connected(void *data, const DesktopsTicket *ticket, const GError *error)
{
    if (error)
        say("failed connect %s", error->message);
    else
        say("ticket %s %s", ticket->ticket, ticket->password);
}

static void
do_connect(House *house, char **words)
{
    desktops_connect(house->desktops, "tester", words[1], words[2], words[0], connected, NULL);
}

static void
hand_out(House *house, int fd)
{
    g_autofd int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    char t = 't';
    struct iovec byte = {&t, 1};
    struct msghdr message = {
        .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};

    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    g_snprintf(address.sun_path, sizeof address.sun_path, "%s/door", house->folder);
    if (connect(door, (struct sockaddr *)&address, sizeof address) < 0 || sendmsg(door, &message, 0) < 0)
        say("failed tunnel the door: %s", g_strerror(errno));
}

static void
tunnelled(void *data, int fd, const GError *error)
{
    if (error) {
        say("failed tunnel %s", error->message);
        return;
    }
    hand_out(data, fd);
    close(fd);
    say("tunnel");
}

static void
do_tunnel(House *house, char **words)
{
    desktops_open_tunnel(house->desktops, words[0], "192.0.2.7", "carrier", tunnelled, house);
}

static void
seen(void *data, int fd, uint64_t number, const GError *error)
{
    House *house = data;
    g_autofree char *path = g_build_filename(house->folder, "picture.png", NULL);
    char bytes[65536];
    ssize_t n, all = 0;

    if (error) {
        say("failed picture %s", error->message);
        return;
    }
    FILE *file = fopen(path, "w");
    while ((n = read(fd, bytes, sizeof bytes)) > 0) {
        fwrite(bytes, 1, (size_t)n, file);
        all += n;
    }
    fclose(file);
    close(fd);
    say("picture %zd", all);
}

static void
do_picture(House *house, char **words)
{
    desktops_screenshot(house->desktops, words[0], DESKTOPS_PICTURE_OF_LIST, 0, seen, house);
}

static void
listed(void *data, GVariant *snapshots, const GError *error)
{
    if (error)
        say("failed snapshots %s", error->message);
    else
        say_variant("snapshots", snapshots);
}

static void
do_snapshots(House *house, char **words)
{
    desktops_snapshots(house->desktops, words[0], listed, NULL);
}

static bool
may_use(void *owner, const char *user, const char *desktop)
{
    return strcmp(user, ((House *)owner)->disallowed) != 0;
}

static void
do_disallow(House *house, char **words)
{
    house->disallowed = words[0];
    desktops_check_rights(house->desktops, may_use);
    house->disallowed = NULL;
}

static void
do_gone(House *house, char **words)
{
    desktops_carrier_gone(house->desktops, words[0]);
}

static void
do_over(House *house, char **words)
{
    desktops_session_over(house->desktops, words[0], false);
}

static void
do_left(House *house, char **words)
{
    desktops_user_left(house->desktops, words[0]);
}

static void
do_follow(House *house, char **words)
{
    desktops_follow(house->desktops);
}

static void
do_unfollow(House *house, char **words)
{
    desktops_unfollow(house->desktops);
}

static void
do_memory(House *house, char **words)
{
    uint64_t promised, all;

    desktops_memory(house->desktops, &promised, &all);
    say("memory %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, promised, all);
}

static void
do_cancel(House *house, char **words)
{
    GCancellable *cancellable = g_hash_table_lookup(house->cancellables, words[0]);

    if (cancellable)
        g_cancellable_cancel(cancellable);
}

static void
do_take(House *house, char **words)
{
    g_autoptr(GVariant) fields =
        g_variant_ref_sink(g_variant_new_parsed("@a{sv} {'user': <%s>, 'desktop': <%s>}", words[1], words[0]));

    merge(house, "desktop", words[0], fields);
}

static void
do_end(House *house, char **words)
{
    g_main_loop_quit(house->loop);
}

static const struct {
    const char *name;
    void (*run)(House *house, char **words);
    int words;
} orders[] = {
    {"thing", do_thing, 3},         {"no-thing", do_no_thing, 2}, {"look", do_look, 2},
    {"removed", do_removed, 1},     {"live", do_live, 1},         {"control", do_control, 3},
    {"connect", do_connect, 3},     {"tunnel", do_tunnel, 1},     {"picture", do_picture, 1},
    {"snapshots", do_snapshots, 1}, {"disallow", do_disallow, 1}, {"gone", do_gone, 1},
    {"over", do_over, 1},           {"left", do_left, 1},         {"follow", do_follow, 0},
    {"unfollow", do_unfollow, 0},   {"memory", do_memory, 0},     {"cancel", do_cancel, 1},
    {"take", do_take, 2},           {"end", do_end, 0},
};

static void
do_line(House *house, const char *line)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(orders); i++) {
        g_auto(GStrv) words = g_strsplit(line, " ", orders[i].words + 1);
        if (words[0] && !strcmp(words[0], orders[i].name)) {
            orders[i].run(house, words + 1);
            return;
        }
    }
    say("failed what is “%s”", line);
}

static gboolean
on_input(GIOChannel *channel, GIOCondition condition, gpointer user)
{
    House *house = user;
    g_autofree char *line = NULL;

    switch (g_io_channel_read_line(channel, &line, NULL, NULL, NULL)) {
    case G_IO_STATUS_NORMAL:
        do_line(house, g_strchomp(line));
        return G_SOURCE_CONTINUE;
    case G_IO_STATUS_AGAIN:
        return G_SOURCE_CONTINUE;
    default:
        g_main_loop_quit(house->loop);
        return G_SOURCE_REMOVE;
    }
}

/* ---- life ---- */

static bool
open_rooms(House *house, GError **error)
{
    g_autofree char *disks = g_build_filename(house->folder, "storage", NULL);
    g_autofree char *runtime = g_build_filename(house->folder, "network-run", NULL);
    g_autofree char *state = g_build_filename(house->folder, "network", NULL);
    const StorageConfig config = {.kind = STORAGE_FILES, .folder = disks};
    const NetworkOptions options = {.manage = false, .runtime = runtime, .state = state};

    house->storage = storage_open(&config, NULL, error);
    if (house->storage)
        house->networks = networks_new(&options, error);
    return house->networks && networks_set_rows(house->networks, NULL, 0, error);
}

static bool
open_house(House *house, const char *vmm, char **more, GError **error)
{
    g_autofree char *state = g_build_filename(house->folder, "desktops", NULL);
    g_autofree char *run = g_build_filename(house->folder, "run", NULL);
    DesktopsSettings settings = {.host = "house",
                                 .state = state,
                                 .run = run,
                                 .vmm = vmm,
                                 .swtpm = "/usr/bin/swtpm",
                                 .uid_first = 64600,
                                 .uids = 100};

    for (; *more; more++) {
        if (g_str_has_prefix(*more, "memory="))
            settings.memory = strtoull(*more + strlen("memory="), NULL, 10) << 20;
        else if (!strcmp(*more, "scopes=1"))
            settings.scopes = true;
    }
    if (!open_rooms(house, error))
        return false;
    settings.storage = house->storage;
    settings.networks = house->networks;
    house->desktops = desktops_new(&settings, &ops, house, error);
    return house->desktops != NULL;
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    House house = {.folder = argv[1],
                   .things = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_variant_unref),
                   .cancellables = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_object_unref),
                   .loop = g_main_loop_new(NULL, FALSE)};
    g_autoptr(GIOChannel) input = g_io_channel_unix_new(STDIN_FILENO);

    if (argc < 3 || !open_house(&house, argv[2], argv + 3, &error)) {
        say("failed start %s", error ? error->message : "usage");
        return 1;
    }
    g_io_channel_set_flags(input, G_IO_FLAG_NONBLOCK, NULL);
    g_io_add_watch(input, G_IO_IN | G_IO_HUP, on_input, &house);
    say("ready");
    g_main_loop_run(house.loop);
    desktops_free(house.desktops);
    networks_free(house.networks);
    storage_free(house.storage);
    g_hash_table_unref(house.things);
    g_hash_table_unref(house.cancellables);
    g_main_loop_unref(house.loop);
    say("ended");
    return 0;
}
