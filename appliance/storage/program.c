/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/program.h"
#include "appliance/storage/error.h"

#include <glib/gstdio.h>
#include <gio/gunixinputstream.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FIRST_FD 3
#define COMPLAINT_MAX 400
#define OUTPUT_MAX (16u << 20)
#define CHUNK 4096

/* Its standard error goes here, so that it never waits for us to read it. */
static int
complaints_file(GError **error)
{
    int fd = memfd_create("complaints", MFD_CLOEXEC);

    if (fd < 0)
        storage_fail_errno(error, "start a program");
    return fd;
}

static GSubprocess *
start(const Program *program, int complaints, GError **error)
{
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE);

    g_subprocess_launcher_set_environ(launcher, NULL);
    g_subprocess_launcher_setenv(launcher, "LC_ALL", "C.UTF-8", TRUE);
    for (const char *const *pair = program->environment; pair && *pair; pair += 2)
        g_subprocess_launcher_setenv(launcher, pair[0], pair[1], TRUE);
    g_subprocess_launcher_take_stderr_fd(launcher, dup(complaints));
    for (unsigned i = 0; i < program->n_fds; i++)
        g_subprocess_launcher_take_fd(launcher, dup(program->fds[i]), FIRST_FD + (int)i);
    return g_subprocess_launcher_spawnv(launcher, program->words, error);
}

/* Hands on the lines that are whole. */
static bool
hand_on(const Program *program, GString *text, GError **error)
{
    for (;;) {
        size_t length = strcspn(text->str, "\r\n");
        if (length == text->len)
            return true;
        text->str[length] = '\0';
        if (!program->line(text->str, program->user, error))
            return false;
        g_string_erase(text, 0, (gssize)length + 1);
    }
}

static bool
read_all(const Program *program, GSubprocess *process, GString *text, const Work *work, GError **error)
{
    GInputStream *stream = g_subprocess_get_stdout_pipe(process);
    char chunk[CHUNK];

    for (;;) {
        gssize got = g_input_stream_read(stream, chunk, sizeof(chunk), work->cancellable, error);
        if (got <= 0)
            return got == 0;
        if (text->len + (gsize)got > OUTPUT_MAX)
            return storage_fail(error, STORAGE_ERROR_FAILED, "a program says more than anybody could want");
        for (gssize i = 0; i < got; i++)
            g_string_append_c(text, chunk[i] ? chunk[i] : ' ');
        if (program->line && !hand_on(program, text, error))
            return false;
    }
}

/* The end of what it complained of, in one line of valid text. */
static char *
complaint(int fd)
{
    char text[COMPLAINT_MAX + 1];
    off_t length = lseek(fd, 0, SEEK_END);
    ssize_t got = length > 0 ? pread(fd, text, COMPLAINT_MAX, MAX(0, length - COMPLAINT_MAX)) : 0;

    text[MAX(got, 0)] = '\0';
    g_strdelimit(g_strchomp(text), "\r\n\t", ' ');
    return g_utf8_make_valid(text, -1);
}

static bool
succeeded(const Program *program, GSubprocess *process, int complaints, GError **error)
{
    if (g_subprocess_get_if_exited(process) &&
        (g_subprocess_get_exit_status(process) == 0 || g_subprocess_get_exit_status(process) == program->also_fine))
        return true;
    g_autofree char *said = complaint(complaints);
    if (g_subprocess_get_if_signaled(process))
        return storage_fail(error, STORAGE_ERROR_FAILED, "%s was ended by signal %d. %s", program->words[0],
                            g_subprocess_get_term_sig(process), said);
    return storage_fail(error, STORAGE_ERROR_FAILED, "%s", *said ? said : program->words[0]);
}

bool
program_run(const Program *program, const Work *work, GError **error)
{
    g_autofd int complaints = complaints_file(error);
    g_autoptr(GSubprocess) process = complaints < 0 ? NULL : start(program, complaints, error);
    g_autoptr(GString) text = g_string_new(NULL);

    if (!process)
        return false;
    bool read = read_all(program, process, text, work, error);
    if (!read)
        g_subprocess_force_exit(process);
    g_subprocess_wait(process, NULL, NULL);
    if (!read || !succeeded(program, process, complaints, error))
        return false;
    if (program->output)
        *program->output = g_string_free_and_steal(g_steal_pointer(&text));
    return true;
}
