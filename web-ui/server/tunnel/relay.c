/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets are watched edge-triggered: after an event, and after it was its turn, a tunnel does all it can until both
 * sides would block. So a tunnel needs no state but what could not be written.
 */
#include "web-ui/server/tunnel/relay.h"

#include "web-ui/server/tunnel/websocket.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Read at once, of either side. A SPICE picture is most often smaller. */
#define BUFFER (128 * 1024)
/* What one tunnel carries before others have their turn. */
#define TURN (1024 * 1024)
#define EVENTS 64

/* What could not be written. */
typedef struct {
    uint8_t *bytes;
    size_t len;
} Rest;

typedef struct {
    TlsSession *client;
    int desktop;
    bool websocket;
    bool ended, ready;
    WebsocketReader reader;
    Rest to_client, to_desktop;
    RelayEnded ended_function;
    void *data;
    GList in_thread, in_ready;
} Tunnel;

typedef struct {
    Relay *relay;
    GThread *thread;
    int epoll, wake;
    GMutex lock;
    GQueue arrived; /* under the lock: Tunnel */
    bool stop;      /* under the lock */
    GQueue tunnels; /* the thread's */
    GQueue ready;   /* likewise: not done when their turn was over */
    uint8_t buffer[WEBSOCKET_HEADER_MAX + BUFFER];
} RelayThread;

struct Relay {
    RelayThread **threads;
    unsigned n_threads, next;
    _Atomic unsigned open;
    _Atomic uint64_t to_clients, to_desktops;
};

/* --- one tunnel, in its thread --- */

/* How much the side took; less than all: it would block. Negative: it is at its end. */
typedef ssize_t (*Take)(Tunnel *tunnel, const uint8_t *bytes, size_t len);

static ssize_t
client_takes(Tunnel *tunnel, const uint8_t *bytes, size_t len)
{
    size_t taken = 0;

    while (taken < len) {
        ssize_t n = tls_session_write(tunnel->client, bytes + taken, len - taken);
        if (n == -EAGAIN)
            break;
        if (n < 0)
            return n;
        taken += n;
    }
    return taken;
}

static ssize_t
desktop_takes(Tunnel *tunnel, const uint8_t *bytes, size_t len)
{
    size_t taken = 0;

    while (taken < len) {
        ssize_t n = send(tunnel->desktop, bytes + taken, len - taken, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            return -errno;
        taken += n;
    }
    return taken;
}

static void
keep(Rest *rest, const uint8_t *bytes, size_t len)
{
    rest->bytes = g_realloc(rest->bytes, rest->len + len);
    memcpy(rest->bytes + rest->len, bytes, len);
    rest->len += len;
}

/* Gives the side what there is, in order; keeps what it does not take. False: it is at its end. */
static bool
give(Tunnel *tunnel, Take take, Rest *rest, const uint8_t *bytes, size_t len)
{
    ssize_t taken = rest->len ? 0 : take(tunnel, bytes, len);

    if (taken < 0)
        return false;
    if ((size_t)taken < len)
        keep(rest, bytes + taken, len - taken);
    return true;
}

/* Whether nothing is kept any more: then more can be read. */
static bool
give_rest(Tunnel *tunnel, Take take, Rest *rest)
{
    if (!rest->len)
        return true;
    ssize_t taken = take(tunnel, rest->bytes, rest->len);
    if (taken < 0) {
        tunnel->ended = true;
        return false;
    }
    rest->len -= taken;
    memmove(rest->bytes, rest->bytes + taken, rest->len);
    if (!rest->len)
        g_clear_pointer(&rest->bytes, g_free);
    return !rest->len;
}

/* Whether there may be more to read. */
static bool
carry_to_client(RelayThread *thread, Tunnel *tunnel, size_t *budget)
{
    uint8_t *bytes = thread->buffer + WEBSOCKET_HEADER_MAX;

    if (!give_rest(tunnel, client_takes, &tunnel->to_client))
        return false;
    ssize_t n = recv(tunnel->desktop, bytes, MIN(*budget, BUFFER), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (n <= 0) {
        tunnel->ended = true;
        return false;
    }
    thread->relay->to_clients += n;
    *budget -= n;
    if (tunnel->websocket) {
        uint8_t header[WEBSOCKET_HEADER_MAX];
        size_t len = websocket_header(header, n);
        bytes -= len;
        memcpy(bytes, header, len);
        n += len;
    }
    tunnel->ended |= !give(tunnel, client_takes, &tunnel->to_client, bytes, n);
    return !tunnel->ended;
}

static void
answer_ping(Tunnel *tunnel)
{
    uint8_t frame[2 + WEBSOCKET_CONTROL_MAX];

    /* A peer that asks without listening is not answered without end. */
    if (tunnel->to_client.len > BUFFER + sizeof(frame)) {
        tunnel->reader.pong_due = false;
        return;
    }
    size_t len = websocket_pong(&tunnel->reader, frame);
    tunnel->ended |= !give(tunnel, client_takes, &tunnel->to_client, frame, len);
}

/* What the client sent as the desktop is to have it; negative: nonsense. */
static ssize_t
unwrap(Tunnel *tunnel, uint8_t *bytes, size_t len)
{
    if (!tunnel->websocket)
        return len;
    ssize_t n = websocket_read(&tunnel->reader, bytes, len);
    if (n >= 0 && tunnel->reader.pong_due)
        answer_ping(tunnel);
    return n;
}

/* As many records as there are, up to the buffer: the desktop gets them at once. */
static ssize_t
read_client(Tunnel *tunnel, uint8_t *bytes, size_t len, bool *blocked)
{
    size_t have = 0;

    while (have < len) {
        ssize_t n = tls_session_read(tunnel->client, bytes + have, len - have);
        if (n == -EAGAIN) {
            *blocked = true;
            break;
        }
        if (n <= 0) {
            tunnel->ended = true; /* what was read before still goes */
            break;
        }
        have += n;
    }
    return have;
}

static bool
carry_to_desktop(RelayThread *thread, Tunnel *tunnel, size_t *budget)
{
    bool blocked = false;

    if (!give_rest(tunnel, desktop_takes, &tunnel->to_desktop))
        return false;
    ssize_t n = read_client(tunnel, thread->buffer, MIN(*budget, BUFFER), &blocked);
    *budget -= n;
    n = unwrap(tunnel, thread->buffer, n);
    if (n < 0 || tunnel->reader.closed || !give(tunnel, desktop_takes, &tunnel->to_desktop, thread->buffer, n))
        tunnel->ended = true;
    else
        thread->relay->to_desktops += n;
    return !blocked && !tunnel->ended;
}

static void
rest_clear(Rest *rest)
{
    g_free(rest->bytes);
}

static gboolean
tell_ended(void *data)
{
    Tunnel *tunnel = data;

    tunnel->ended_function(tunnel->data);
    g_free(tunnel);
    return G_SOURCE_REMOVE;
}

static void
close_tunnel(Tunnel *tunnel)
{
    uint8_t goodbye[4];

    if (tunnel->websocket && !tunnel->to_client.len)
        client_takes(tunnel, goodbye, websocket_goodbye(goodbye));
    tls_session_free(tunnel->client);
    shutdown(tunnel->desktop, SHUT_RDWR); /* carreld has it too: the desktop would not hear of the end */
    close(tunnel->desktop);
    rest_clear(&tunnel->to_client);
    rest_clear(&tunnel->to_desktop);
}

static void
end_tunnel(RelayThread *thread, Tunnel *tunnel)
{
    g_queue_unlink(&thread->tunnels, &tunnel->in_thread);
    /* Closing alone would not: carreld has the desktop's end too, and events of it would name a tunnel that is gone. */
    epoll_ctl(thread->epoll, EPOLL_CTL_DEL, tunnel->desktop, NULL);
    close_tunnel(tunnel);
    thread->relay->open--;
    g_main_context_invoke(NULL, tell_ended, tunnel);
}

/* --- a thread --- */

/* A tunnel that is not done yet has another turn after the others. */
static void
take_turn(RelayThread *thread, Tunnel *tunnel)
{
    size_t to_client = TURN, to_desktop = TURN;
    bool more;

    do {
        more = carry_to_client(thread, tunnel, &to_client);
        more = (!tunnel->ended && carry_to_desktop(thread, tunnel, &to_desktop)) || more;
    } while (more && !tunnel->ended && to_client && to_desktop);
    if (more && !tunnel->ended && !tunnel->ready) {
        tunnel->ready = true;
        g_queue_push_tail_link(&thread->ready, &tunnel->in_ready);
    }
}

static void
take_turns(RelayThread *thread)
{
    for (guint n = thread->ready.length; n; n--) {
        Tunnel *tunnel = g_queue_pop_head_link(&thread->ready)->data;
        tunnel->ready = false;
        take_turn(thread, tunnel);
        if (tunnel->ended)
            end_tunnel(thread, tunnel);
    }
}

static void
be_ready(RelayThread *thread, Tunnel *tunnel)
{
    if (tunnel->ready)
        return;
    tunnel->ready = true;
    g_queue_push_tail_link(&thread->ready, &tunnel->in_ready);
}

static bool
watch(RelayThread *thread, Tunnel *tunnel, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = tunnel};

    return !epoll_ctl(thread->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* False: it is time to stop. */
static bool
take_in(RelayThread *thread)
{
    uint64_t count;
    GList *link;

    if (read(thread->wake, &count, sizeof(count)) < 0)
        g_assert(errno == EAGAIN);
    g_mutex_lock(&thread->lock);
    while ((link = g_queue_pop_head_link(&thread->arrived))) {
        Tunnel *tunnel = link->data;
        g_queue_push_tail_link(&thread->tunnels, link);
        if (!watch(thread, tunnel, tls_session_get_fd(tunnel->client)) || !watch(thread, tunnel, tunnel->desktop))
            tunnel->ended = true;
        be_ready(thread, tunnel); /* TLS may have read ahead */
    }
    bool stop = thread->stop;
    g_mutex_unlock(&thread->lock);
    return !stop;
}

static void *
run(void *data)
{
    RelayThread *thread = data;
    struct epoll_event events[EVENTS];
    bool go_on = true;

    while (go_on) {
        int n = epoll_wait(thread->epoll, events, EVENTS, thread->ready.length ? 0 : -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                be_ready(thread, events[i].data.ptr);
            else
                go_on = take_in(thread);
        }
        take_turns(thread);
    }
    for (GList *link; (link = g_queue_pop_head_link(&thread->tunnels));) {
        close_tunnel(link->data);
        g_free(link->data);
    }
    return NULL;
}

static RelayThread *
start_thread(Relay *relay)
{
    RelayThread *thread = g_new0(RelayThread, 1);
    struct epoll_event event = {.events = EPOLLIN};

    thread->relay = relay;
    thread->epoll = epoll_create1(EPOLL_CLOEXEC);
    thread->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (thread->epoll < 0 || thread->wake < 0 || epoll_ctl(thread->epoll, EPOLL_CTL_ADD, thread->wake, &event))
        g_error("no event loop for tunnels: %s", g_strerror(errno));
    g_mutex_init(&thread->lock);
    thread->thread = g_thread_new("tunnels", run, thread);
    return thread;
}

static void
wake(RelayThread *thread)
{
    uint64_t one = 1;

    if (write(thread->wake, &one, sizeof(one)) < 0)
        g_assert(errno == EAGAIN);
}

static void
stop_thread(RelayThread *thread)
{
    g_mutex_lock(&thread->lock);
    thread->stop = true;
    g_mutex_unlock(&thread->lock);
    wake(thread);
    g_thread_join(thread->thread);
    close(thread->epoll);
    close(thread->wake);
    g_mutex_clear(&thread->lock);
    g_free(thread);
}

/* --- the main loop's side --- */

Relay *
relay_new(unsigned threads)
{
    Relay *relay = g_new0(Relay, 1);

    relay->n_threads = threads;
    relay->threads = g_new(RelayThread *, threads);
    for (unsigned i = 0; i < threads; i++)
        relay->threads[i] = start_thread(relay);
    return relay;
}

void
relay_free(Relay *relay)
{
    if (!relay)
        return;
    for (unsigned i = 0; i < relay->n_threads; i++)
        stop_thread(relay->threads[i]);
    g_free(relay->threads);
    g_free(relay);
}

void
relay_add(Relay *relay, TlsSession *client, int desktop, bool websocket, RelayEnded ended, void *data)
{
    RelayThread *thread = relay->threads[relay->next++ % relay->n_threads];
    Tunnel *tunnel = g_new0(Tunnel, 1);

    *tunnel =
        (Tunnel){.client = client, .desktop = desktop, .websocket = websocket, .ended_function = ended, .data = data};
    tunnel->in_thread.data = tunnel->in_ready.data = tunnel;
    g_unix_set_fd_nonblocking(desktop, TRUE, NULL);
    relay->open++;
    g_mutex_lock(&thread->lock);
    g_queue_push_tail_link(&thread->arrived, &tunnel->in_thread);
    g_mutex_unlock(&thread->lock);
    wake(thread);
}

void
relay_count(Relay *relay, RelayCounts *counts)
{
    *counts = (RelayCounts){relay->open, relay->to_clients, relay->to_desktops};
}
