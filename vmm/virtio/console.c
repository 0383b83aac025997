/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-console: ports, each a pair of queues, and a pair of control queues that says which ports there are and whose ends
 * are open (virtio 1.2, 5.3.6).
 *
 * What the guest is to be told is kept as bits a port, not as a list of messages: a guest that asks a thousand times, or
 * reads no answers, costs nothing. The ends' states are told the same way: what is wanted, what was said last.
 *
 * The device's lock is held while back ends are called, and they call back in: so the main thread counts how deep it is
 * (console_enter) and takes the lock only at the outermost. A reset comes on a vCPU thread; what it closes is told to the
 * back ends by a source on the main loop.
 */
#include "vmm/virtio/console.h"

#include <linux/virtio_console.h>
#include <stddef.h>
#include <string.h>

#define NAME_MAX_BYTES 63
#define CONTROL_RECEIVE 2 /* queues, from the driver's side, as the specification names them */
#define CONTROL_TRANSMIT 3
#define CONFIG_SIZE offsetof(struct virtio_console_config, emerg_wr)
#define QUEUE_SIZE 128
/* Of one queue in one turn of the loop; a request may be empty, or nearly 4 GiB long. */
#define CHAINS_A_TURN 64
#define BYTES_A_TURN (256 * 1024)

/* What the guest is to be told of a port, in the order it is told. */
enum {
    TELL_ADD = 1 << 0,
    TELL_CONSOLE = 1 << 1,
    TELL_NAME = 1 << 2,
    TELL_OPEN = 1 << 3,
};

typedef struct Console Console;

struct VirtioConsolePort {
    Console *console;
    unsigned number;
    char *name; /* NULL for port 0 */
    const ConsolePortOps *ops;
    void *back_end;

    bool ready;         /* the guest's driver has it */
    bool guest_open;    /* the guest opened its end … */
    bool told_back_end; /* … and the back end knows */
    bool host_open;     /* the back end opened its end … */
    bool told_guest;    /* … and the guest knows */
    uint8_t tell;       /* TELL_ bits */
    uint32_t consumed;  /* bytes of the request at the head of the guest's queue that the back end has taken */
    bool throttled;     /* the back end took less than there was … */
    bool resumed;       /* … but said it can take more before it even returned */
    bool starved;       /* the guest had less room than there was data */
};

struct Console {
    VirtioDevice device;
    unsigned n_ports; /* that may exist, port 0 among them */
    unsigned n_added;
    VirtioConsolePort ports[VIRTIO_CONSOLE_PORTS_MAX + 1];
    unsigned depth;    /* main thread only */
    GSource *catch_up; /* tells back ends what a vCPU thread changed */
};

static Console *
console_of(VirtioDevice *device)
{
    return (Console *)device;
}

static void
console_enter(Console *console)
{
    if (console->depth++ == 0)
        g_mutex_lock(&console->device.lock);
}

static void
console_leave(Console *console)
{
    if (--console->depth == 0)
        g_mutex_unlock(&console->device.lock);
}

static bool
multiport(const Console *console)
{
    return virtio_device_has(&console->device, VIRTIO_CONSOLE_F_MULTIPORT);
}

static bool
port_exists(const VirtioConsolePort *port)
{
    return port->ops != NULL;
}

/* Ports 1 and up come behind the control queues (5.3.2). */
static VirtQueue *
receive_queue(const VirtioConsolePort *port)
{
    return port->console->device.queues[port->number ? 2 + 2 * port->number : 0];
}

static VirtQueue *
transmit_queue(const VirtioConsolePort *port)
{
    return port->console->device.queues[port->number ? 3 + 2 * port->number : 1];
}

/* --- telling the guest ------------------------------------------------------------------------------------------ */

/* The next message for the guest about @port, and its bit taken off. Its length in bytes; 0: none. */
static size_t
next_message(VirtioConsolePort *port, uint8_t *to)
{
    struct virtio_console_control message = {.id = port->number, .value = 1};
    size_t len = sizeof(message);

    if (port->tell & TELL_ADD) {
        port->tell &= ~TELL_ADD;
        message.event = VIRTIO_CONSOLE_PORT_ADD;
    } else if (port->tell & TELL_CONSOLE) {
        port->tell &= ~TELL_CONSOLE;
        message.event = VIRTIO_CONSOLE_CONSOLE_PORT;
    } else if (port->tell & TELL_NAME) {
        port->tell &= ~TELL_NAME;
        message.event = VIRTIO_CONSOLE_PORT_NAME;
        len += strlen(port->name);
        memcpy(to + sizeof(message), port->name, len - sizeof(message));
    } else if (port->tell & TELL_OPEN) {
        port->tell &= ~TELL_OPEN;
        port->told_guest = port->host_open;
        message.event = VIRTIO_CONSOLE_PORT_OPEN;
        message.value = port->host_open;
    } else {
        return 0;
    }
    memcpy(to, &message, sizeof(message));
    return len;
}

/* Sends as many messages as the guest has buffers for; the rest when it posts more. */
static void
tell_guest(Console *console)
{
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
    uint8_t message[sizeof(struct virtio_console_control) + NAME_MAX_BYTES];
    VirtQueue *queue = multiport(console) ? console->device.queues[CONTROL_RECEIVE] : NULL;

    if (!queue)
        return;
    for (unsigned i = 0; i < console->n_ports; i++)
        while (console->ports[i].tell) {
            if (!virtqueue_pop(queue, &chain)) {
                virtqueue_notify(queue);
                return;
            }
            size_t len = next_message(&console->ports[i], message);
            if (virt_chain_writable(&chain) < len)
                virtio_device_break(&console->device, "a control buffer too small for a message of %zu bytes", len);
            virtqueue_push(queue, &chain, virt_chain_write(&chain, message, len));
        }
    virtqueue_notify(queue);
}

static void
tell_host_open(VirtioConsolePort *port)
{
    if (port->ready && port->told_guest != port->host_open)
        port->tell |= TELL_OPEN;
    else
        port->tell &= ~TELL_OPEN;
}

/* --- telling back ends ------------------------------------------------------------------------------------------ */

static void
tell_back_end(VirtioConsolePort *port)
{
    if (port->told_back_end == port->guest_open)
        return;
    port->told_back_end = port->guest_open;
    if (port->ops->guest_open)
        port->ops->guest_open(port->back_end, port->guest_open);
}

static void
tell_back_ends(Console *console)
{
    for (unsigned i = 0; i < console->n_ports; i++)
        if (port_exists(&console->ports[i]))
            tell_back_end(&console->ports[i]);
}

static gboolean
catch_up_dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    Console *console = user;

    g_source_set_ready_time(source, -1);
    console_enter(console);
    tell_back_ends(console);
    console_leave(console);
    return G_SOURCE_CONTINUE;
}

static gboolean
catch_up_unused(gpointer user)
{
    return G_SOURCE_CONTINUE;
}

static GSource *
catch_up_watch(Console *console)
{
    static GSourceFuncs funcs = {.dispatch = catch_up_dispatch};

    GSource *source = g_source_new(&funcs, sizeof(GSource));
    g_source_set_callback(source, catch_up_unused, console, NULL);
    g_source_set_static_name(source, "virtio-console");
    g_source_attach(source, console->device.context);
    return source;
}

/* From any thread. */
static void
catch_up_soon(Console *console)
{
    g_source_set_ready_time(console->catch_up, 0);
}

/* --- control messages from the guest ------------------------------------------------------------------------------ */

static void
announce_ports(Console *console)
{
    for (unsigned i = 0; i < console->n_ports; i++)
        if (port_exists(&console->ports[i]))
            console->ports[i].tell |= TELL_ADD;
}

static void
port_is_ready(VirtioConsolePort *port)
{
    port->ready = true;
    port->told_guest = false; /* a new port's host end is closed until the guest hears otherwise */
    port->tell |= port->number ? TELL_NAME : TELL_CONSOLE;
    tell_host_open(port);
}

static void
control_message(Console *console, const struct virtio_console_control *message)
{
    if (message->event == VIRTIO_CONSOLE_DEVICE_READY) {
        if (message->value == 1)
            announce_ports(console);
        return;
    }
    if (message->id >= console->n_ports || !port_exists(&console->ports[message->id]))
        return;
    VirtioConsolePort *port = &console->ports[message->id];
    if (message->event == VIRTIO_CONSOLE_PORT_READY && message->value == 1) {
        port_is_ready(port);
    } else if (message->event == VIRTIO_CONSOLE_PORT_OPEN) {
        port->guest_open = message->value;
        tell_back_end(port);
    }
}

static void
serve_control(Console *console, VirtQueue *queue)
{
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
    struct virtio_console_control message;
    unsigned turns = CHAINS_A_TURN;

    while (turns && virtqueue_pop(queue, &chain)) {
        bool whole = virt_chain_read(&chain, &message, sizeof(message)) == sizeof(message);
        virtqueue_push(queue, &chain, 0);
        if (whole)
            control_message(console, &message);
        turns--;
    }
    virtqueue_notify(queue);
    if (!turns)
        virtio_device_schedule(&console->device, queue);
    tell_guest(console);
}

/* --- data --------------------------------------------------------------------------------------------------------- */

/* Offers the back end what it has not yet had of @chain, at most *@left bytes. Whether it took all of the chain. */
static bool
offer(VirtioConsolePort *port, const VirtChain *chain, size_t *left)
{
    size_t before = 0; /* bytes in the buffers already seen */

    for (size_t i = 0; i < chain->n_out; i++) {
        const struct iovec *buffer = &chain->out[i];
        while (port->consumed < before + buffer->iov_len) {
            if (!port->host_open)
                return true;
            size_t at = port->consumed - before, len = MIN(buffer->iov_len - at, *left);
            if (!len)
                return false;
            port->resumed = false;
            size_t taken = port->ops->data(port->back_end, (const uint8_t *)buffer->iov_base + at, len);
            g_assert(taken <= len);
            port->consumed += taken;
            *left -= taken;
            if (taken < len && !(taken && port->resumed))
                return false;
        }
        before += buffer->iov_len;
    }
    return true;
}

/*
 * The guest's writes, in order. One that the back end takes only a part of, or that is too long for a turn, goes back to the
 * head of the ring, with a note of how much was taken: nothing of the ring is held across a pause, and a flooding guest
 * waits for its own queue.
 */
static void
serve_transmit(VirtioConsolePort *port, VirtQueue *queue)
{
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
    unsigned turns = CHAINS_A_TURN;
    size_t left = BYTES_A_TURN;

    while (turns && left && !port->throttled && virtqueue_pop(queue, &chain)) {
        if (!offer(port, &chain, &left)) {
            virtqueue_unpop(queue, &chain);
            port->throttled = left; /* else only the turn is over */
            break;
        }
        port->consumed = 0;
        virtqueue_push(queue, &chain, 0);
        turns--;
    }
    virtqueue_notify(queue);
    if (!turns || !left)
        virtio_device_schedule(&port->console->device, queue);
}

/* The guest posted buffers. */
static void
serve_receive(VirtioConsolePort *port)
{
    VirtQueue *queue = receive_queue(port);

    if (!port->starved || !port->guest_open)
        return;
    /* A turn that ended with the last buffer did not ask for a kick. */
    if (!virtqueue_has_work(queue) && !virtqueue_set_kicks(queue, true))
        return;
    port->starved = false;
    if (port->ops->writable)
        port->ops->writable(port->back_end);
}

size_t
console_port_write(VirtioConsolePort *port, const void *bytes, size_t len)
{
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
    VirtQueue *queue = receive_queue(port);
    unsigned turns = CHAINS_A_TURN;
    size_t done = 0;

    console_enter(port->console);
    while (turns && port->guest_open && done < len && virtqueue_pop(queue, &chain)) {
        size_t written = virt_chain_write(&chain, (const uint8_t *)bytes + done, len - done);
        virtqueue_push(queue, &chain, written);
        done += written;
        turns--;
    }
    virtqueue_notify(queue);
    port->starved = done < len;
    if (port->starved && !turns) /* it has posted more, and will not kick for it again */
        virtio_device_schedule(&port->console->device, queue);
    console_leave(port->console);
    return done;
}

void
console_port_set_open(VirtioConsolePort *port, bool open)
{
    Console *console = port->console;

    console_enter(console);
    if (port->host_open != open) {
        port->host_open = open;
        tell_host_open(port);
        tell_guest(console);
        console_port_resume(port); /* a new reader, or nobody to wait for */
    }
    console_leave(console);
}

void
console_port_resume(VirtioConsolePort *port)
{
    console_enter(port->console);
    port->resumed = true;
    if (port->throttled) {
        port->throttled = false;
        virtio_device_schedule(&port->console->device, transmit_queue(port));
    }
    console_leave(port->console);
}

bool
console_port_guest_is_open(const VirtioConsolePort *port)
{
    return port->guest_open;
}

/* --- the class -------------------------------------------------------------------------------------------------- */

static void
console_serve(VirtioDevice *device, VirtQueue *queue)
{
    Console *console = console_of(device);
    unsigned index = virtqueue_index(queue);
    VirtioConsolePort *port = &console->ports[index < CONTROL_RECEIVE ? 0 : index / 2 - 1];

    console->depth++; /* the lock is held already */
    if (index == CONTROL_RECEIVE)
        tell_guest(console);
    else if (index == CONTROL_TRANSMIT)
        serve_control(console, queue);
    else if (port_exists(port) && index % 2)
        serve_transmit(port, queue);
    else if (port_exists(port))
        serve_receive(port);
    console->depth--;
}

static void
console_config_read(VirtioDevice *device, uint32_t offset, void *to, uint32_t len)
{
    const struct virtio_console_config config = {.max_nr_ports = console_of(device)->n_ports};
    memcpy(to, (const uint8_t *)&config + offset, len);
}

/* A driver without ports of its own has the console open from the start. */
static void
console_start(VirtioDevice *device)
{
    Console *console = console_of(device);

    if (!multiport(console) && port_exists(&console->ports[0]))
        console->ports[0].guest_open = true;
    for (unsigned i = 0; i < console->n_ports; i++)
        tell_host_open(&console->ports[i]); /* what changed while the machine rested, or before it was saved */
    catch_up_soon(console);
}

static void
console_reset(VirtioDevice *device)
{
    Console *console = console_of(device);

    for (unsigned i = 0; i < console->n_ports; i++) {
        VirtioConsolePort *port = &console->ports[i];
        port->ready = port->guest_open = port->told_guest = false;
        port->throttled = port->starved = false;
        port->tell = 0;
        port->consumed = 0;
    }
    catch_up_soon(console);
}

static void
console_finish(VirtioDevice *device)
{
    Console *console = console_of(device);

    g_source_destroy(console->catch_up);
    g_source_unref(console->catch_up);
    for (unsigned i = 0; i < console->n_ports; i++)
        g_free(console->ports[i].name);
}

static const StateField port_fields[] = {
    STATE_BOOL(VirtioConsolePort, ready, 1),      STATE_BOOL(VirtioConsolePort, guest_open, 1),
    STATE_BOOL(VirtioConsolePort, told_guest, 1), STATE_UINT(VirtioConsolePort, tell, 1),
    STATE_UINT(VirtioConsolePort, consumed, 1),   STATE_END,
};
static const StateTable port_state = {.name = "console-port", .version = 1, .oldest = 1, .fields = port_fields};

static bool
console_after_load(void *object, GError **error)
{
    Console *console = object;

    for (unsigned i = 0; i <= VIRTIO_CONSOLE_PORTS_MAX; i++) {
        VirtioConsolePort *port = &console->ports[i];
        uint8_t allowed = TELL_ADD | TELL_OPEN | (i ? TELL_NAME : TELL_CONSOLE);
        bool used = port->ready || port->guest_open || port->told_guest || port->tell || port->consumed;
        if ((!used || port_exists(port)) && !(port->tell & ~allowed))
            continue;
        g_set_error(error, STATE_ERROR, STATE_ERROR_FOREIGN, "state of %s has a port %u that this desktop has not",
                    console->device.id, i);
        return false;
    }
    return true;
}

static const StateField console_fields[] = {
    STATE_ARRAY(Console, ports, 1, &port_state),
    STATE_END,
};
static const StateTable console_state = {
    .name = "virtio-console",
    .version = 1,
    .oldest = 1,
    .fields = console_fields,
    .after_load = console_after_load,
};

static const VirtioClass console_class = {
    .name = "virtio-console",
    .id = VIRTIO_ID_CONSOLE,
    .pci_class = 0x0780, /* communication controller, other */
    .queue_size = QUEUE_SIZE,
    .features = 1ull << VIRTIO_CONSOLE_F_MULTIPORT,
    .config_size = CONFIG_SIZE,
    .serve = console_serve,
    .config_read = console_config_read,
    .start = console_start,
    .reset = console_reset,
    .state = &console_state,
    .finish = console_finish,
};

VirtioDevice *
virtio_console_new(const char *id, GuestMemory *memory, unsigned n_ports)
{
    g_assert(n_ports <= VIRTIO_CONSOLE_PORTS_MAX);
    Console *console = g_new0(Console, 1);

    console->n_ports = 1 + n_ports;
    virtio_device_init(&console->device, &console_class, id, memory, 2 + 2 * console->n_ports, 0, NULL);
    console->catch_up = catch_up_watch(console);
    return &console->device;
}

static VirtioConsolePort *
add_port(Console *console, unsigned number, const char *name, const ConsolePortOps *ops, void *back_end)
{
    VirtioConsolePort *port = &console->ports[number];

    g_assert(ops->data && number < console->n_ports && !port_exists(port));
    *port = (VirtioConsolePort){
        .console = console,
        .number = number,
        .name = g_strdup(name),
        .ops = ops,
        .back_end = back_end,
    };
    return port;
}

VirtioConsolePort *
virtio_console_add_port(VirtioDevice *device, const char *name, const ConsolePortOps *ops, void *back_end)
{
    Console *console = console_of(device);

    g_assert(strlen(name) <= NAME_MAX_BYTES);
    return add_port(console, ++console->n_added, name, ops, back_end);
}

VirtioConsolePort *
virtio_console_port0(VirtioDevice *device, const ConsolePortOps *ops, void *back_end)
{
    VirtioConsolePort *port = add_port(console_of(device), 0, NULL, ops, back_end);

    port->host_open = true;
    return port;
}
