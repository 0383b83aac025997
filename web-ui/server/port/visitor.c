/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/port/visitor.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Seconds until the first byte is there, or the handshake is done, or the head of a CONNECT. */
#define FIRST_SECONDS 10
#define HANDSHAKE_SECONDS 10
/* A CONNECT that names a ticket is a fifth of that. */
#define HEAD_MAX 2048
/* Of somebody who is refused: seconds, and bytes that are read and thrown away, so that the refusal is not lost. */
#define PART_SECONDS 3
#define PART_BYTES_MAX (8 * 1024 * 1024)
/* Seconds after which a peer that has vanished is known to have. */
#define KEEP_IDLE 60
#define KEEP_INTERVAL 15
#define KEEP_COUNT 4

struct Guests {
    GuestLimits limits;
    const GuestOps *ops;
    void *data;
    TlsIdentity *identity;
    GQueue all;              /* Visitor */
    GQueue waiting;          /* Visitor, who has waited longest first */
    GHashTable *per_address; /* network → how many of it wait */
    unsigned clock;          /* looks for deadlines while anybody is there */
    uint64_t arrived, sent_away;
};

struct Visitor {
    Guests *guests;
    GList in_all, in_waiting;
    bool waiting;
    int64_t deadline;    /* of g_get_monotonic_time(); 0: none */
    int fd;              /* until a session has it; -1 then */
    TlsSession *session; /* until a stream has it */
    TlsStream *stream;   /* libsoup's; not a reference: its end is told */
    GSource *source;
    GString *head;
    size_t parted; /* bytes thrown away since it was refused */
    VisitorReady ready;
    void *ready_data;
    GDestroyNotify ready_destroy; /* or NULL: it is not the visitor's (any more) */
    GSocketAddress *remote, *local;
    char *address, *network;
};

static void visitor_free(Visitor *visitor);

/* --- who is there --- */

static int64_t
after(unsigned seconds)
{
    return seconds ? g_get_monotonic_time() + (int64_t)seconds * G_USEC_PER_SEC : 0;
}

static unsigned
count_of(Guests *guests, const char *network)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(guests->per_address, network));
}

static void
set_count(Guests *guests, const char *network, unsigned count)
{
    if (count)
        g_hash_table_insert(guests->per_address, g_strdup(network), GUINT_TO_POINTER(count));
    else
        g_hash_table_remove(guests->per_address, network);
}

static void
leave_line(Visitor *visitor)
{
    if (!visitor->waiting)
        return;
    visitor->waiting = false;
    g_queue_unlink(&visitor->guests->waiting, &visitor->in_waiting);
    set_count(visitor->guests, visitor->network, count_of(visitor->guests, visitor->network) - 1);
}

static void
send_away(Visitor *visitor)
{
    visitor->guests->sent_away++;
    visitor_close(visitor);
}

/* Whoever has waited longest, of @network or (NULL) of all. */
static bool
send_longest_away(Guests *guests, const char *network)
{
    for (GList *at = guests->waiting.head; at; at = at->next) {
        Visitor *visitor = at->data;
        if (!network || !strcmp(visitor->network, network)) {
            leave_line(visitor);
            send_away(visitor);
            return true;
        }
    }
    return false;
}

bool
guests_send_one_away(Guests *guests)
{
    return send_longest_away(guests, NULL);
}

void
visitor_wait(Visitor *visitor, unsigned seconds)
{
    Guests *guests = visitor->guests;

    leave_line(visitor);
    if (count_of(guests, visitor->network) >= guests->limits.per_address)
        send_longest_away(guests, visitor->network);
    visitor->waiting = true;
    visitor->deadline = after(seconds);
    g_queue_push_tail_link(&guests->waiting, &visitor->in_waiting);
    set_count(guests, visitor->network, count_of(guests, visitor->network) + 1);
}

void
visitor_serve(Visitor *visitor, unsigned seconds)
{
    leave_line(visitor);
    visitor->deadline = after(seconds);
}

static gboolean
on_clock(void *data)
{
    Guests *guests = data;
    int64_t now = g_get_monotonic_time();
    GList *next;

    for (GList *at = guests->all.head; at; at = next) {
        Visitor *visitor = at->data;
        next = at->next;
        if (visitor->deadline && visitor->deadline <= now) {
            visitor->deadline = 0;
            send_away(visitor);
        }
    }
    if (guests->all.length)
        return G_SOURCE_CONTINUE;
    guests->clock = 0;
    return G_SOURCE_REMOVE;
}

Guests *
guests_new(const GuestLimits *limits, const GuestOps *ops, void *data)
{
    Guests *guests = g_new(Guests, 1);

    *guests = (Guests){.limits = *limits, .ops = ops, .data = data, .all = G_QUEUE_INIT, .waiting = G_QUEUE_INIT};
    guests->per_address = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return guests;
}

void
guests_free(Guests *guests)
{
    if (!guests)
        return;
    while (guests->all.head)
        visitor_free(guests->all.head->data);
    g_clear_handle_id(&guests->clock, g_source_remove);
    g_hash_table_unref(guests->per_address);
    tls_identity_unref(guests->identity);
    g_free(guests);
}

void
guests_set_identity(Guests *guests, TlsIdentity *identity)
{
    tls_identity_unref(guests->identity);
    guests->identity = tls_identity_ref(identity);
}

TlsIdentity *
guests_get_identity(Guests *guests)
{
    return guests->identity;
}

void
guests_count(const Guests *guests, GuestCounts *counts)
{
    *counts = (GuestCounts){guests->all.length, guests->waiting.length, guests->arrived, guests->sent_away};
}

/* --- one of them --- */

static void
stop_waiting_for_socket(Visitor *visitor)
{
    if (visitor->source)
        g_source_destroy(visitor->source);
    g_clear_pointer(&visitor->source, g_source_unref);
}

static void
visitor_free(Visitor *visitor)
{
    leave_line(visitor);
    stop_waiting_for_socket(visitor);
    g_queue_unlink(&visitor->guests->all, &visitor->in_all);
    if (visitor->remote)
        g_object_set_data(G_OBJECT(visitor->remote), "visitor", NULL);
    g_clear_object(&visitor->remote);
    g_clear_object(&visitor->local);
    tls_session_free(visitor->session);
    if (visitor->fd >= 0)
        close(visitor->fd);
    if (visitor->head)
        g_string_free(visitor->head, TRUE);
    if (visitor->ready_destroy)
        visitor->ready_destroy(visitor->ready_data);
    g_free(visitor->address);
    g_free(visitor->network);
    g_free(visitor);
}

void
visitor_close(Visitor *visitor)
{
    /* libsoup sees the end of its stream, and closes it, at which the visitor goes. */
    if (visitor->stream) {
        leave_line(visitor);
        visitor->deadline = 0;
        tls_stream_hang_up(visitor->stream);
        return;
    }
    visitor_free(visitor);
}

static void
on_stream_closed(void *data)
{
    Visitor *visitor = data;

    visitor->stream = NULL;
    visitor_free(visitor);
}

TlsStream *
visitor_make_stream(Visitor *visitor)
{
    visitor->stream = tls_stream_new(g_steal_pointer(&visitor->session), on_stream_closed, visitor);
    return visitor->stream;
}

TlsSession *
visitor_take_session(Visitor *visitor)
{
    TlsSession *session = visitor->stream ? tls_stream_steal(visitor->stream) : g_steal_pointer(&visitor->session);

    visitor->stream = NULL;
    return session;
}

void
visitor_reclaim(Visitor *visitor)
{
    visitor->session = visitor_take_session(visitor);
}

const char *
visitor_get_address(const Visitor *visitor)
{
    return visitor->address;
}

GSocketAddress *
visitor_get_socket_address(Visitor *visitor)
{
    return visitor->remote;
}

GSocketAddress *
visitor_get_local_address(Visitor *visitor)
{
    return visitor->local;
}

Visitor *
visitor_of_address(GSocketAddress *address)
{
    return address ? g_object_get_data(G_OBJECT(address), "visitor") : NULL;
}

bool
visitor_say(Visitor *visitor, const char *text)
{
    return send(visitor->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)strlen(text);
}

/* --- its first and last steps --- */

static void
wait_for_socket(Visitor *visitor, int fd, GIOCondition condition, GUnixFDSourceFunc function)
{
    stop_waiting_for_socket(visitor);
    visitor->source = g_unix_fd_source_new(fd, condition);
    g_source_set_callback(visitor->source, G_SOURCE_FUNC(function), visitor, NULL);
    g_source_attach(visitor->source, NULL);
}

static gboolean
on_part(int fd, GIOCondition condition, void *data)
{
    static char nothing[16 * 1024];
    Visitor *visitor = data;
    ssize_t n = tls_session_read(visitor->session, nothing, sizeof(nothing));

    if (n > 0)
        visitor->parted += n;
    if (n == -EAGAIN || (n > 0 && visitor->parted < PART_BYTES_MAX))
        return G_SOURCE_CONTINUE;
    visitor_free(visitor);
    return G_SOURCE_REMOVE;
}

void
visitor_part(Visitor *visitor, const char *bytes, size_t len)
{
    visitor_serve(visitor, PART_SECONDS);
    if (!visitor->session || tls_session_write(visitor->session, bytes, len) != (ssize_t)len) {
        visitor_free(visitor);
        return;
    }
    wait_for_socket(visitor, tls_session_get_fd(visitor->session), G_IO_IN, on_part);
}

static gboolean
on_handshake(int fd, GIOCondition condition, void *data)
{
    Visitor *visitor = data;
    int result = tls_session_handshake(visitor->session);

    if (!result) {
        stop_waiting_for_socket(visitor);
        visitor->ready_destroy = NULL;
        visitor->ready(visitor, visitor->ready_data);
    } else if (result != -EAGAIN) {
        visitor_free(visitor);
    } else {
        wait_for_socket(visitor, fd, tls_session_wants_write(visitor->session) ? G_IO_OUT : G_IO_IN, on_handshake);
    }
    return G_SOURCE_REMOVE;
}

void
visitor_start_tls(Visitor *visitor, VisitorReady ready, void *data, GDestroyNotify destroy)
{
    int fd = g_steal_fd(&visitor->fd);

    visitor->ready_destroy = destroy;
    visitor->ready = ready;
    visitor->ready_data = data;
    visitor->session = tls_session_new(visitor->guests->identity, fd);
    if (!visitor->session) {
        visitor_free(visitor);
        return;
    }
    visitor_wait(visitor, HANDSHAKE_SECONDS);
    wait_for_socket(visitor, fd, G_IO_IN, on_handshake);
}

static void
on_http_ready(Visitor *visitor, void *data)
{
    visitor->guests->ops->http(visitor, visitor->guests->data);
}

/* What comes behind the head is a client's that does not wait to be let in. */
static gboolean
on_head(int fd, GIOCondition condition, void *data)
{
    Visitor *visitor = data;
    char bytes[HEAD_MAX];
    ssize_t n = recv(fd, bytes, HEAD_MAX - visitor->head->len, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (n > 0)
        g_string_append_len(visitor->head, bytes, n);
    const char *end = memmem(visitor->head->str, visitor->head->len, "\r\n\r\n", 4);
    if (end && end + 4 == visitor->head->str + visitor->head->len) {
        stop_waiting_for_socket(visitor);
        visitor->guests->ops->connect(visitor, visitor->head->str, visitor->head->len, visitor->guests->data);
    } else if (end || n <= 0 || visitor->head->len == HEAD_MAX) {
        visitor_free(visitor);
    } else {
        return G_SOURCE_CONTINUE;
    }
    return G_SOURCE_REMOVE;
}

static gboolean
on_first_byte(int fd, GIOCondition condition, void *data)
{
    Visitor *visitor = data;
    char first;
    ssize_t n = recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (n == 1 && first == 0x16) {
        visitor_start_tls(visitor, on_http_ready, NULL, NULL);
    } else if (n == 1 && first == 'C') {
        visitor->head = g_string_new(NULL);
        wait_for_socket(visitor, fd, G_IO_IN, on_head);
    } else {
        visitor_free(visitor);
    }
    return G_SOURCE_REMOVE;
}

/* Where one household begins and ends: an IPv4 address, or 64 bits of IPv6. */
static char *
network_of(GInetAddress *address)
{
    gsize len = MIN(g_inet_address_get_native_size(address), 8u);
    GString *text = g_string_new(NULL);

    for (gsize i = 0; i < len; i++)
        g_string_append_printf(text, "%02x", g_inet_address_to_bytes(address)[i]);
    return g_string_free(text, FALSE);
}

/* An IPv4 client of a socket for both is one of IPv4. */
static GInetAddress *
unmapped(GInetAddress *address)
{
    static const uint8_t prefix[12] = {[10] = 0xff, 0xff};
    const uint8_t *bytes = g_inet_address_to_bytes(address);

    if (g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV6 && !memcmp(bytes, prefix, sizeof(prefix)))
        return g_inet_address_new_from_bytes(bytes + sizeof(prefix), G_SOCKET_FAMILY_IPV4);
    return g_object_ref(address);
}

/* One of the two ends of @fd, as getpeername() or getsockname() says it. */
static GSocketAddress *
end_of(int fd, int (*get)(int fd, struct sockaddr *address, socklen_t *len))
{
    struct sockaddr_storage native;
    socklen_t len = sizeof(native);

    if (get(fd, (struct sockaddr *)&native, &len))
        return NULL;
    g_autoptr(GSocketAddress) address = g_socket_address_new_from_native(&native, len);
    if (!address || !G_IS_INET_SOCKET_ADDRESS(address))
        return NULL;
    g_autoptr(GInetAddress) inet = unmapped(g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(address)));
    return g_inet_socket_address_new(inet, g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(address)));
}

static bool
look_at_ends(Visitor *visitor)
{
    visitor->remote = end_of(visitor->fd, getpeername);
    visitor->local = end_of(visitor->fd, getsockname);
    if (!visitor->remote || !visitor->local)
        return false;
    GInetAddress *inet = g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(visitor->remote));
    g_object_set_data(G_OBJECT(visitor->remote), "visitor", visitor);
    visitor->address = g_inet_address_to_string(inet);
    visitor->network = network_of(inet);
    return true;
}

static void
set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof(value)); /* a peer that vanishes is noticed later without it */
}

static void
make_lively(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (KEEP_IDLE + KEEP_INTERVAL * KEEP_COUNT) * 1000);
}

void
guests_arrive(Guests *guests, int fd)
{
    Visitor *visitor = g_new(Visitor, 1);

    *visitor = (Visitor){.guests = guests, .fd = fd};
    visitor->in_all.data = visitor->in_waiting.data = visitor;
    guests->arrived++;
    bool full = guests->all.length >= guests->limits.all && !guests_send_one_away(guests);
    g_queue_push_tail_link(&guests->all, &visitor->in_all);
    if (full || !look_at_ends(visitor)) {
        guests->sent_away += full;
        visitor_free(visitor);
        return;
    }
    make_lively(fd);
    visitor_wait(visitor, FIRST_SECONDS);
    wait_for_socket(visitor, fd, G_IO_IN, on_first_byte);
    if (!guests->clock)
        guests->clock = g_timeout_add_seconds(1, on_clock, guests);
}
