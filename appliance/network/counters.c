/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/network/counters.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool
network_counters_find(const char *text, const char *name, uint64_t *received, uint64_t *sent)
{
    g_autofree char *begin = g_strdup_printf("%s:", name);
    uint64_t in, out;

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += strspn(line, " \n");
        /* proc_pid_net(5): eight figures of what came in, then what went out. */
        if (g_str_has_prefix(line, begin) &&
            sscanf(line + strlen(begin), "%" SCNu64 "%*u%*u%*u%*u%*u%*u%*u%" SCNu64, &in, &out) == 2) {
            *received = in;
            *sent = out;
            return true;
        }
    }
    return false;
}
