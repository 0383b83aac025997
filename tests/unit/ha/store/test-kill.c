/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that applies commands is killed at any moment, again and again: what it leaves is always what some number
 * of whole commands make. CARREL_KILL_ROUNDS says how often.
 */
#include "house.h"
#include "workload.h"

#include "ha/store/snapshot.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEED 7
#define ROUNDS 15
/* How long a process lives at most, in us: most shortly, so that opening is hit; some until the log is written back. */
#define LIFE_SHORT 60000
#define LIFE_LONG 500000

typedef struct {
    char *folder, *path;
    Store *model; /* what it should be, in memory */
    int64_t modelled;
} Scene;

static void
apply_place(Store *store, uint32_t place)
{
    g_autoptr(StoreCommand) command = workload_command(SEED, place);
    g_autoptr(GError) error = NULL;
    g_auto(StoreAnswer) answer = {0};

    if (!store_apply(store, command, &answer, &error) && !store_error_is_refusal(error))
        g_error("%s", error->message);
}

/* The child, until it is killed. */
static G_NORETURN void
apply_for_ever(const char *path)
{
    g_autoptr(GError) error = NULL;
    Store *store = store_open(path, &error);
    int64_t sequence;

    g_assert_no_error(error);
    store_sequence(store, &sequence, &error);
    g_assert_no_error(error);
    for (;; sequence++)
        apply_place(store, sequence);
}

static void
run_and_kill(Scene *scene, int life_max)
{
    pid_t child = fork();

    g_assert_no_errno(child);
    if (!child)
        apply_for_ever(scene->path);
    g_usleep(g_test_rand_int_range(0, life_max));
    g_assert_no_errno(kill(child, SIGKILL));
    int status;
    g_assert_no_errno(waitpid(child, &status, 0));
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static char *
digest_of(Store *store, const char *folder)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, "state", NULL);
    g_autofree char *bytes = NULL;
    gsize len;

    store_snapshot(store, path, &error);
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)bytes, len);
}

static void
compare(Scene *scene)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Store) left = store_open(scene->path, &error);
    int64_t sequence;

    g_assert_no_error(error);
    g_assert_true(store_sequence(left, &sequence, &error));
    g_assert_cmpint(sequence, >=, scene->modelled); /* what was done once stays done */
    for (; scene->modelled < sequence; scene->modelled++)
        apply_place(scene->model, scene->modelled);
    g_autofree char *is = digest_of(left, scene->folder);
    g_autofree char *should = digest_of(scene->model, scene->folder);
    g_assert_cmpstr(is, ==, should);
}

static void
test_kill(void)
{
    const char *asked = g_getenv("CARREL_KILL_ROUNDS");
    g_autoptr(House) model = house_new();
    Scene scene = {.folder = house_folder(), .model = model->store};

    scene.path = g_build_filename(scene.folder, "carrel.db", NULL);
    for (int round = asked ? atoi(asked) : ROUNDS; round > 0; round--) {
        run_and_kill(&scene, round % 5 ? LIFE_SHORT : LIFE_LONG);
        compare(&scene);
    }
    g_test_message("%" G_GINT64_FORMAT " commands", scene.modelled);
    g_assert_cmpint(scene.modelled, >, 0);
    g_free(scene.path);
    house_forget_folder(scene.folder);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/kill", test_kill);
    return g_test_run();
}
