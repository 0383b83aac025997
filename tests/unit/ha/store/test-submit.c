/* SPDX-License-Identifier: Apache-2.0 */
/* Commands handed in on a main loop: answers in order, news before them, and an end that loses nothing. */
#include "house.h"

#include "ha/store/submit.h"

typedef struct {
    unsigned answered, refused, told;
    int64_t last;
} Seen;

static void
hear(int64_t sequence, GPtrArray *changes, void *data)
{
    Seen *seen = data;

    g_assert_cmpint(sequence, ==, ++seen->told);
}

static void
answered(GObject *source, GAsyncResult *result, void *data)
{
    g_auto(StoreAnswer) answer = {0};
    g_autoptr(GError) error = NULL;
    Seen *seen = data;

    g_assert_null(source);
    if (store_submit_finish(result, &answer, &error)) {
        g_assert_cmpint(answer.sequence, ==, seen->last + 1);
        seen->last = answer.sequence;
        seen->answered++;
    } else {
        g_assert_error(error, STORE_ERROR, STORE_ERROR_EXISTS);
        seen->last++;
        seen->refused++;
    }
    g_assert_cmpuint(seen->told, >=, seen->last);
}

static void
hand_in(StoreSubmitter *submitter, Seen *seen, unsigned n)
{
    g_autofree char *host = g_strdup_printf("host%u", n);
    g_autoptr(StoreCommand) command =
        store_command_new("host.add", STORE_ACTOR_CONSOLE, "host1", n, g_variant_new_parsed("{'host': <%s>}", host));

    store_submit(submitter, command, NULL, answered, seen);
}

static void
test_order(void)
{
    g_autoptr(GError) error = NULL;
    Seen seen = {0};
    g_autoptr(StoreSubmitter) submitter = store_submitter_new_alone(store_open_in_memory(&error), hear, &seen);

    for (unsigned i = 0; i < 200; i++)
        hand_in(submitter, &seen, i % 150);
    while (seen.answered + seen.refused < 200)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(seen.answered, ==, 150);
    g_assert_cmpuint(seen.refused, ==, 50);
    g_assert_cmpuint(seen.told, ==, 200);
}

static void
ignore(GObject *source, GAsyncResult *result, void *data)
{
    unsigned *answers = data;
    g_auto(StoreAnswer) answer = {0};

    *answers += store_submit_finish(result, &answer, NULL);
}

/* All that was handed in is in the file when the submitter is gone. */
static void
test_end(void)
{
    char *folder = house_folder();
    g_autofree char *path = g_build_filename(folder, "carrel.db", NULL);
    g_autoptr(GError) error = NULL;
    StoreSubmitter *submitter = store_submitter_new_alone(store_open(path, &error), NULL, NULL);
    unsigned answers = 0;
    int64_t sequence;

    g_assert_no_error(error);
    for (unsigned i = 0; i < 20; i++) {
        g_autofree char *host = g_strdup_printf("host%u", i);
        g_autoptr(StoreCommand) command = store_command_new("host.add", STORE_ACTOR_CONSOLE, "host1", i,
                                                            g_variant_new_parsed("{'host': <%s>}", host));
        store_submit(submitter, command, NULL, ignore, &answers);
    }
    store_submitter_free(submitter);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_cmpuint(answers, ==, 20);
    g_autoptr(Store) store = store_open(path, &error);
    g_assert_true(store_sequence(store, &sequence, &error));
    g_assert_cmpint(sequence, ==, 20);
    g_clear_pointer(&store, store_free);
    house_forget_folder(folder);
}

/* Whoever stops waiting is told so; the command is applied. */
static void
cancelled(GObject *source, GAsyncResult *result, void *data)
{
    g_autoptr(GError) error = NULL;
    g_auto(StoreAnswer) answer = {0};
    bool *done = data;

    g_assert_false(store_submit_finish(result, &answer, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    *done = true;
}

static void
test_cancel(void)
{
    g_autoptr(GError) error = NULL;
    Seen seen = {0};
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(StoreSubmitter) submitter = store_submitter_new_alone(store_open_in_memory(&error), hear, &seen);
    g_autoptr(StoreCommand) command =
        store_command_new("host.add", STORE_ACTOR_CONSOLE, "host1", 1, g_variant_new_parsed("{'host': <'h'>}"));
    bool done = false;

    store_submit(submitter, command, cancellable, cancelled, &done);
    g_cancellable_cancel(cancellable);
    while (!done || !seen.told)
        g_main_context_iteration(NULL, TRUE);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/submit/order", test_order);
    g_test_add_func("/store/submit/end", test_end);
    g_test_add_func("/store/submit/cancel", test_cancel);
    return g_test_run();
}
