/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Safety is in the TLS inside the tunnel: GIO does not check a proxy's certificate, so the proxy is asked in clear, and
 * the host's certificate is checked against "ca" and "host-subject" instead of a name that only we know.
 */
#include "web-ui/server/tunnel/viewer_file.h"

#include "web-ui/server/tunnel/connect.h"

#define GROUP "virt-viewer"
#define NAME_MAX_BYTES 64

char *
viewer_file_make(const ViewerFile *file)
{
    g_autoptr(GKeyFile) keys = g_key_file_new();
    g_autofree char *host = g_strconcat(file->ticket, CONNECT_DOMAIN, NULL);
    g_autofree char *proxy = g_strdup_printf("http://%s:%u", file->host->host, file->host->port);

    g_key_file_set_string(keys, GROUP, "type", "spice");
    g_key_file_set_string(keys, GROUP, "host", host);
    g_key_file_set_integer(keys, GROUP, "tls-port", 1);
    g_key_file_set_string(keys, GROUP, "password", file->password);
    g_key_file_set_string(keys, GROUP, "proxy", proxy);
    if (file->authority)
        g_key_file_set_string(keys, GROUP, "ca", file->authority);
    g_key_file_set_string(keys, GROUP, "host-subject", file->subject);
    g_key_file_set_string(keys, GROUP, "secure-channels", "all");
    g_key_file_set_string(keys, GROUP, "title", file->title);
    g_key_file_set_string(keys, GROUP, "release-cursor", "ctrl+alt");
    g_key_file_set_string(keys, GROUP, "toggle-fullscreen", "shift+f11");
    g_key_file_set_integer(keys, GROUP, "enable-usbredir", 1);
    g_key_file_set_integer(keys, GROUP, "delete-this-file", 1);
    return g_key_file_to_data(keys, NULL, NULL);
}

char *
viewer_file_name(const char *title)
{
    g_autoptr(GString) name = g_string_new(NULL);

    for (; *title && name->len < NAME_MAX_BYTES; title++) {
        if (g_ascii_isalnum(*title))
            g_string_append_c(name, *title);
        else if (name->len && name->str[name->len - 1] != '-')
            g_string_append_c(name, '-');
    }
    while (name->len && name->str[name->len - 1] == '-')
        g_string_truncate(name, name->len - 1);
    return g_strconcat(name->len ? name->str : "desktop", ".vv", NULL);
}
