/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/network/command.h"

#include "appliance/network/network.h"

#include <gio/gio.h>
#include <string.h>

static bool
cannot_run(const char *program, const GError *why, GError **error)
{
    g_autofree char *path = g_find_program_in_path(program);

    if (path)
        g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_FAILED, "%s does not run: %s", program, why->message);
    else
        g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_UNAVAILABLE, "the program %s is missing: install it", program);
    return false;
}

static bool
complained(const char *program, char *words, GError **error)
{
    const char *first = words ? g_strstrip(words) : "";

    g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_FAILED, "%s: %.*s", program, (int)strcspn(first, "\n"),
                *first ? first : "it failed and says nothing");
    return false;
}

bool
network_command(const char *const *arguments, const char *input, char **output, GError **error)
{
    g_autoptr(GError) inner = NULL;
    g_autoptr(GSubprocess) process = NULL;
    g_autofree char *said = NULL, *words = NULL;
    GSubprocessFlags flags = G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE;

    process = g_subprocess_newv(arguments, flags | (input ? G_SUBPROCESS_FLAGS_STDIN_PIPE : 0), &inner);
    if (!process)
        return cannot_run(arguments[0], inner, error);
    if (!g_subprocess_communicate_utf8(process, input, NULL, &said, &words, &inner) &&
        !g_error_matches(inner, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE)) {
        g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_FAILED, "%s: %s", arguments[0], inner->message);
        return false;
    }
    if (!g_subprocess_get_successful(process))
        return complained(arguments[0], words, error);
    if (output)
        *output = g_steal_pointer(&said);
    return true;
}
