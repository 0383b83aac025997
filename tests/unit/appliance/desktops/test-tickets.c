/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/tickets.h"

#include "appliance/desktops/desktops.h"

#include <string.h>

#define SECOND INT64_C(1000000)

static const Ticket anna = {(char *)"desk", (char *)"anna", (char *)"session", (char *)"caller"};

static char *
issue(Tickets *tickets, const Ticket *who, int64_t now)
{
    g_autoptr(GError) error = NULL;
    char *text = tickets_issue(tickets, who, now, &error);

    g_assert_no_error(error);
    return text;
}

static void
test_names_a_desktop(void)
{
    Tickets *tickets = tickets_new();
    g_autofree char *text = issue(tickets, &anna, 0), *other = issue(tickets, &anna, 0);
    const Ticket *ticket = tickets_find(tickets, text, 0);

    g_assert_cmpuint(strlen(text), ==, 32);
    g_assert_cmpstr(text, !=, other);
    g_assert_cmpstr(ticket->desktop, ==, "desk");
    g_assert_cmpstr(ticket->user, ==, "anna");
    g_assert_cmpuint(tickets_of(tickets, "desk", 0), ==, 2);
    g_assert_cmpuint(tickets_of(tickets, "another", 0), ==, 0);
    g_assert_null(tickets_find(tickets, "", 0));
    text[31] = text[31] == '0' ? '1' : '0';
    g_assert_null(tickets_find(tickets, text, 0));
    tickets_free(tickets);
}

static void
test_two_minutes(void)
{
    Tickets *tickets = tickets_new();
    g_autofree char *text = issue(tickets, &anna, 5 * SECOND);

    g_assert_nonnull(tickets_find(tickets, text, 125 * SECOND - 1));
    g_assert_null(tickets_find(tickets, text, 125 * SECOND));
    g_assert_cmpuint(tickets_of(tickets, "desk", 125 * SECOND), ==, 0);
    tickets_free(tickets);
}

static void
test_as_long_as_open(void)
{
    Tickets *tickets = tickets_new();
    g_autofree char *text = issue(tickets, &anna, 0);
    Ticket *ticket = tickets_find(tickets, text, 0);

    ticket->open = 2; /* main and display */
    g_assert_true(tickets_find(tickets, text, 3600 * SECOND) == ticket);
    tickets_closed(tickets, ticket, 3600 * SECOND);
    g_assert_true(tickets_find(tickets, text, 3600 * SECOND) == ticket);
    tickets_closed(tickets, ticket, 3600 * SECOND);
    g_assert_null(tickets_find(tickets, text, 3600 * SECOND));
    tickets_free(tickets);
}

/* A connection that breaks at once may be made again. */
static void
test_within_its_time(void)
{
    Tickets *tickets = tickets_new();
    g_autofree char *text = issue(tickets, &anna, 0);
    Ticket *ticket = tickets_find(tickets, text, 0);

    ticket->open = 1;
    tickets_closed(tickets, ticket, 10 * SECOND);
    g_assert_true(tickets_find(tickets, text, 11 * SECOND) == ticket);
    tickets_free(tickets);
}

static void
test_capped(void)
{
    Tickets *tickets = tickets_new();
    g_autoptr(GError) error = NULL;
    Ticket ben = anna;

    for (unsigned i = 0; i < TICKETS_PER_SESSION; i++)
        g_free(issue(tickets, &anna, 0));
    g_assert_null(tickets_issue(tickets, &anna, 0, &error));
    g_assert_error(error, DESKTOPS_ERROR, DESKTOPS_ERROR_FULL);
    ben.session = (char *)"another";
    g_free(issue(tickets, &ben, 0));
    g_free(issue(tickets, &anna, TICKET_SECONDS * SECOND)); /* those before are over */
    tickets_free(tickets);
}

static bool
is_annas(const Ticket *ticket, void *user)
{
    return !strcmp(ticket->user, "anna");
}

static void
test_void(void)
{
    Tickets *tickets = tickets_new();
    g_autofree char *unused = issue(tickets, &anna, 0), *used = issue(tickets, &anna, 0);

    tickets_find(tickets, used, 0)->open = 1;
    tickets_void(tickets, is_annas, NULL);
    g_assert_null(tickets_find(tickets, unused, 0));
    Ticket *ticket = tickets_find(tickets, used, 0);
    g_assert_nonnull(ticket);
    tickets_closed(tickets, ticket, 0);
    g_assert_null(tickets_find(tickets, used, 0));
    tickets_free(tickets);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tickets/names-a-desktop", test_names_a_desktop);
    g_test_add_func("/tickets/two-minutes", test_two_minutes);
    g_test_add_func("/tickets/as-long-as-open", test_as_long_as_open);
    g_test_add_func("/tickets/within-its-time", test_within_its_time);
    g_test_add_func("/tickets/capped", test_capped);
    g_test_add_func("/tickets/void", test_void);
    return g_test_run();
}
