/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/ledger.h"

#include "appliance/desktops/record.h"

#include <glib/gstdio.h>
#include <string.h>

#define TICKET "ticket "

static char *
path_of(const Desktop *desktop)
{
    return g_build_filename(desktop->run, "tickets", NULL);
}

/* ---- writing ---- */

static void
set(GKeyFile *file, const char *group, const char *key, const char *text)
{
    if (text)
        g_key_file_set_string(file, group, key, text);
}

static void
add(void *user, const char *digest, const Ticket *ticket)
{
    g_autofree char *group = g_strconcat(TICKET, digest, NULL);

    set(user, group, "user", ticket->user);
    set(user, group, "session", ticket->session);
    set(user, group, "caller", ticket->caller);
    set(user, group, "tag", ticket->tag);
    set(user, group, "address", ticket->address);
    g_key_file_set_int64(user, group, "expires", ticket->expires);
}

bool
ledger_write(const Desktop *desktop, Tickets *tickets, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *path = path_of(desktop), *boot = record_boot();
    gsize n_groups, size;

    tickets_tell(tickets, desktop->id, add, file);
    g_strfreev(g_key_file_get_groups(file, &n_groups));
    if (!n_groups) {
        g_unlink(path);
        return true;
    }
    g_key_file_set_string(file, "run", "boot", boot);
    set(file, "run", "password", desktop->password);
    g_autofree char *text = g_key_file_to_data(file, &size, NULL);
    /* Nothing of it is wanted after a power cut, so it need not reach the disk. */
    return g_file_set_contents_full(path, text, (gssize)size, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}

/* ---- reading ---- */

static char *
get(GKeyFile *file, const char *group, const char *key)
{
    return g_key_file_get_string(file, group, key, NULL);
}

static Ticket *
take(const Desktop *desktop, Tickets *tickets, GKeyFile *file, const char *group)
{
    g_autofree char *user = get(file, group, "user"), *session = get(file, group, "session");
    g_autofree char *caller = get(file, group, "caller"), *tag = get(file, group, "tag");
    g_autofree char *address = get(file, group, "address");
    const Ticket ticket = {
        .desktop = desktop->id,
        .user = user,
        .session = session,
        .caller = caller,
        .tag = tag,
        .address = address,
        .expires = g_key_file_get_int64(file, group, "expires", NULL),
    };

    if (!user || !session || !tag || (!address && ticket.expires <= g_get_monotonic_time()))
        return NULL;
    return tickets_put(tickets, group + strlen(TICKET), &ticket);
}

GPtrArray *
ledger_read(Desktop *desktop, Tickets *tickets)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *path = path_of(desktop), *now = record_boot(), *boot = NULL;
    GPtrArray *found = g_ptr_array_new();

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL) || !(boot = get(file, "run", "boot")) ||
        strcmp(boot, now) != 0)
        return found;
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
    for (char **group = groups; *group; group++) {
        Ticket *ticket = g_str_has_prefix(*group, TICKET) ? take(desktop, tickets, file, *group) : NULL;
        if (ticket)
            g_ptr_array_add(found, ticket);
    }
    g_free(desktop->password);
    desktop->password = get(file, "run", "password");
    desktop->password_is = PASSWORD_NEW; /* its VMM may not have been told */
    return found;
}
