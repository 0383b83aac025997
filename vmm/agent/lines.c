/* SPDX-License-Identifier: Apache-2.0 */
/* Lines out of what comes piece by piece. */
#include "vmm/agent/lines.h"

#include <string.h>

#define DELIMITER 0xff
#define SHRINK_ABOVE 4096 /* a rare long answer need not keep its room */

void
agent_lines_init(AgentLines *lines)
{
    *lines = (AgentLines){.text = g_string_new(NULL)};
}

void
agent_lines_finish(AgentLines *lines)
{
    g_string_free(lines->text, TRUE);
    lines->text = NULL;
}

void
agent_lines_clear(AgentLines *lines)
{
    if (lines->text->allocated_len > SHRINK_ABOVE) {
        g_string_free(lines->text, TRUE);
        lines->text = g_string_new(NULL);
    }
    g_string_truncate(lines->text, 0);
    lines->delimited = lines->too_long = lines->whole = false;
}

static void
append(AgentLines *lines, const uint8_t *bytes, size_t len)
{
    if (lines->too_long || len > AGENT_LINE_MAX - lines->text->len) {
        g_string_truncate(lines->text, 0);
        lines->too_long = true;
        return;
    }
    g_string_append_len(lines->text, (const char *)bytes, len);
}

/* How many bytes there are before a line's end or beginning. Each is looked at once, however many of those there are. */
static size_t
plain_run(const uint8_t *bytes, size_t len)
{
    size_t run = 0;
    while (run < len && bytes[run] != '\n' && bytes[run] != DELIMITER)
        run++;
    return run;
}

bool
agent_lines_next(AgentLines *lines, const uint8_t **bytes, size_t *len)
{
    if (lines->whole)
        agent_lines_clear(lines);
    while (*len) {
        size_t run = plain_run(*bytes, *len);
        bool ends = run < *len, begins_anew = ends && (*bytes)[run] == DELIMITER;

        if (begins_anew) {
            agent_lines_clear(lines);
            lines->delimited = true;
        } else {
            append(lines, *bytes, run);
        }
        lines->whole = ends && !begins_anew;
        *bytes += run + ends;
        *len -= run + ends;
        if (lines->whole)
            return true;
    }
    return false;
}
