/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-input: reports of events out, the guest's questions about the device and its LEDs in.
 *
 * One queue holds empty event buffers of the guest, one for each event; the other brings LED states. A report is sent only if
 * all of it fits. Where it does not, buttons wait, and motion is lost, as the next makes up for it. A keyboard's keys all go
 * through the type-ahead buffer, and at its pace.
 *
 * Owner: the main thread; the configuration and a reset come on vCPU threads, under the device's lock.
 */
#include "vmm/virtio/input.h"
#include "vmm/board/type_ahead.h"

#include <linux/input.h>
#include <linux/virtio_input.h>
#include <stddef.h>
#include <string.h>

#define QUEUE_SIZE 64
#define EVENT_QUEUE 0
#define STATUS_QUEUE 1
#define REPORT_MAX 32 /* events of one report, with the closing EV_SYN */
#define STATUSES_A_TURN QUEUE_SIZE
#define EVENT_SIZE sizeof(struct virtio_input_event)

G_STATIC_ASSERT(sizeof(struct virtio_input_event) == 8);
G_STATIC_ASSERT(sizeof(struct virtio_input_config) == 136);

/* A kind's face to the guest. Ids are of the virtual bus; products tell the kinds apart. */
typedef struct {
    const char *name;
    uint16_t product;
    uint16_t first_key, last_key; /* EV_KEY codes it may send */
    uint8_t relative[2];          /* EV_REL, bit by bit */
    bool absolute;                /* ABS_X and ABS_Y */
    bool keyboard;                /* LEDs, and the guest repeats keys by itself */
} InputFace;

static const InputFace faces[] = {
    [VIRTIO_INPUT_KEYBOARD] =
        {.name = "Carrel keyboard", .product = 1, .first_key = KEY_ESC, .last_key = KEY_MICMUTE, .keyboard = true},
    [VIRTIO_INPUT_TABLET] = {.name = "Carrel tablet",
                             .product = 2,
                             .first_key = BTN_LEFT,
                             .last_key = BTN_TASK,
                             .relative = {1 << REL_HWHEEL, 1 << (REL_WHEEL - 8)},
                             .absolute = true},
    [VIRTIO_INPUT_MOUSE] = {.name = "Carrel mouse",
                            .product = 3,
                            .first_key = BTN_LEFT,
                            .last_key = BTN_TASK,
                            .relative = {1 << REL_X | 1 << REL_Y | 1 << REL_HWHEEL, 1 << (REL_WHEEL - 8)}},
};

typedef struct {
    VirtioDevice device;
    const InputFace *face;
    uint8_t select, subselect; /* what the guest asks for */
    uint8_t leds;              /* bits 1 << LED_… */
    TypeAhead ahead;           /* keys and buttons */
    Clock *clock;
    ClockTimer *timer; /* for keys that wait for their time; NULL: none */
    VirtChain chains[REPORT_MAX];
    VirtioInputLeds changed;
    void *user;
} Input;

static Input *
input_of(VirtioDevice *device)
{
    return (Input *)device;
}

/* --- what the device says of itself (virtio 1.2, 5.8.4) ----------------------------------------------------------- */

static void
set_bit(uint8_t *bits, unsigned n, bool on)
{
    if (on)
        bits[n / 8] |= 1 << (n % 8);
    else
        bits[n / 8] &= ~(1 << (n % 8));
}

/* Bytes of a bitmap, up to its last byte that is not zero; 0: nothing of that type. */
static uint8_t
used_bytes(const uint8_t *bits, size_t len)
{
    while (len && !bits[len - 1])
        len--;
    return len;
}

static uint8_t
describe_events(const InputFace *face, uint8_t type, uint8_t *bits)
{
    switch (type) {
    case EV_KEY:
        for (unsigned key = face->first_key; key <= face->last_key; key++)
            set_bit(bits, key, true);
        break;
    case EV_REL:
        memcpy(bits, face->relative, sizeof(face->relative));
        break;
    case EV_ABS:
        if (face->absolute)
            bits[0] = 1 << ABS_X | 1 << ABS_Y;
        break;
    case EV_LED:
        if (face->keyboard)
            bits[0] = 1 << LED_NUML | 1 << LED_CAPSL | 1 << LED_SCROLLL;
        break;
    case EV_REP:
        if (face->keyboard)
            bits[0] = 1 << REP_DELAY | 1 << REP_PERIOD;
        break;
    default:
        break;
    }
    return used_bytes(bits, 128);
}

static uint8_t
describe_text(const char *text, char *to)
{
    size_t len = MIN(strlen(text), 128);
    memcpy(to, text, len);
    return len;
}

/* Answers the question in select and subselect; size 0 where there is no answer. */
static void
describe(const Input *input, struct virtio_input_config *config)
{
    const InputFace *face = input->face;

    *config = (struct virtio_input_config){.select = input->select, .subsel = input->subselect};
    switch (config->select) {
    case VIRTIO_INPUT_CFG_ID_NAME:
        config->size = describe_text(face->name, config->u.string);
        break;
    case VIRTIO_INPUT_CFG_ID_SERIAL:
        config->size = describe_text(input->device.id, config->u.string);
        break;
    case VIRTIO_INPUT_CFG_ID_DEVIDS:
        config->u.ids = (struct virtio_input_devids){
            .bustype = BUS_VIRTUAL, .vendor = 0x1af4, .product = face->product, .version = 1};
        config->size = sizeof(config->u.ids);
        break;
    case VIRTIO_INPUT_CFG_EV_BITS:
        config->size = describe_events(face, config->subsel, config->u.bitmap);
        break;
    case VIRTIO_INPUT_CFG_ABS_INFO:
        if (!face->absolute || config->subsel > ABS_Y)
            break;
        config->u.abs = (struct virtio_input_absinfo){.max = VIRTIO_INPUT_ABS_MAX};
        config->size = sizeof(config->u.abs);
        break;
    default: /* no properties: both pointers are what udev takes them for by their axes */
        break;
    }
}

static void
input_config_read(VirtioDevice *device, uint32_t offset, void *to, uint32_t len)
{
    struct virtio_input_config config;

    describe(input_of(device), &config);
    memcpy(to, (const uint8_t *)&config + offset, len);
}

static void
input_config_write(VirtioDevice *device, uint32_t offset, const void *from, uint32_t len)
{
    Input *input = input_of(device);
    const uint8_t *bytes = from;

    for (uint32_t i = 0; i < len; i++)
        if (offset + i == offsetof(struct virtio_input_config, select))
            input->select = bytes[i];
        else if (offset + i == offsetof(struct virtio_input_config, subsel))
            input->subselect = bytes[i];
}

/* --- events to the guest ---------------------------------------------------------------------------------------- */

/* Takes @n buffers, or none. */
static bool
take_buffers(Input *input, size_t n)
{
    VirtQueue *queue = input->device.queues[EVENT_QUEUE];
    size_t taken = 0;

    while (taken < n && virtqueue_pop(queue, &input->chains[taken]))
        taken++;
    for (size_t i = 0; i < taken; i++)
        if (virt_chain_writable(&input->chains[i]) < EVENT_SIZE) {
            virtio_device_break(&input->device, "a buffer too small for an event");
            break;
        }
    if (taken == n)
        return true;
    while (taken)
        virtqueue_unpop(queue, &input->chains[--taken]);
    return false;
}

/* All of the report or nothing. */
static bool
send_report(Input *input, const VirtioInputEvent *events, size_t n)
{
    VirtQueue *queue = input->device.queues[EVENT_QUEUE];

    if (!take_buffers(input, n + 1))
        return false;
    for (size_t i = 0; i <= n; i++) {
        VirtioInputEvent event = i < n ? events[i] : (VirtioInputEvent){EV_SYN, SYN_REPORT, 0};
        const struct virtio_input_event wire = {.type = event.type, .code = event.code, .value = event.value};
        virtqueue_push(queue, &input->chains[i], virt_chain_write(&input->chains[i], &wire, EVENT_SIZE));
    }
    virtqueue_notify(queue);
    return true;
}

/* Whether the first that waits may go. If not, the timer comes for it. */
static bool
is_time(Input *input, int64_t now)
{
    int64_t due = type_ahead_due(&input->ahead);

    if (!input->timer || due <= now)
        return true;
    clock_timer_set(input->timer, due);
    return false;
}

/* Sends what waits, in order. false while something has to wait on. */
static bool
send_waiting(Input *input)
{
    int64_t now = input->timer ? clock_now(input->clock) : 0;
    TypeAheadKey key;

    while (type_ahead_first(&input->ahead, &key)) {
        if (!is_time(input, now) || !send_report(input, &(VirtioInputEvent){EV_KEY, key.key, key.down}, 1))
            return false;
        type_ahead_take(&input->ahead, now);
    }
    return true;
}

/*
 * While the guest is away (paused, or without a driver) nobody types ahead: it would come as a surprise later. What goes up
 * does so for the guest, too, once it is back.
 */
static bool
may_wait(const Input *input, const VirtioInputEvent *event)
{
    return !event->value || virtqueue_ready(input->device.queues[EVENT_QUEUE]);
}

static void
report_keys(Input *input, const VirtioInputEvent *events, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (events[i].type == EV_KEY && may_wait(input, &events[i]))
            type_ahead_add(&input->ahead, (TypeAheadKey){events[i].code, events[i].value});
    send_waiting(input);
}

/* Buttons go with the motion that led to them. */
static void
report_pointer(Input *input, const VirtioInputEvent *events, size_t n)
{
    bool sent = n && send_waiting(input) && send_report(input, events, n);

    for (size_t i = 0; i < n; i++) {
        if (events[i].type != EV_KEY || (!sent && !may_wait(input, &events[i])))
            continue;
        if (type_ahead_add(&input->ahead, (TypeAheadKey){events[i].code, events[i].value}) && sent)
            type_ahead_take(&input->ahead, 0);
    }
}

void
virtio_input_report(VirtioDevice *device, const VirtioInputEvent *events, size_t n)
{
    Input *input = input_of(device);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&device->lock);

    g_assert(n < REPORT_MAX);
    if (input->face->keyboard)
        report_keys(input, events, n);
    else
        report_pointer(input, events, n);
}

static void
on_timer(void *user)
{
    Input *input = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&input->device.lock);

    send_waiting(input);
}

/* --- LEDs from the guest ---------------------------------------------------------------------------------------- */

static void
serve_status(Input *input, VirtQueue *queue)
{
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
    struct virtio_input_event event;
    uint8_t before = input->leds;
    unsigned turns = STATUSES_A_TURN;

    while (turns && virtqueue_pop(queue, &chain)) {
        if (virt_chain_read(&chain, &event, EVENT_SIZE) == EVENT_SIZE && event.type == EV_LED &&
            event.code <= LED_SCROLLL)
            set_bit(&input->leds, event.code, event.value);
        virtqueue_push(queue, &chain, 0);
        turns--;
    }
    virtqueue_notify(queue);
    if (!turns)
        virtio_device_schedule(&input->device, queue);
    if (input->leds != before && input->changed)
        input->changed(input->user, input->leds);
}

void
virtio_input_on_leds(VirtioDevice *device, VirtioInputLeds changed, void *user)
{
    Input *input = input_of(device);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&device->lock);

    input->changed = changed;
    input->user = user;
}

/* --- the class -------------------------------------------------------------------------------------------------- */

static void
input_serve(VirtioDevice *device, VirtQueue *queue)
{
    Input *input = input_of(device);

    if (virtqueue_index(queue) == STATUS_QUEUE)
        serve_status(input, queue);
    else
        send_waiting(input);
}

static void
input_reset(VirtioDevice *device)
{
    Input *input = input_of(device);

    input->select = input->subselect = 0;
    input->leds = 0;
    type_ahead_clear(&input->ahead);
}

static void
input_finish(VirtioDevice *device)
{
    clock_timer_free(input_of(device)->timer);
    for (size_t i = 0; i < REPORT_MAX; i++)
        virt_chain_clear(&input_of(device)->chains[i]);
}

static const StateField input_fields[] = {
    STATE_UINT(Input, select, 1),
    STATE_UINT(Input, subselect, 1),
    STATE_UINT(Input, leds, 1),
    STATE_STRUCT(Input, ahead, 2, &type_ahead_state),
    STATE_END,
};
static const StateTable input_state = {.name = "virtio-input", .version = 2, .oldest = 2, .fields = input_fields};

static const VirtioClass input_class = {
    .name = "virtio-input",
    .id = VIRTIO_ID_INPUT,
    .pci_class = 0x0980, /* input device controller, other */
    .n_queues = 2,
    .queue_size = QUEUE_SIZE,
    .config_size = sizeof(struct virtio_input_config),
    .serve = input_serve,
    .config_read = input_config_read,
    .config_write = input_config_write,
    .reset = input_reset,
    .state = &input_state,
    .finish = input_finish,
};

VirtioDevice *
virtio_input_new(VirtioInputKind kind, const char *id, GuestMemory *memory, Clock *clock)
{
    Input *input = g_new0(Input, 1);

    g_assert(kind < G_N_ELEMENTS(faces));
    input->face = &faces[kind];
    input->clock = clock;
    if (input->face->keyboard)
        input->timer = clock_timer_new(clock, on_timer, input);
    virtio_device_init(&input->device, &input_class, id, memory, 0, 0, NULL);
    return &input->device;
}

/* --- for front ends --------------------------------------------------------------------------------------------- */

/*
 * A system's driver sets up both queues. OVMF's own sets up the events' alone: it knows one key at a time and calls no hot key,
 * so that its menu could not be reached by it; a USB keyboard is better there.
 */
static bool
sink_ready(void *sink)
{
    VirtioDevice *device = sink;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&device->lock);

    return virtio_device_started(device) && virtqueue_enabled(device->queues[STATUS_QUEUE]);
}

static void
sink_report(void *sink, const InputEvent *events, size_t n)
{
    virtio_input_report(sink, events, n);
}

static void
sink_on_leds(void *sink, InputLeds changed, void *user)
{
    virtio_input_on_leds(sink, changed, user);
}

InputSink
virtio_input_sink(VirtioDevice *device)
{
    static const InputSinkOps ops = {.ready = sink_ready, .report = sink_report, .on_leds = sink_on_leds};
    return device ? (InputSink){&ops, device} : (InputSink){0};
}
