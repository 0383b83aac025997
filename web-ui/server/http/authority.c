/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/http/authority.h"

#include <string.h>

#define DEFAULT_PORT 443

static bool
parse_port(const char *text, uint16_t *port)
{
    guint64 number;

    if (!*text) {
        *port = DEFAULT_PORT;
        return true;
    }
    if (*text != ':' || strlen(text) > 6 || !g_ascii_string_to_unsigned(text + 1, 10, 1, 65535, &number, NULL))
        return false;
    *port = number;
    return true;
}

/* Without a zone, which means something on one machine alone. */
static bool
is_ipv6(const char *text, gsize len)
{
    g_autofree char *address = g_strndup(text, len);
    g_autoptr(GInetAddress) inet = strchr(address, '%') ? NULL : g_inet_address_new_from_string(address);

    return inet && g_inet_address_get_family(inet) == G_SOCKET_FAMILY_IPV6;
}

/* Letters, digits, dots and dashes, as names of hosts and IPv4 addresses have; underscores are met in the wild. */
static bool
is_name(const char *text, gsize len)
{
    for (gsize i = 0; i < len; i++)
        if (!g_ascii_isalnum(text[i]) && !strchr("-._", text[i]))
            return false;
    return len && text[0] != '.' && text[0] != '-' && !g_strstr_len(text, len, "..");
}

bool
authority_parse(const char *text, Authority *authority)
{
    gsize len;

    if (!text)
        return false;
    if (*text == '[') {
        const char *end = strchr(text, ']');
        if (!end || !is_ipv6(text + 1, end - text - 1))
            return false;
        len = end + 1 - text;
    } else {
        len = strcspn(text, ":");
        if (!is_name(text, len))
            return false;
    }
    if (len >= sizeof(authority->host) || !parse_port(text + len, &authority->port))
        return false;
    memcpy(authority->host, text, len);
    authority->host[len] = '\0';
    return true;
}

void
authority_settle(Authority *authority, GInetAddress *local)
{
    if (g_ascii_strcasecmp(authority->host, "localhost"))
        return;
    bool ours = local && g_inet_address_get_is_loopback(local);
    g_autofree char *address = ours ? g_inet_address_to_string(local) : g_strdup("127.0.0.1");
    bool v6 = strchr(address, ':');
    g_snprintf(authority->host, sizeof(authority->host), v6 ? "[%s]" : "%s", address);
}

bool
authority_is_origin(const Authority *authority, const char *origin)
{
    Authority from;

    return g_str_has_prefix(origin, "https://") && authority_parse(origin + strlen("https://"), &from) &&
           !g_ascii_strcasecmp(from.host, authority->host) && from.port == authority->port;
}
