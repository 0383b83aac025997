/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/ledger.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A desktop as far as a ledger looks at it. */
typedef struct {
    Desktop desktop;
    Tickets *tickets;
    char *path;
} House;

static void
set_up(House *house, gconstpointer data)
{
    house->desktop.id = g_strdup("desk");
    house->desktop.run = g_dir_make_tmp("carrel-ledger-XXXXXX", NULL);
    house->desktop.password = g_strdup("a password");
    house->desktop.password_is = PASSWORD_SET;
    house->tickets = tickets_new();
    house->path = g_build_filename(house->desktop.run, "tickets", NULL);
}

static void
tear_down(House *house, gconstpointer data)
{
    g_unlink(house->path);
    g_rmdir(house->desktop.run);
    tickets_free(house->tickets);
    g_free(house->path);
    g_free(house->desktop.id);
    g_free(house->desktop.run);
    g_free(house->desktop.password);
}

static char *
issue(House *house, const char *user, int64_t now)
{
    const Ticket who = {
        .desktop = (char *)"desk", .user = (char *)user, .session = (char *)"session", .caller = (char *)"caller"};
    char *text = tickets_issue(house->tickets, &who, now, NULL);

    g_assert_nonnull(text);
    return text;
}

static void
write_it(House *house)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(ledger_write(&house->desktop, house->tickets, &error));
    g_assert_no_error(error);
}

/* As another daemon would. */
static unsigned
read_anew(House *house)
{
    tickets_free(house->tickets);
    house->tickets = tickets_new();
    g_clear_pointer(&house->desktop.password, g_free);
    g_autoptr(GPtrArray) found = ledger_read(&house->desktop, house->tickets);
    return found->len;
}

static void
test_round(House *house, gconstpointer data)
{
    g_autofree char *text = issue(house, "anna", g_get_monotonic_time());
    g_autofree char *tag = g_strdup(tickets_find(house->tickets, text, 0)->tag);

    write_it(house);
    g_assert_cmpuint(read_anew(house), ==, 1);
    const Ticket *ticket = tickets_find(house->tickets, text, g_get_monotonic_time());
    g_assert_nonnull(ticket);
    g_assert_cmpstr(ticket->user, ==, "anna");
    g_assert_cmpstr(ticket->session, ==, "session");
    g_assert_cmpstr(ticket->caller, ==, "caller");
    g_assert_true(tickets_find_tag(house->tickets, "desk", tag) == ticket);
    g_assert_null(tickets_find_tag(house->tickets, "another", tag));
    g_assert_null(ticket->address);
    g_assert_cmpstr(house->desktop.password, ==, "a password");
    g_assert_cmpint(house->desktop.password_is, ==, PASSWORD_NEW);
}

/* What was open may be so still, however long ago its ticket was given out; what was not is over. */
static void
test_over(House *house, gconstpointer data)
{
    int64_t long_ago = g_get_monotonic_time() - 2 * TICKET_SECONDS * G_USEC_PER_SEC;
    g_autofree char *used = issue(house, "anna", long_ago), *unused = issue(house, "ben", long_ago);

    tickets_find(house->tickets, used, long_ago)->address = g_strdup("192.0.2.7");
    write_it(house);
    g_assert_cmpuint(read_anew(house), ==, 1);
    Ticket *ticket = tickets_find(house->tickets, used, long_ago);
    g_assert_nonnull(ticket);
    g_assert_cmpstr(ticket->address, ==, "192.0.2.7");
    g_assert_null(tickets_find(house->tickets, unused, long_ago));
}

static void
test_tells_no_ticket(House *house, gconstpointer data)
{
    g_autofree char *text = issue(house, "anna", g_get_monotonic_time()), *written = NULL;
    struct stat st;

    write_it(house);
    g_assert_true(g_file_get_contents(house->path, &written, NULL, NULL));
    g_assert_null(strstr(written, text));
    g_assert_cmpint(stat(house->path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0600);
}

static void
test_nothing(House *house, gconstpointer data)
{
    g_free(issue(house, "anna", g_get_monotonic_time()));
    write_it(house);
    tickets_free(house->tickets);
    house->tickets = tickets_new();
    write_it(house);
    g_assert_false(g_file_test(house->path, G_FILE_TEST_EXISTS));
    g_assert_cmpuint(read_anew(house), ==, 0);
}

static void
test_of_another_start(House *house, gconstpointer data)
{
    g_autofree char *written = NULL;

    g_free(issue(house, "anna", g_get_monotonic_time()));
    write_it(house);
    g_assert_true(g_file_get_contents(house->path, &written, NULL, NULL));
    char *boot = strstr(written, "boot=");
    g_assert_nonnull(boot);
    boot[strlen("boot=")] ^= 1;
    g_assert_true(g_file_set_contents(house->path, written, -1, NULL));
    g_assert_cmpuint(read_anew(house), ==, 0);
    g_assert_null(house->desktop.password);
}

static void
test_spoilt(House *house, gconstpointer data)
{
    g_autofree char *boot = record_boot();
    g_autofree char *text = g_strdup_printf("[run]\nboot=%s\n[ticket x]\nuser=anna\nexpires=99999999999999\n", boot);

    g_assert_true(g_file_set_contents(house->path, text, -1, NULL));
    g_assert_cmpuint(read_anew(house), ==, 0);
    g_assert_true(g_file_set_contents(house->path, "\xff[", -1, NULL));
    g_assert_cmpuint(read_anew(house), ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/ledger/round", House, NULL, set_up, test_round, tear_down);
    g_test_add("/ledger/over", House, NULL, set_up, test_over, tear_down);
    g_test_add("/ledger/tells-no-ticket", House, NULL, set_up, test_tells_no_ticket, tear_down);
    g_test_add("/ledger/nothing", House, NULL, set_up, test_nothing, tear_down);
    g_test_add("/ledger/of-another-start", House, NULL, set_up, test_of_another_start, tear_down);
    g_test_add("/ledger/spoilt", House, NULL, set_up, test_spoilt, tear_down);
    return g_test_run();
}
