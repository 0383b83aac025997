/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/tunnels.h"

#include "appliance/desktops/ledger.h"
#include "appliance/desktops/private.h"
#include "appliance/desktops/socket.h"
#include "appliance/desktops/tickets.h"
#include "appliance/sign-in/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* SPICE takes 60 characters. */
#define PASSWORD_BYTES 24
#define WAIT_SECONDS TICKET_SECONDS
/* Before a ticket's tag it makes a socket's name. */
#define NAME "carrel-"
/* More names no VMM of ours has; whoever took one over may say anything. */
#define NAMES_MAX 256

typedef struct {
    Tunnels *tunnels;
    Ticket *ticket;
    char *address, *carrier;
    int fd;       /* -1: it waits, or is an earlier daemon's, … */
    bool earlier; /* … and stands for all that its ticket opened then; their end is the VMM's to tell */
    bool seen;    /* of these: the VMM has told that they are there */
    guint source; /* of its end, or the end of its patience */
    DesktopsTunnel done;
    void *data;
} Tunnel;

struct Tunnels {
    Desktops *desktops;
    Tickets *tickets;
    GPtrArray *all; /* Tunnel */
};

/* ---- tunnels ---- */

static void
tunnel_free(void *data)
{
    Tunnel *tunnel = data;

    if (tunnel->source)
        g_source_remove(tunnel->source);
    g_clear_fd(&tunnel->fd, NULL);
    g_free(tunnel->address);
    g_free(tunnel->carrier);
    g_free(tunnel);
}

/* Of its sockets, as the VMM tells it. Free it. */
static char *
name_of(const Tunnel *tunnel)
{
    return g_strconcat(NAME, tunnel->ticket->tag, NULL);
}

static bool
waits(const Tunnel *tunnel)
{
    return tunnel->fd < 0 && !tunnel->earlier;
}

static unsigned
count_open(const Tunnels *tunnels, const Ticket *ticket)
{
    unsigned n = 0;

    for (unsigned i = 0; i < tunnels->all->len; i++) {
        const Tunnel *tunnel = tunnels->all->pdata[i];
        n += tunnel->ticket == ticket && !waits(tunnel);
    }
    return n;
}

static void
tell_clients(Tunnels *tunnels, const char *id)
{
    Desktops *desktops = tunnels->desktops;
    Desktop *desktop = desktops_find(desktops, id);
    GVariantDict what;

    if (!desktop)
        return;
    g_variant_dict_init(&what, NULL);
    tunnels_describe(tunnels, desktop, &what);
    desktops->ops.changed(desktops->owner, id, g_variant_dict_end(&what));
}

/* Of a ticket the first came, or the last went. */
static void
tell_client(Tunnels *tunnels, const Ticket *ticket, DesktopsClient what, const char *address)
{
    Desktops *desktops = tunnels->desktops;
    Desktop *desktop = desktops_find(desktops, ticket->desktop);

    if (what == DESKTOPS_CLIENT_LEFT)
        visits_end(desktops->visits, ticket);
    else if (desktop)
        visits_begin(desktops->visits, desktop, ticket, address);
    desktops->ops.client(desktops->owner, ticket->desktop, what, ticket->caller, address);
    tell_clients(tunnels, ticket->desktop);
}

/* For the daemon after us. */
static void
write_down(Tunnels *tunnels, const char *id)
{
    const Desktop *desktop = desktops_find(tunnels->desktops, id);
    g_autoptr(GError) error = NULL;

    if (desktop && g_file_test(desktop->run, G_FILE_TEST_IS_DIR) && !ledger_write(desktop, tunnels->tickets, &error))
        g_warning("connections to a desktop are not written down, and end with the next daemon: %s", error->message);
}

/* The end of one, however it comes. It is freed. */
static void
drop(Tunnels *tunnels, Tunnel *tunnel)
{
    Ticket *ticket = tunnel->ticket;
    bool was_open = !waits(tunnel);
    g_autofree char *address = g_strdup(tunnel->address), *desktop = g_strdup(ticket->desktop);

    g_ptr_array_remove(tunnels->all, tunnel);
    bool last = was_open && !count_open(tunnels, ticket);
    if (last) {
        g_clear_pointer(&ticket->address, g_free);
        if (++ticket->uses >= TICKET_USES)
            ticket->expires = G_MININT64;
        tell_client(tunnels, ticket, DESKTOPS_CLIENT_LEFT, address);
    }
    tickets_closed(tunnels->tickets, ticket, g_get_monotonic_time());
    if (last)
        write_down(tunnels, desktop);
    desktops_left(tunnels->desktops, desktop);
}

static void
on_cut(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;

    if (!carrel_vmm1_call_cut_connections_finish(CARREL_VMM1(source), result, &error) &&
        !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        g_warning("a connection that nobody may have is not cut: %s", error->message);
}

/* Where it arrives, whoever carries it. A VMM that cannot be asked yet is when it tells what there is. */
static void
cut_at_vmm(const Desktop *desktop, const char *name)
{
    CarrelVmm1 *control = desktop ? vmm_control(desktop->vmm) : NULL;

    if (control)
        carrel_vmm1_call_cut_connections(control, name, desktop->cancellable, on_cut, NULL);
}

static void
cut(Tunnels *tunnels, Tunnel *tunnel)
{
    g_autofree char *name = name_of(tunnel);

    if (tunnel->fd >= 0)
        shutdown(tunnel->fd, SHUT_RDWR);
    else
        cut_at_vmm(desktops_find(tunnels->desktops, tunnel->ticket->desktop), name);
    drop(tunnels, tunnel);
}

static gboolean
on_end(int fd, GIOCondition condition, gpointer user)
{
    Tunnel *tunnel = user;

    tunnel->source = 0;
    drop(tunnel->tunnels, tunnel);
    return G_SOURCE_REMOVE;
}

static void
refuse(Tunnel *tunnel, DesktopsError code, const char *why)
{
    DesktopsTunnel done = tunnel->done;
    void *data = tunnel->data;
    g_autoptr(GError) error = g_error_new_literal(DESKTOPS_ERROR, code, why);

    drop(tunnel->tunnels, tunnel);
    done(data, -1, error);
}

static gboolean
on_waited_long(gpointer user)
{
    Tunnel *tunnel = user;

    tunnel->source = 0;
    refuse(tunnel, DESKTOPS_ERROR_BUSY, "the desktop is not ready yet: try again");
    return G_SOURCE_REMOVE;
}

static void
open_it(Tunnel *tunnel, Desktop *desktop)
{
    Tunnels *tunnels = tunnel->tunnels;
    g_autoptr(GError) error = NULL;
    g_autofree char *name = name_of(tunnel);
    g_autofd int fd = socket_connect(desktop->run, "spice", name, &error);
    g_autofd int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

    if (copy < 0) {
        refuse(tunnel, DESKTOPS_ERROR_BUSY, error ? error->message : "this host is out of open files");
        return;
    }
    bool first = !count_open(tunnels, tunnel->ticket);
    g_source_remove(tunnel->source);
    tunnel->fd = g_steal_fd(&copy);
    tunnel->source = g_unix_fd_add(tunnel->fd, G_IO_HUP | G_IO_ERR, on_end, tunnel);
    DesktopsTunnel done = tunnel->done;
    void *data = tunnel->data;
    if (first) {
        tunnel->ticket->address = g_strdup(tunnel->address ? tunnel->address : "");
        write_down(tunnels, desktop->id);
        tell_client(tunnels, tunnel->ticket, DESKTOPS_CLIENT_CAME, tunnel->address);
    }
    done(data, g_steal_fd(&fd), NULL);
}

/* Those of a desktop as they are now: serving them changes the list. */
static GPtrArray *
of_desktop(Tunnels *tunnels, const Desktop *desktop)
{
    GPtrArray *found = g_ptr_array_new();

    for (unsigned i = 0; i < tunnels->all->len; i++) {
        Tunnel *tunnel = tunnels->all->pdata[i];
        if (!strcmp(tunnel->ticket->desktop, desktop->id))
            g_ptr_array_add(found, tunnel);
    }
    return found;
}

/* ---- the password ---- */

static void
new_password(Desktop *desktop)
{
    g_free(desktop->password);
    desktop->password = secret_token_new(PASSWORD_BYTES);
    desktop->password_is = PASSWORD_NEW;
}

static void
on_password(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;
    bool set = carrel_vmm1_call_set_ticket_finish(CARREL_VMM1(source), result, &error);

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    Desktop *desktop = user;
    desktop->password_is = set ? PASSWORD_SET : PASSWORD_REFUSED;
    tunnels_serve(desktop->desktops->tunnels, desktop);
}

static void
set_password(Desktop *desktop)
{
    desktop->password_is = PASSWORD_TOLD;
    carrel_vmm1_call_set_ticket(vmm_control(desktop->vmm), desktop->password, 0, desktop->cancellable, on_password,
                                desktop);
}

/* ---- serving ---- */

static const char *
why_not(const Desktop *desktop)
{
    if (desktop->state == LIFE_FAILED)
        return desktop->detail ? desktop->detail : "the desktop cannot be started";
    if (desktop->password_is == PASSWORD_REFUSED)
        return "the desktop takes no password for its display";
    if (!desktop->spec || desktop->spec->wanted != WANTED_RUNNING)
        return "the desktop is switched off";
    return NULL;
}

static bool
is_there(const Desktop *desktop)
{
    return (desktop->state == LIFE_RUNNING || desktop->state == LIFE_PAUSED) && vmm_control(desktop->vmm);
}

void
tunnels_serve(Tunnels *tunnels, Desktop *desktop)
{
    const char *why = why_not(desktop);

    if (is_there(desktop) && desktop->password && desktop->password_is == PASSWORD_NEW)
        set_password(desktop);
    g_autoptr(GPtrArray) mine = of_desktop(tunnels, desktop);
    for (unsigned i = 0; i < mine->len; i++) {
        Tunnel *tunnel = mine->pdata[i];
        if (!waits(tunnel))
            continue;
        if (is_there(desktop) && desktop->password_is == PASSWORD_SET)
            open_it(tunnel, desktop);
        else if (why)
            refuse(tunnel, DESKTOPS_ERROR_UNAVAILABLE, why);
    }
}

void
tunnels_end(Tunnels *tunnels, Desktop *desktop)
{
    g_clear_pointer(&desktop->password, g_free);
    g_autoptr(GPtrArray) mine = of_desktop(tunnels, desktop);
    for (unsigned i = 0; i < mine->len; i++) {
        Tunnel *tunnel = mine->pdata[i];
        if (!waits(tunnel))
            cut(tunnels, tunnel);
    }
    write_down(tunnels, desktop->id);
}

/* ---- what an earlier daemon opened ---- */

void
tunnels_take_up(Tunnels *tunnels, Desktop *desktop)
{
    g_autoptr(GPtrArray) tickets = ledger_read(desktop, tunnels->tickets);

    for (unsigned i = 0; i < tickets->len; i++) {
        Ticket *ticket = tickets->pdata[i];
        desktop->was_used = true;
        if (!desktop->vmm)
            g_clear_pointer(&ticket->address, g_free);
        if (!ticket->address)
            continue;
        Tunnel *tunnel = g_new0(Tunnel, 1);
        *tunnel = (Tunnel){tunnels, ticket, .address = g_strdup(ticket->address), .fd = -1, .earlier = true};
        ticket->open++;
        g_ptr_array_add(tunnels->all, tunnel);
    }
}

/* What is there by no ticket was opened by one that is void, or that nobody knows any more. */
static void
cut_strangers(const Tunnels *tunnels, const Desktop *desktop, const char *const *names)
{
    for (unsigned i = 0; names[i] && i < NAMES_MAX; i++)
        if (!g_str_has_prefix(names[i], NAME) ||
            !tickets_find_tag(tunnels->tickets, desktop->id, names[i] + strlen(NAME)))
            cut_at_vmm(desktop, names[i]);
}

void
tunnels_compare(Tunnels *tunnels, Desktop *desktop, const char *const *names)
{
    g_autoptr(GPtrArray) mine = of_desktop(tunnels, desktop);

    for (unsigned i = 0; i < mine->len; i++) {
        Tunnel *tunnel = mine->pdata[i];
        if (!tunnel->earlier)
            continue;
        g_autofree char *name = name_of(tunnel);
        if (!g_strv_contains(names, name)) {
            drop(tunnels, tunnel);
        } else if (!tunnel->seen) {
            tunnel->seen = true;
            tell_client(tunnels, tunnel->ticket, DESKTOPS_CLIENT_IS_HERE, tunnel->address);
        }
    }
    cut_strangers(tunnels, desktop, names);
}

bool
tunnels_in_use(Tunnels *tunnels, const char *desktop)
{
    return tickets_of(tunnels->tickets, desktop, g_get_monotonic_time()) > 0;
}

void
tunnels_describe(Tunnels *tunnels, const Desktop *desktop, GVariantDict *what)
{
    g_autoptr(GPtrArray) mine = of_desktop(tunnels, desktop);
    g_autoptr(GPtrArray) addresses = g_ptr_array_new();

    for (unsigned i = 0; i < mine->len; i++) {
        const Tunnel *tunnel = mine->pdata[i];
        if (!waits(tunnel) && !g_ptr_array_find_with_equal_func(addresses, tunnel->address, g_str_equal, NULL))
            g_ptr_array_add(addresses, tunnel->address);
    }
    g_variant_dict_insert_value(what, "clients",
                                g_variant_new_strv((const char *const *)addresses->pdata, (gssize)addresses->len));
}

/* ---- what the daemon calls ---- */

typedef struct {
    Desktops *desktops;
    char *desktop;
    Ticket who;
    DesktopsConnected done;
    void *data;
} Connect;

static void
issue(Connect *connect, GError **error)
{
    Desktops *desktops = connect->desktops;
    Desktop *desktop = desktops_need(desktops, connect->desktop);
    bool unused = !tunnels_in_use(desktops->tunnels, desktop->id);
    g_autofree char *text = tickets_issue(desktops->tunnels->tickets, &connect->who, g_get_monotonic_time(), error);

    if (!text)
        return;
    if (!desktop->password || unused)
        new_password(desktop);
    if (g_mkdir_with_parents(desktop->run, 0711) < 0 || !ledger_write(desktop, desktops->tunnels->tickets, error)) {
        if (!*error)
            g_set_error(error, DESKTOPS_ERROR, DESKTOPS_ERROR_UNAVAILABLE, "%s: %s", desktop->run, g_strerror(errno));
        return;
    }
    desktop->retry = desktop->was_used = true;
    desktop->user_left = false;
    desktop_turn(desktop);
    tunnels_serve(desktops->tunnels, desktop);
    const DesktopsTicket ticket = {text, desktop->password, g_get_real_time() + TICKET_SECONDS * G_USEC_PER_SEC};
    connect->done(connect->data, &ticket, NULL);
}

static void
on_wanted(void *data, const GError *error)
{
    Connect *connect = data;
    g_autoptr(GError) refused = NULL;

    connect->desktops->calls--;
    if (!error)
        issue(connect, &refused);
    if (error || refused)
        connect->done(connect->data, NULL, error ? error : refused);
    g_free(connect->desktop);
    g_free(connect->who.desktop);
    g_free(connect->who.user);
    g_free(connect->who.session);
    g_free(connect->who.caller);
    g_free(connect);
}

void
desktops_connect(Desktops *desktops, DesktopsCaller caller, const char *session, const char *user, const char *id,
                 DesktopsConnected done, void *data)
{
    Desktop *desktop = desktops_need(desktops, id);
    Connect *connect = g_new0(Connect, 1);

    desktop_look(desktop);
    connect->desktops = desktops;
    connect->desktop = g_strdup(id);
    connect->who = (Ticket){g_strdup(id), g_strdup(user), g_strdup(session), g_strdup(caller)};
    connect->done = done;
    connect->data = data;
    desktops->calls++;
    if (!desktop->spec) {
        g_autoptr(GError) error =
            g_error_new_literal(DESKTOPS_ERROR, DESKTOPS_ERROR_NOT_FOUND, "there is no such desktop");
        on_wanted(connect, error);
    } else if (desktop->spec->wanted == WANTED_RUNNING) {
        on_wanted(connect, NULL);
    } else {
        desktops->ops.submit(desktops->owner, caller, "desktop.want", desktop_want_fields(id, WANTED_RUNNING),
                             on_wanted, connect);
    }
}

void
desktops_open_tunnel(Desktops *desktops, const char *text, const char *address, const char *carrier,
                     DesktopsTunnel done, void *data)
{
    Tunnels *tunnels = desktops->tunnels;
    Ticket *ticket = tickets_find(tunnels->tickets, text, g_get_monotonic_time());
    g_autoptr(GError) error = NULL;

    if (!ticket) {
        g_set_error(&error, DESKTOPS_ERROR, DESKTOPS_ERROR_NOT_FOUND, "the ticket is not good, or not any more");
        done(data, -1, error);
        return;
    }
    Tunnel *tunnel = g_new0(Tunnel, 1);
    tunnel->tunnels = tunnels;
    tunnel->ticket = ticket;
    ticket->open++;
    tunnel->fd = -1;
    tunnel->address = g_strdup(address);
    tunnel->carrier = g_strdup(carrier);
    tunnel->done = done;
    tunnel->data = data;
    tunnel->source = g_timeout_add_seconds(WAIT_SECONDS, on_waited_long, tunnel);
    g_ptr_array_add(tunnels->all, tunnel);
    tunnels_serve(tunnels, desktops_need(desktops, ticket->desktop));
}

/* ---- ends ---- */

/* Cuts those of which it is so; a list of its own, since each cut changes the other. */
static void
cut_if(Tunnels *tunnels, bool (*is_so)(const Tunnel *tunnel, void *user), void *user)
{
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();

    for (unsigned i = 0; i < tunnels->all->len; i++)
        if (is_so(tunnels->all->pdata[i], user))
            g_ptr_array_add(chosen, tunnels->all->pdata[i]);
    for (unsigned i = 0; i < chosen->len; i++) {
        Tunnel *tunnel = chosen->pdata[i];
        if (!waits(tunnel))
            cut(tunnels, tunnel);
        else
            refuse(tunnel, DESKTOPS_ERROR_NOT_FOUND, "the connection was taken back");
    }
}

typedef struct {
    TicketJudge is_so;
    void *user;
    GHashTable *desktops; /* whose tickets changed */
} Voiding;

static bool
judge(const Ticket *ticket, void *user)
{
    const Voiding *voiding = user;
    bool is_so = voiding->is_so(ticket, voiding->user);

    if (is_so)
        g_hash_table_add(voiding->desktops, g_strdup(ticket->desktop));
    return is_so;
}

/* Makes tickets void, for the daemon after us too. */
static void
void_if(Tunnels *tunnels, TicketJudge is_so, void *user)
{
    g_autoptr(GHashTable) desktops = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Voiding voiding = {is_so, user, desktops};
    GHashTableIter iter;
    const char *id;

    tickets_void(tunnels->tickets, judge, &voiding);
    g_hash_table_iter_init(&iter, desktops);
    while (g_hash_table_iter_next(&iter, (gpointer *)&id, NULL))
        write_down(tunnels, id);
}

static bool
is_of_carrier(const Tunnel *tunnel, void *carrier)
{
    return !g_strcmp0(tunnel->carrier, carrier);
}

void
desktops_carrier_gone(Desktops *desktops, const char *carrier)
{
    cut_if(desktops->tunnels, is_of_carrier, (void *)carrier);
}

static bool
is_of_session(const Ticket *ticket, void *session)
{
    return !strcmp(ticket->session, session);
}

static bool
is_carried_for_session(const Tunnel *tunnel, void *session)
{
    return is_of_session(tunnel->ticket, session);
}

void
desktops_session_over(Desktops *desktops, const char *session, bool taken_away)
{
    void_if(desktops->tunnels, is_of_session, (void *)session);
    if (taken_away)
        cut_if(desktops->tunnels, is_carried_for_session, (void *)session);
}

typedef struct {
    Desktops *desktops;
    bool (*may_use)(void *owner, const char *user, const char *desktop);
} Rights;

static bool
has_no_right(const Ticket *ticket, void *user)
{
    const Rights *rights = user;

    return !rights->may_use(rights->desktops->owner, ticket->user, ticket->desktop);
}

static bool
is_without_right(const Tunnel *tunnel, void *user)
{
    return has_no_right(tunnel->ticket, user);
}

void
desktops_check_rights(Desktops *desktops, bool (*may_use)(void *owner, const char *user, const char *desktop))
{
    Rights rights = {desktops, may_use};

    void_if(desktops->tunnels, has_no_right, &rights);
    cut_if(desktops->tunnels, is_without_right, &rights);
}

/* ---- life ---- */

Tunnels *
tunnels_new(Desktops *desktops)
{
    Tunnels *tunnels = g_new0(Tunnels, 1);

    tunnels->desktops = desktops;
    tunnels->tickets = tickets_new();
    tunnels->all = g_ptr_array_new_with_free_func(tunnel_free);
    return tunnels;
}

static bool
is_waiting(const Tunnel *tunnel, void *user)
{
    return waits(tunnel);
}

void
tunnels_free(Tunnels *tunnels)
{
    if (!tunnels)
        return;
    cut_if(tunnels, is_waiting, NULL);
    g_ptr_array_unref(tunnels->all);
    tickets_free(tunnels->tickets);
    g_free(tunnels);
}
