/* SPDX-License-Identifier: Apache-2.0 */
/* Lines out of a stream: in pieces, begun anew by 0xff, too long. */
#include "vmm/agent/lines.h"

#include <string.h>

/* Feeds @text in pieces of @piece bytes; what comes out, each line as "flags:text;". */
static char *
feed(const char *text, size_t len, size_t piece)
{
    AgentLines lines;
    GString *out = g_string_new(NULL);

    agent_lines_init(&lines);
    for (size_t at = 0; at < len; at += piece) {
        const uint8_t *bytes = (const uint8_t *)text + at;
        size_t left = MIN(piece, len - at);
        while (agent_lines_next(&lines, &bytes, &left))
            g_string_append_printf(out, "%s%s:%s;", lines.delimited ? "d" : "", lines.too_long ? "l" : "",
                                   lines.text->str);
        g_assert_cmpuint(left, ==, 0);
    }
    agent_lines_finish(&lines);
    return g_string_free_and_steal(out);
}

static void
expect(const char *text, const char *wanted)
{
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        g_autofree char *got = feed(text, strlen(text), piece);
        g_assert_cmpstr(got, ==, wanted);
    }
}

static void
test_lines(void)
{
    expect("one\ntwo\n\nthree", ":one;:two;:;");
    expect("\xff{}\n", "d:{};");
    expect("rubbish\xff{}\nmore\n", "d:{};:more;");
    expect("a\xff\xff"
           "b\xff"
           "c\n\n",
           "d:c;:;");
    expect("line\n\xff", ":line;");
}

static void
test_too_long(void)
{
    size_t len = 3 * AGENT_LINE_MAX;
    g_autofree char *text = g_malloc(len);
    size_t pieces[] = {7, 4096, len};

    memset(text, 'x', len);
    text[AGENT_LINE_MAX] = '\n';         /* just fits */
    text[2 * AGENT_LINE_MAX + 2] = '\n'; /* one more does not */
    memcpy(text + len - 5, "\xffok\n", 4);
    for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++) {
        g_autofree char *got = feed(text, len, pieces[i]);
        g_assert_cmpuint(strlen(got), ==, AGENT_LINE_MAX + 2 + strlen("l:;d:ok;"));
        g_assert_true(g_str_has_suffix(got, "x;l:;d:ok;"));
    }
}

/* Megabytes of nothing but beginnings: were each of them to look at all that follows, this would not end today. */
static void
test_only_beginnings(void)
{
    size_t len = 8 << 20;
    g_autofree char *text = g_malloc(len);

    memset(text, 0xff, len);
    text[len - 1] = '\n';
    g_autofree char *got = feed(text, len, len);
    g_assert_cmpstr(got, ==, "d:;");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent-lines/lines", test_lines);
    g_test_add_func("/agent-lines/too-long", test_too_long);
    g_test_add_func("/agent-lines/only-beginnings", test_only_beginnings);
    return g_test_run();
}
