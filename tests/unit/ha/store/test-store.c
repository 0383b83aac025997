/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that come twice, what listeners hear, and a host that fails. */
#include "house.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>

static int64_t
sequence_of(Store *store)
{
    int64_t sequence;

    g_assert_true(store_sequence(store, &sequence, NULL));
    return sequence;
}

static void
test_again(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autoptr(StoreCommand) command = house_command(house, "group.create", "{'group': <'$g'>, 'name': <'G'>}");
    g_autoptr(GBytes) bytes = store_command_encode(command);
    g_autoptr(StoreCommand) copy = store_command_decode(bytes, NULL);
    g_auto(StoreAnswer) first = {0}, second = {0};

    g_assert_true(store_apply(house->store, command, &first, NULL));
    g_assert_false(first.repeated);
    house_do(house, "group.delete", "{'group': <'$g'>}");
    int64_t before = sequence_of(house->store);
    g_assert_true(store_apply(house->store, copy, &second, NULL));
    g_assert_true(second.repeated);
    g_assert_cmpint(second.sequence, ==, first.sequence);
    g_assert_cmpint(sequence_of(house->store), ==, before);
    g_assert_false(house_has(house, "group", "$g"));
}

static void
test_refused_again(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autoptr(StoreCommand) command = house_command(house, "group.change", "{'group': <'$g'>, 'name': <'G'>}");
    g_autoptr(GError) first = NULL, second = NULL;
    g_auto(StoreAnswer) answer = {0};

    g_assert_false(store_apply(house->store, command, &answer, &first));
    house_do(house, "group.create", "{'group': <'$g'>, 'name': <'F'>}");
    g_assert_false(store_apply(house->store, command, &answer, &second)); /* though it would be done now */
    g_assert_error(second, STORE_ERROR, STORE_ERROR_NOT_FOUND);
    g_assert_cmpstr(second->message, ==, first->message);
    house_assert_column(house, "group", "$g", "name", "'F'");
}

static void
test_id_of_another(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autoptr(StoreCommand) one = house_command(house, "group.create", "{'group': <'$g'>, 'name': <'G'>}");
    g_autoptr(StoreCommand) named = house_command(house, "group.create", "{'group': <'$g'>, 'name': <'H'>}");
    g_autoptr(StoreCommand) other =
        store_command_new_full(one->id, one->name, one->actor, one->origin, one->time, 0, named->fields);
    g_autoptr(GError) error = NULL;
    g_auto(StoreAnswer) answer = {0};

    g_assert_true(store_apply(house->store, one, &answer, NULL));
    g_assert_false(store_apply(house->store, other, &answer, &error));
    g_assert_error(error, STORE_ERROR, STORE_ERROR_RULE);
    g_assert_nonnull(strstr(error->message, "was used for another command"));
}

/* The answer was lost, so it comes once more: later, through the other host, the password hashed anew. */
static void
test_sent_again(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autoptr(StoreCommand) one = house_command(
        house, "user.create", "{'user': <'$u'>, 'name': <'U'>, 'password': <'$y$j9T$aaaaaaaa$bbbbbbbb'>}");
    g_autoptr(StoreCommand) again = house_command(
        house, "user.create", "{'user': <'$u'>, 'name': <'U'>, 'password': <'$y$j9T$cccccccc$dddddddd'>}");
    g_autoptr(StoreCommand) sent =
        store_command_new_full(one->id, again->name, again->actor, "another", one->time + 5, 0, again->fields);
    g_auto(StoreAnswer) first = {0}, second = {0};
    g_autoptr(GError) error = NULL;

    g_assert_true(store_apply(house->store, one, &first, &error));
    g_assert_no_error(error);
    g_assert_true(store_apply(house->store, sent, &second, &error));
    g_assert_no_error(error);
    g_assert_true(second.repeated);
    g_assert_cmpint(second.sequence, ==, first.sequence);
}

/* What is malformed takes no place in the history; what is refused does. */
static void
test_places(void)
{
    g_autoptr(House) house = house_new_furnished();
    int64_t before = sequence_of(house->store);

    house_refuse(house, STORE_ERROR_UNKNOWN, "there is no command group.paint", "group.paint", "@a{sv} {}");
    house_refuse(house, STORE_ERROR_FIELD, "group: it is missing", "group.create", "{'name': <'G'>}");
    g_assert_cmpint(sequence_of(house->store), ==, before);
    house_refuse(house, STORE_ERROR_NOT_FOUND, "no group", "group.delete", "{'group': <'$nothing'>}");
    g_assert_cmpint(sequence_of(house->store), ==, before + 1);
    g_autofree char *filler = g_strnfill(4000, 'x');
    g_autoptr(GString) records = g_string_new("{'desktop': <'$d'>, 'name': <'D'>, 'disks': <[");
    for (unsigned i = 0; i < 20; i++)
        g_string_append_printf(records, "%s{'type': <'%s'>}", i ? ", " : "", filler);
    g_string_append(records, "]>}");
    house_refuse(house, STORE_ERROR_FIELD, "disks: there can be", "desktop.create", records->str);
}

typedef struct {
    int64_t sequence;
    unsigned calls;
    char *said; /* "made group …" for each */
} Heard;

static void
hear(int64_t sequence, GPtrArray *changes, void *data)
{
    static const char *const words[] = {"made", "changed", "removed"};
    g_autoptr(GString) said = g_string_new(NULL);
    Heard *heard = data;

    for (guint i = 0; i < changes->len; i++) {
        const StoreChange *change = changes->pdata[i];
        g_assert_cmpint(change->sequence, ==, sequence);
        g_string_append_printf(said, "%s %s %.8s; ", words[change->type], change->kind, change->thing);
    }
    g_free(heard->said);
    *heard = (Heard){
        .sequence = sequence, .calls = heard->calls + 1, .said = g_string_free_and_steal(g_steal_pointer(&said))};
}

static void
test_listener(void)
{
    g_autoptr(House) house = house_new_furnished();
    Heard heard = {0};

    house_do(house, "desktop.create",
             "{'desktop': <'$d'>, 'name': <'D'>, 'pool': <'$pool'>, 'memory': <int64 512>, 'vcpus': <int64 1>}");
    house_do(house, "assignment.create", "{'assignment': <'$a'>, 'user': <'$uwe'>, 'pool': <'$pool'>}");
    store_set_listener(house->store, hear, &heard);
    house_do(house, "pool.take", "{'pool': <'$pool'>, 'user': <'$uwe'>}");
    g_autofree char *taken = g_strdup_printf("changed desktop %.8s; ", house_id("d"));
    g_assert_cmpstr(heard.said, ==, taken);
    g_assert_cmpint(heard.sequence, ==, house->sequence);
    house_refuse(house, STORE_ERROR_IN_USE, "in use", "desktop.delete", "{'desktop': <'$d'>}");
    g_assert_cmpstr(heard.said, ==, "");
    g_assert_cmpint(heard.sequence, ==, house->sequence + 1);
    house_refuse(house, STORE_ERROR_FIELD, "missing", "desktop.delete", "@a{sv} {}");
    g_assert_cmpuint(heard.calls, ==, 2);
    g_free(heard.said);
}

/* A disk that is full: the command fails, nothing of it is there, and once there is room it is done. */
static void
test_full_disk(void)
{
    char *folder = house_folder();
    g_autofree char *path = g_build_filename(folder, "carrel.db", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(Store) store = store_open(path, &error);
    g_auto(StoreAnswer) answer = {0};
    struct rlimit was, tight;

    g_assert_no_error(error);
    signal(SIGXFSZ, SIG_IGN);
    g_assert_no_errno(getrlimit(RLIMIT_FSIZE, &was));
    tight = (struct rlimit){.rlim_cur = 4096, .rlim_max = was.rlim_max};
    g_autoptr(StoreCommand) command =
        store_command_new("host.add", "console", "host1", 1, g_variant_new_parsed("{'host': <'h'>}"));
    g_assert_no_errno(setrlimit(RLIMIT_FSIZE, &tight));
    g_assert_false(store_apply(store, command, &answer, &error));
    g_assert_no_errno(setrlimit(RLIMIT_FSIZE, &was));
    g_assert_error(error, STORE_ERROR, STORE_ERROR_IO);
    g_assert_false(store_error_is_refusal(error));
    g_assert_cmpint(sequence_of(store), ==, 0);
    g_clear_error(&error);
    g_assert_true(store_apply(store, command, &answer, &error));
    g_assert_cmpint(answer.sequence, ==, 1);
    g_clear_pointer(&store, store_free);
    house_forget_folder(folder);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/again", test_again);
    g_test_add_func("/store/refused-again", test_refused_again);
    g_test_add_func("/store/id-of-another", test_id_of_another);
    g_test_add_func("/store/sent-again", test_sent_again);
    g_test_add_func("/store/places", test_places);
    g_test_add_func("/store/listener", test_listener);
    g_test_add_func("/store/full-disk", test_full_disk);
    return g_test_run();
}
