/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a stream by name: "stdio" or "file:PATH". */
#include "vmm/board/stream_private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
fail(GError **error, const char *where, const char *why)
{
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "cannot open %s: %s", where, why);
    return false;
}

/*
 * A descriptor for the same thing as standard input or output, made non-blocking without making it so for whoever else
 * holds it: by opening it anew. A regular file would be opened at its beginning, and a socket cannot be, so those are
 * duplicated: a file never blocks, and a socket given as standard input is ours alone.
 */
static int
reopen_standard(int fd, int flags)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -1;
    if (S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode)) {
        g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
        int again = open(link, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (again >= 0)
            return again;
    }
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

bool
stream_in_foreground(void)
{
    return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* Keys go to the guest as they are typed; signals stay. */
static void
terminal_to_raw(Stream *stream)
{
    int fd = stream->in.fd;
    if (tcgetattr(fd, &stream->terminal) < 0)
        return;
    struct termios raw = stream->terminal;
    cfmakeraw(&raw);
    raw.c_lflag |= ISIG;
    raw.c_oflag |= OPOST;
    stream->terminal_changed = tcsetattr(fd, TCSANOW, &raw) == 0;
}

static Stream *
open_stdio(bool foreground, GMainContext *context)
{
    bool of_others = isatty(STDIN_FILENO) && !foreground;              /* reading it would stop the process as well */
    int in = of_others ? -1 : reopen_standard(STDIN_FILENO, O_RDONLY); /* nor is there input from one that is closed */
    Stream *stream = stream_new_fds(in, reopen_standard(STDOUT_FILENO, O_WRONLY), context);
    if (in >= 0 && foreground)
        terminal_to_raw(stream);
    return stream;
}

static Stream *
open_file(const char *where, const char *path, GMainContext *context, GError **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
    if (fd < 0) {
        fail(error, where, g_strerror(errno));
        return NULL;
    }
    return stream_new_fds(-1, fd, context);
}

Stream *
stream_open(const char *where, bool foreground, GMainContext *context, GError **error)
{
    if (g_str_equal(where, "stdio"))
        return open_stdio(foreground, context);
    if (g_str_has_prefix(where, "file:"))
        return open_file(where, where + strlen("file:"), context, error);
    errno = EINVAL;
    fail(error, where, "it is neither stdio nor file:PATH");
    return NULL;
}
