/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers say to get into a tunnel: a CONNECT, a Host header, a desktop's name in a file, frames of a WebSocket. */
#include "tests/fuzz/fuzz.h"
#include "web-ui/server/tunnel/connect.h"
#include "web-ui/server/tunnel/viewer_file.h"
#include "web-ui/server/tunnel/websocket.h"

#include <string.h>

static void
check_connect(const char *text, size_t len)
{
    char ticket[TICKET_MAX + 1];

    if (connect_parse(text, len, ticket))
        g_assert_true(ticket_is_valid(ticket));
}

/* Whatever goes into the file comes out of it as it was, and nothing more. */
static void
check_viewer_file(const char *text)
{
    Authority host = {.host = "desk", .port = 443};
    gsize n;

    authority_parse(text, &host);
    const ViewerFile file = {"ticket", text, text, &host, text, text};
    g_autofree char *made = viewer_file_make(&file);
    g_autofree char *name = viewer_file_name(text);
    g_autoptr(GKeyFile) keys = g_key_file_new();
    g_assert_null(strpbrk(name, "/\\\"\r\n;"));
    if (!g_utf8_validate(text, -1, NULL))
        return;
    g_assert_true(g_key_file_load_from_data(keys, made, -1, 0, NULL));
    g_auto(GStrv) groups = g_key_file_get_groups(keys, &n);
    g_assert_cmpuint(n, ==, 1);
    g_autofree char *password = g_key_file_get_string(keys, "virt-viewer", "password", NULL);
    if (*text != '\f' && *text != '\v') /* key files lose these at the beginning; no password and no name has them */
        g_assert_cmpstr(password, ==, text);
    g_autofree char *type = g_key_file_get_string(keys, "virt-viewer", "type", NULL);
    g_assert_cmpstr(type, ==, "spice");
}

/* In one piece and byte by byte the same. */
static void
check_frames(const uint8_t *bytes, size_t len)
{
    WebsocketReader whole = {0}, cut = {0};
    g_autofree uint8_t *copy = g_memdup2(bytes, len), *single = g_memdup2(bytes, len);
    ssize_t n = len ? websocket_read(&whole, copy, len) : 0;
    size_t at = 0;
    ssize_t one = 0;

    for (size_t i = 0; i < len && one >= 0 && !cut.closed; i++) {
        uint8_t byte = bytes[i];
        one = websocket_read(&cut, &byte, 1);
        if (one > 0)
            single[at++] = byte;
    }
    g_assert_true((n < 0) == (one < 0));
    if (n >= 0)
        g_assert_cmpmem(copy, n, single, at);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    g_autofree char *text = g_strndup((const char *)bytes, len);

    check_connect((const char *)bytes, len);
    check_viewer_file(text);
    check_frames(bytes, len);
    return 0;
}
