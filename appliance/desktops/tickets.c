/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/tickets.h"

#include "appliance/desktops/desktops.h"
#include "appliance/sign-in/secret.h"

#include <string.h>

#define BYTES 16
#define TAG_BYTES 8

struct Tickets {
    GHashTable *tickets; /* digest → Ticket */
};

static void
ticket_free(void *data)
{
    Ticket *ticket = data;

    g_free(ticket->desktop);
    g_free(ticket->user);
    g_free(ticket->session);
    g_free(ticket->caller);
    g_free(ticket->tag);
    g_free(ticket->address);
    g_free(ticket);
}

Tickets *
tickets_new(void)
{
    Tickets *tickets = g_new0(Tickets, 1);

    tickets->tickets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, ticket_free);
    return tickets;
}

void
tickets_free(Tickets *tickets)
{
    if (!tickets)
        return;
    g_hash_table_unref(tickets->tickets);
    g_free(tickets);
}

static char *
random_text(unsigned n)
{
    uint8_t bytes[BYTES];
    GString *text = g_string_new(NULL);

    g_assert(n <= BYTES);
    secret_random(bytes, n);
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(text, "%02x", bytes[i]);
    return g_string_free(text, FALSE);
}

static bool
is_over(const Ticket *ticket, int64_t now)
{
    return !ticket->open && now >= ticket->expires;
}

static gboolean
remove_if_over(gpointer key, gpointer value, gpointer now)
{
    return is_over(value, *(int64_t *)now);
}

static bool
has_room(Tickets *tickets, const char *session, GError **error)
{
    GHashTableIter iter;
    Ticket *ticket;
    unsigned n = 0;

    g_hash_table_iter_init(&iter, tickets->tickets);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&ticket))
        n += !strcmp(ticket->session, session);
    if (n < TICKETS_PER_SESSION && g_hash_table_size(tickets->tickets) < TICKETS_MAX)
        return true;
    g_set_error(error, DESKTOPS_ERROR, DESKTOPS_ERROR_FULL,
                n < TICKETS_PER_SESSION
                    ? "too many connections wait on this host: try again in two minutes"
                    : "%u connections of this session wait or are open: close some, or wait two minutes",
                n);
    return false;
}

char *
tickets_issue(Tickets *tickets, const Ticket *who, int64_t now, GError **error)
{
    g_hash_table_foreach_remove(tickets->tickets, remove_if_over, &now);
    if (!has_room(tickets, who->session, error))
        return NULL;
    char *text = random_text(BYTES);
    g_autofree char *tag = random_text(TAG_BYTES), *digest = secret_digest(text);
    Ticket issued = *who;
    issued.tag = tag;
    issued.expires = now + TICKET_SECONDS * G_USEC_PER_SEC;
    tickets_put(tickets, digest, &issued);
    return text;
}

Ticket *
tickets_put(Tickets *tickets, const char *digest, const Ticket *from)
{
    Ticket *ticket = g_new0(Ticket, 1);

    ticket->desktop = g_strdup(from->desktop);
    ticket->user = g_strdup(from->user);
    ticket->session = g_strdup(from->session);
    ticket->caller = g_strdup(from->caller);
    ticket->tag = g_strdup(from->tag);
    ticket->address = g_strdup(from->address);
    ticket->expires = from->expires;
    g_hash_table_insert(tickets->tickets, g_strdup(digest), ticket);
    return ticket;
}

void
tickets_tell(Tickets *tickets, const char *desktop, TicketTeller tell, void *user)
{
    GHashTableIter iter;
    const char *digest;
    Ticket *ticket;

    g_hash_table_iter_init(&iter, tickets->tickets);
    while (g_hash_table_iter_next(&iter, (gpointer *)&digest, (gpointer *)&ticket))
        if (!strcmp(ticket->desktop, desktop))
            tell(user, digest, ticket);
}

Ticket *
tickets_find_tag(Tickets *tickets, const char *desktop, const char *tag)
{
    GHashTableIter iter;
    Ticket *ticket;

    g_hash_table_iter_init(&iter, tickets->tickets);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&ticket))
        if (!strcmp(ticket->tag, tag) && !strcmp(ticket->desktop, desktop))
            return ticket;
    return NULL;
}

Ticket *
tickets_find(Tickets *tickets, const char *text, int64_t now)
{
    g_autofree char *digest = secret_digest(text);
    Ticket *ticket = g_hash_table_lookup(tickets->tickets, digest);

    return ticket && !is_over(ticket, now) ? ticket : NULL;
}

void
tickets_closed(Tickets *tickets, Ticket *ticket, int64_t now)
{
    g_assert(ticket->open > 0);
    if (--ticket->open == 0)
        g_hash_table_foreach_remove(tickets->tickets, remove_if_over, &now);
}

unsigned
tickets_of(Tickets *tickets, const char *desktop, int64_t now)
{
    GHashTableIter iter;
    Ticket *ticket;
    unsigned n = 0;

    g_hash_table_iter_init(&iter, tickets->tickets);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&ticket))
        n += !strcmp(ticket->desktop, desktop) && !is_over(ticket, now);
    return n;
}

void
tickets_void(Tickets *tickets, TicketJudge is_void, void *user)
{
    GHashTableIter iter;
    Ticket *ticket;

    g_hash_table_iter_init(&iter, tickets->tickets);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&ticket)) {
        if (!is_void(ticket, user))
            continue;
        ticket->expires = G_MININT64;
        if (!ticket->open)
            g_hash_table_iter_remove(&iter);
    }
}
