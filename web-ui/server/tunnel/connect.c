/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/tunnel/connect.h"

#include <glib.h>
#include <string.h>

#define TICKET_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* What is left of the head. */
typedef struct {
    const char *at, *end;
} Cursor;

static bool
take_text(Cursor *cursor, const char *text)
{
    size_t len = strlen(text);

    if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, text, len))
        return false;
    cursor->at += len;
    return true;
}

static bool
is_in(char c, const char *characters)
{
    return c && strchr(characters, c);
}

static size_t
take_while(Cursor *cursor, const char *characters)
{
    const char *begin = cursor->at;

    while (cursor->at < cursor->end && is_in(*cursor->at, characters))
        cursor->at++;
    return cursor->at - begin;
}

bool
ticket_is_valid(const char *ticket)
{
    size_t len = strlen(ticket);

    return len >= TICKET_MIN && len <= TICKET_MAX && strspn(ticket, TICKET_CHARACTERS) == len;
}

/* Which port was meant says nothing: there is one socket behind a ticket. */
static bool
take_port(Cursor *cursor)
{
    const char *begin = cursor->at;
    size_t len = take_while(cursor, "0123456789");

    if (!len || len > 5 || *begin == '0')
        return false;
    unsigned port = 0;
    for (size_t i = 0; i < len; i++)
        port = port * 10 + (begin[i] - '0');
    return port <= 65535;
}

static bool
take_version(Cursor *cursor)
{
    return take_text(cursor, "HTTP/1.") && take_while(cursor, "01") == 1 && take_text(cursor, "\r\n");
}

/* A field's name is a token, its value anything printable (RFC 9110, 5.1 and 5.5); none of them matters here. */
static bool
take_field(Cursor *cursor)
{
    static const char token[] = TICKET_CHARACTERS "!#$%&'*+.^`|~";

    if (!take_while(cursor, token) || !take_text(cursor, ":"))
        return false;
    for (; cursor->at < cursor->end && *cursor->at != '\r'; cursor->at++)
        if (((unsigned char)*cursor->at < 0x20 && *cursor->at != '\t') || *cursor->at == 0x7f)
            return false;
    return take_text(cursor, "\r\n");
}

bool
connect_parse(const char *head, size_t len, char ticket[static TICKET_MAX + 1])
{
    Cursor cursor = {head, head + len};

    if (!take_text(&cursor, "CONNECT "))
        return false;
    const char *name = cursor.at;
    size_t name_len = take_while(&cursor, TICKET_CHARACTERS);
    if (name_len < TICKET_MIN || name_len > TICKET_MAX || !take_text(&cursor, CONNECT_DOMAIN ":") ||
        !take_port(&cursor) || !take_text(&cursor, " ") || !take_version(&cursor))
        return false;
    while (!take_text(&cursor, "\r\n"))
        if (!take_field(&cursor))
            return false;
    if (cursor.at != cursor.end)
        return false;
    memcpy(ticket, name, name_len);
    ticket[name_len] = '\0';
    return true;
}
