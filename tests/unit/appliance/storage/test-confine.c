/* SPDX-License-Identifier: Apache-2.0 */
/* carrel-confine, by what programs in it can do: shells and Python of the host's own /usr. Wants root, as carreld has. */
#include "place.h"

#include "appliance/storage/program.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UID "64511"
#define UID_NUMBER 64511
#define MIB (1 << 20)

typedef struct {
    int in, out;
    char *said;
    GError *error;
} Run;

static char *scratch;

/* With a name: one that has none cannot be mounted. */
static int
new_file(const char *name, const char *bytes)
{
    g_autofree char *path = g_build_filename(scratch, name, NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(pwrite(fd, bytes, strlen(bytes), 0), ==, (ssize_t)strlen(bytes));
    g_assert_cmpint(fchown(fd, UID_NUMBER, UID_NUMBER), ==, 0);
    return fd;
}

static void
remove_file(const char *name)
{
    g_autofree char *path = g_build_filename(scratch, name, NULL);
    g_unlink(path);
}

static void
run_clear(Run *run)
{
    g_clear_fd(&run->in, NULL);
    g_clear_fd(&run->out, NULL);
    g_clear_pointer(&run->said, g_free);
    g_clear_error(&run->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

/* Whether it exits with 0. */
static bool
confined(Run *run, const char *uid, const char *program, const char *argument)
{
    const char *const words[] = {place_confine(), uid, "3", "4", "1048576", program, "-c", argument, NULL};
    Work work = {0};

    run->in = new_file("first", "given");
    run->out = new_file("second", "");
    const int fds[] = {run->in, run->out};
    const Program whole = {words, NULL, fds, 2, .output = &run->said};
    bool done = program_run(&whole, &work, &run->error);
    if (run->error)
        g_test_message("%s", run->error->message);
    return done;
}

static bool
shell(Run *run, const char *script)
{
    return confined(run, UID, "/usr/bin/sh", script);
}

static void
test_root(void)
{
    g_auto(Run) run = {.in = -1, .out = -1};

    g_assert_true(shell(&run, "echo /*"));
    g_assert_cmpstr(run.said, ==, "/bin /in /lib /lib64 /out /sbin /usr\n");
}

static void
test_given_files(void)
{
    g_auto(Run) run = {.in = -1, .out = -1};
    char back[16] = "";

    g_assert_true(shell(&run, "read word </in; echo $word; echo more >/out"));
    g_assert_cmpstr(run.said, ==, "given\n");
    g_assert_cmpint(pread(run.out, back, sizeof(back), 0), ==, 5);
    g_assert_cmpstr(back, ==, "more\n");
}

/* Each script must fail, or be told no. */
static void
test_cannot(gconstpointer script)
{
    g_auto(Run) run = {.in = -1, .out = -1};

    g_assert_false(shell(&run, script));
    g_assert_error(run.error, STORAGE_ERROR, STORAGE_ERROR_FAILED);
}

static void
python_cannot(const char *statement, const char *exception)
{
    g_auto(Run) run = {.in = -1, .out = -1};
    g_autofree char *script = g_strdup_printf("import ctypes, os, socket\n"
                                              "try:\n    %s\nexcept %s as error:\n    print('refused')\n",
                                              statement, exception);

    g_assert_true(confined(&run, UID, "/usr/bin/python3", script));
    g_assert_cmpstr(run.said, ==, "refused\n");
}

static void
test_calls(void)
{
    python_cannot("socket.socket()", "OSError");
    python_cannot("socket.socketpair()", "OSError");
    python_cannot("os.fork()", "OSError");
    python_cannot("os.kill(1, 0)", "OSError");
    python_cannot("os.setuid(0)", "OSError");
    python_cannot("os.unshare(os.CLONE_NEWUSER)", "OSError");
    python_cannot("os.memfd_create('x')", "OSError");
    python_cannot("os.chmod('/out', 0o777)", "OSError");
}

static void
test_who(void)
{
    g_auto(Run) run = {.in = -1, .out = -1};

    g_assert_true(
        confined(&run, UID, "/usr/bin/python3",
                 "import os, resource\n"
                 "print(os.getuid(), os.getgid(), os.getpid(), resource.getrlimit(resource.RLIMIT_CORE)[1])"));
    g_assert_cmpstr(run.said, ==, UID " " UID " 1 0\n");
}

static void
test_not_as_root(void)
{
    g_auto(Run) run = {.in = -1, .out = -1};

    g_assert_false(confined(&run, "0", "/usr/bin/sh", "true"));
    g_assert_nonnull(strstr(run.error->message, "not as root"));
}

static void
test_file_size(void)
{
    g_auto(Run) run = {.in = -1, .out = -1};
    struct stat is;

    g_assert_false(confined(&run, UID, "/usr/bin/python3",
                            "with open('/out', 'r+b', 0) as out:\n    for i in range(64): out.write(bytes(65536))\n"));
    g_assert_cmpint(fstat(run.out, &is), ==, 0);
    g_assert_cmpint(is.st_size, ==, MIB);
}

static void
test_memory(void)
{
    g_auto(Run) run = {.in = -1, .out = -1};

    g_assert_false(confined(&run, UID, "/usr/bin/python3", "x = bytearray(3 << 30)"));
    g_assert_nonnull(strstr(run.error->message, "MemoryError"));
}

static gpointer
cancel_soon(gpointer cancellable)
{
    g_usleep(200000);
    g_cancellable_cancel(cancellable);
    return NULL;
}

static void
test_cancelled(void)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;
    const char *const words[] = {place_confine(), UID, "-1", "-1", "0", "/usr/bin/sleep", "1000", NULL};
    Work work = {cancellable};
    const Program program = {words};
    GThread *thread = g_thread_new("cancel", cancel_soon, cancellable);

    g_assert_false(program_run(&program, &work, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_thread_join(thread);
}

/* The pipe ends when the last that writes to it is gone. */
static void
test_ends_with_its_parent(void)
{
    g_autofree char *script =
        g_strdup_printf("%s " UID " -1 -1 0 /usr/bin/sh -c 'echo; exec /usr/bin/sleep 1000' & wait", place_confine());
    const char *const words[] = {"sh", "-c", script, NULL};
    g_autoptr(GError) error = NULL;
    g_autofd int out = -1;
    GPid parent;
    char byte;

    g_spawn_async_with_pipes(NULL, (char **)words, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                             &parent, NULL, &out, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(read(out, &byte, 1), ==, 1);
    kill(parent, SIGKILL);
    g_assert_cmpint(read(out, &byte, 1), ==, 0);
    waitpid(parent, NULL, 0);
}

static const char *const impossible[] = {
    "read word </etc/passwd",     "read word </tmp/x",    "read word </proc/self/maps",
    "read word </dev/zero",       "echo x >/in",          "echo x >/new",
    "echo x >/usr/new",           "echo x >/usr/bin/sh",  "exec /usr/bin/mount -t proc none /usr",
    "exec /usr/bin/mkdir /usr/x", "exec /usr/bin/rm /in", "exec /usr/bin/ls /tmp",
};

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (geteuid() != 0) {
        g_print("1..0 # SKIP wants root\n");
        return 0;
    }
    scratch = g_dir_make_tmp("carrel-confine-XXXXXX", NULL);
    g_test_add_func("/confine/root", test_root);
    g_test_add_func("/confine/given-files", test_given_files);
    g_test_add_func("/confine/calls", test_calls);
    g_test_add_func("/confine/who", test_who);
    g_test_add_func("/confine/not-as-root", test_not_as_root);
    g_test_add_func("/confine/file-size", test_file_size);
    g_test_add_func("/confine/memory", test_memory);
    g_test_add_func("/confine/cancelled", test_cancelled);
    g_test_add_func("/confine/ends-with-its-parent", test_ends_with_its_parent);
    for (unsigned i = 0; i < G_N_ELEMENTS(impossible); i++) {
        g_autofree char *path = g_strdup_printf("/confine/cannot/%u", i);
        g_test_add_data_func(path, impossible[i], test_cannot);
    }
    int status = g_test_run();
    remove_file("first");
    remove_file("second");
    g_rmdir(scratch);
    g_free(scratch);
    return status;
}
