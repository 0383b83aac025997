/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/tunnels.h"

#include "appliance/desktops/private.h"
#include "appliance/desktops/socket.h"
#include "appliance/desktops/tickets.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* SPICE takes 60 characters. */
#define PASSWORD_BYTES 24
#define WAIT_SECONDS TICKET_SECONDS

typedef struct {
    Tunnels *tunnels;
    Ticket *ticket;
    char *address, *carrier;
    int fd;       /* -1: it waits */
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

static unsigned
count_open(const Tunnels *tunnels, const Ticket *ticket)
{
    unsigned n = 0;

    for (unsigned i = 0; i < tunnels->all->len; i++) {
        const Tunnel *tunnel = tunnels->all->pdata[i];
        n += tunnel->ticket == ticket && tunnel->fd >= 0;
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
tell_client(Tunnels *tunnels, const Ticket *ticket, bool here, const char *address)
{
    Desktops *desktops = tunnels->desktops;

    desktops->ops.client(desktops->owner, ticket->desktop, here, ticket->caller, address);
    tell_clients(tunnels, ticket->desktop);
}

/* The end of one, however it comes. It is freed. */
static void
drop(Tunnels *tunnels, Tunnel *tunnel)
{
    Ticket *ticket = tunnel->ticket;
    bool was_open = tunnel->fd >= 0;
    g_autofree char *address = g_strdup(tunnel->address), *desktop = g_strdup(ticket->desktop);

    g_ptr_array_remove(tunnels->all, tunnel);
    if (was_open && !count_open(tunnels, ticket))
        tell_client(tunnels, ticket, false, address);
    tickets_closed(tunnels->tickets, ticket, g_get_monotonic_time());
    desktops_left(tunnels->desktops, desktop);
}

static void
cut(Tunnels *tunnels, Tunnel *tunnel)
{
    if (tunnel->fd >= 0)
        shutdown(tunnel->fd, SHUT_RDWR);
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
    g_autofd int fd = socket_connect(desktop->run, "spice", &error);
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
    if (first)
        tell_client(tunnels, tunnel->ticket, true, tunnel->address);
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
    uint8_t bytes[PASSWORD_BYTES];

    g_assert(getrandom(bytes, sizeof bytes, 0) == sizeof bytes);
    g_free(desktop->password);
    desktop->password = g_base64_encode(bytes, sizeof bytes);
    g_strdelimit(desktop->password, "+", '-');
    g_strdelimit(desktop->password, "/", '_');
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
        if (tunnel->fd >= 0)
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
        if (tunnel->fd >= 0)
            cut(tunnels, tunnel);
    }
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
        if (tunnel->fd >= 0 && !g_ptr_array_find_with_equal_func(addresses, tunnel->address, g_str_equal, NULL))
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
        if (tunnel->fd >= 0)
            cut(tunnels, tunnel);
        else
            refuse(tunnel, DESKTOPS_ERROR_NOT_FOUND, "the connection was taken back");
    }
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

void
desktops_session_over(Desktops *desktops, const char *session)
{
    tickets_void(desktops->tunnels->tickets, is_of_session, (void *)session);
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

    tickets_void(desktops->tunnels->tickets, has_no_right, &rights);
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
waits(const Tunnel *tunnel, void *user)
{
    return tunnel->fd < 0;
}

void
tunnels_free(Tunnels *tunnels)
{
    if (!tunnels)
        return;
    cut_if(tunnels, waits, NULL);
    g_ptr_array_unref(tunnels->all);
    tickets_free(tunnels->tickets);
    g_free(tunnels);
}
