/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/tunnel/connect.h"

#include <glib.h>
#include <string.h>

#define TICKET "0123456789abcdef0123456789abcdef"
#define LINE "CONNECT " TICKET ".carrel:1 HTTP/1.0\r\n"

static bool
parse(const char *text)
{
    char ticket[TICKET_MAX + 1];
    bool taken = connect_parse(text, strlen(text), ticket);

    if (taken)
        g_assert_cmpstr(ticket, ==, TICKET);
    return taken;
}

static void
test_taken(void)
{
    g_assert_true(parse(LINE "\r\n"));
    g_assert_true(parse("CONNECT " TICKET ".carrel:65535 HTTP/1.1\r\n\r\n"));
    /* As GIO writes it. */
    g_assert_true(
        parse(LINE "Host: " TICKET ".carrel:1\r\nProxy-Connection: keep-alive\r\nUser-Agent: GLib/2.84\r\n\r\n"));
    g_assert_true(parse(LINE "X:\r\nY: a\tb é\r\n\r\n"));
}

static void
test_refused(void)
{
    static const char *const texts[] = {
        "",
        "\r\n\r\n",
        "CONNECT",
        LINE,
        LINE "\n",
        LINE "\r\n\r\n",
        LINE "\r\nx",
        LINE "Host\r\n\r\n",
        LINE ": x\r\n\r\n",
        LINE "A B: x\r\n\r\n",
        LINE " folded: x\r\n\r\n",
        LINE "A: \x01\r\n\r\n",
        LINE "A: x\n\r\n",
        "connect " TICKET ".carrel:1 HTTP/1.0\r\n\r\n",
        "CONNECT " TICKET ".carrel:1\r\n\r\n",
        "CONNECT " TICKET ".carrel:1 HTTP/1.2\r\n\r\n",
        "CONNECT " TICKET ".carrel:1 HTTP/1.00\r\n\r\n",
        "CONNECT " TICKET ".carrel:01 HTTP/1.0\r\n\r\n",
        "CONNECT " TICKET ".carrel:65536 HTTP/1.0\r\n\r\n",
        "CONNECT " TICKET ".carrel: HTTP/1.0\r\n\r\n",
        "CONNECT " TICKET ".carrel:-1 HTTP/1.0\r\n\r\n",
        "CONNECT " TICKET ".CARREL:1 HTTP/1.0\r\n\r\n",
        "CONNECT " TICKET "..carrel:1 HTTP/1.0\r\n\r\n",
        "CONNECT " TICKET ":1 HTTP/1.0\r\n\r\n",
        "CONNECT short.carrel:1 HTTP/1.0\r\n\r\n",
        "CONNECT " TICKET TICKET TICKET ".carrel:1 HTTP/1.0\r\n\r\n",
        "CONNECT [::1]:1 HTTP/1.0\r\n\r\n",
        "CONNECT http://" TICKET ".carrel:1 HTTP/1.0\r\n\r\n",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++)
        if (parse(texts[i]))
            g_error("“%s” was taken", texts[i]);
    char nul[] = LINE "A: x\r\n\r\n";
    char ticket[TICKET_MAX + 1];
    nul[strlen(LINE) + 3] = '\0';
    g_assert_false(connect_parse(nul, sizeof(nul) - 1, ticket));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/connect/taken", test_taken);
    g_test_add_func("/connect/refused", test_refused);
    return g_test_run();
}
