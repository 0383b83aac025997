/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtqueue and a driver that writes anything into guest memory at any time, while the device takes requests, gives them
 * back in any order, is saved and loaded, and reset.
 *
 * The input is a byte of features and size, then records: an operation and its arguments. Guest memory is zero at first,
 * with the rings at the addresses below unless the input moves them. After each record the queue's own counts must agree
 * with the requests held, and each request must lie in RAM.
 */
#include "tests/fuzz/fuzz.h"
#include "vmm/virtio/queue_private.h"

#include <string.h>

#define RAM (1u << 20)
#define SIZE_MAX_LOG 4
#define HELD_MAX (1 << SIZE_MAX_LOG)
/* Where the input's writes go: rings, tables and small buffers. */
#define PLAYGROUND 0x1000
#define DESCRIPTORS 0x000
#define DRIVER 0x200
#define DEVICE 0x300

enum {
    OP_WRITE, /* offset (2), length (1), bytes */
    OP_POP,   /* and read all of it */
    OP_PUSH,  /* which of those held, and how many more (1), how much is written to each (2) */
    OP_UNPOP, /* if the last operation on the queue was a pop */
    OP_NOTIFY,
    OP_KICKS,   /* on or off (1) */
    OP_SAVE,    /* saved, and loaded into the device after a reset */
    OP_LOAD,    /* the same with a byte of the stream changed: place (1), value (1) */
    OP_RESET,   /* features and size (1) anew */
    OP_SETUP,   /* enabled anew with other addresses (3 × 2) and size (2) */
    OP_QUIESCE, /* and resumed */
    N_OPS,
};

typedef struct {
    VirtioDevice device;
    VirtChain held[HELD_MAX];
    int last_popped;   /* -1: unpop is not right now */
    GPtrArray *parked; /* VirtChainState, while saved */
    uint8_t *ram;
} Harness;

/* --- a class that parks what it holds ----------------------------------------------------------------------------- */

static void
park(void *object)
{
    Harness *harness = object;

    g_ptr_array_set_size(harness->parked, 0);
    for (unsigned i = 0; i < HELD_MAX; i++)
        if (harness->held[i].popped)
            g_ptr_array_add(harness->parked, virtqueue_hold(harness->device.queues[0], &harness->held[i]));
}

static bool
take_back(void *object, GError **error)
{
    Harness *harness = object;

    for (guint i = 0; i < harness->parked->len; i++)
        if (!virtqueue_take_back(harness->device.queues[0], harness->parked->pdata[i], &harness->held[i])) {
            g_set_error_literal(error, STATE_ERROR, STATE_ERROR_MALFORMED, "a request that cannot be");
            return false;
        }
    return true;
}

static const StateField fields[] = {STATE_LIST(Harness, parked, 1, &virt_chain_state, HELD_MAX), STATE_END};
static const StateTable table = {
    .name = "harness", .version = 1, .oldest = 1, .fields = fields, .before_save = park, .after_load = take_back};

static const VirtioClass class = {
    .name = "virtio-fuzz", .id = 63, .n_queues = 1, .queue_size = 1 << SIZE_MAX_LOG, .state = &table};

static void
forget_held(Harness *harness)
{
    for (unsigned i = 0; i < HELD_MAX; i++)
        harness->held[i].popped = false;
    harness->last_popped = -1;
}

/* --- what must always hold ---------------------------------------------------------------------------------------- */

static void
check_buffers(const Harness *harness, const struct iovec *buffers, size_t n, size_t total)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        const uint8_t *base = buffers[i].iov_base;
        g_assert_cmpuint(buffers[i].iov_len, >, 0);
        g_assert_true(base >= harness->ram && buffers[i].iov_len <= RAM &&
                      (size_t)(base - harness->ram) <= RAM - buffers[i].iov_len);
        sum += buffers[i].iov_len;
    }
    g_assert_cmpuint(sum, ==, total);
}

static void
check(Harness *harness)
{
    const VirtQueue *queue = harness->device.queues[0];
    unsigned in_flight = 0;

    for (unsigned i = 0; i < HELD_MAX; i++) {
        const VirtChain *chain = &harness->held[i];
        if (!chain->popped)
            continue;
        in_flight += queue->packed ? chain->n_descriptors : 1;
        check_buffers(harness, chain->out, chain->n_out, chain->out_len);
        check_buffers(harness, chain->in, chain->n_in, chain->in_len);
        g_assert_cmpuint(chain->n_out + chain->n_in, <=, VIRT_CHAIN_MAX);
        g_assert_cmpuint(chain->out_len + chain->in_len, <=, UINT32_MAX);
    }
    if (harness->device.broken || !queue->enabled)
        return;
    g_assert_cmpuint(queue->in_flight, ==, in_flight);
    g_assert_cmpuint(in_flight, <=, queue->setup.size);
    g_assert_true(!queue->packed || (queue->avail_index < queue->setup.size && queue->used_index < queue->setup.size));
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static void
ignore_queue(void *transport, VirtQueue *queue)
{
}

static void
ignore_config(void *transport)
{
}

static void
begin(Harness *harness, uint8_t choice, const VirtQueueSetup *setup)
{
    VirtioDevice *device = &harness->device;
    uint64_t features = 1ull << VIRTIO_F_VERSION_1;

    virtio_device_set_status(device, 0);
    forget_held(harness);
    if (choice & 1)
        features |= 1ull << VIRTIO_F_RING_PACKED;
    if (choice & 2)
        features |= 1ull << VIRTIO_RING_F_EVENT_IDX;
    if (choice & 4)
        features |= 1ull << VIRTIO_RING_F_INDIRECT_DESC;
    virtio_device_accept(device, features);
    virtio_device_set_status(device, VIRTIO_CONFIG_S_FEATURES_OK);
    const VirtQueueSetup usual = {DESCRIPTORS, DRIVER, DEVICE, 1 << (choice >> 4) % (SIZE_MAX_LOG + 1)};
    virtqueue_set_setup(device->queues[0], setup ? setup : &usual);
    virtqueue_enable(device->queues[0]);
    virtio_device_set_status(device, VIRTIO_CONFIG_S_DRIVER_OK);
}

static void
do_write(Harness *harness, FuzzInput *input)
{
    uint32_t offset = fuzz_take(input, 2) % PLAYGROUND, len = fuzz_take(input, 1);

    len = MIN(MIN(len, PLAYGROUND - offset), input->left);
    memcpy(harness->ram + offset, input->at, len);
    input->at += len;
    input->left -= len;
}

static void
do_pop(Harness *harness)
{
    unsigned place = 0;
    uint8_t bytes[257];

    while (place < HELD_MAX && harness->held[place].popped)
        place++;
    if (place == HELD_MAX)
        return; /* the queue itself must refuse: asserted in check() */
    VirtChain *chain = &harness->held[place];
    harness->last_popped = -1;
    if (!virtqueue_pop(harness->device.queues[0], chain))
        return;
    harness->last_popped = place;
    for (unsigned turns = 16; turns && virt_chain_read(chain, bytes, sizeof(bytes)); turns--) {
    }
}

/* Fills the chain's in buffers with @want bytes as far as there is room; how many that were. */
static uint32_t
fill(VirtChain *chain, uint32_t want)
{
    uint8_t bytes[61];
    uint32_t written = 0;
    size_t got;

    memset(bytes, want, sizeof(bytes));
    do {
        got = virt_chain_write(chain, bytes, MIN(sizeof(bytes), want - written));
        written += got;
    } while (got);
    g_assert_cmpuint(written, ==, MIN(want, chain->in_len));
    return written;
}

/* One request, or a run of those held side by side. */
static void
do_push(Harness *harness, FuzzInput *input)
{
    uint8_t choice = fuzz_take(input, 1);
    uint32_t want = fuzz_take(input, 2), written[HELD_MAX];
    unsigned first = choice % HELD_MAX, n = 0;

    for (; first + n < HELD_MAX && n <= choice / HELD_MAX && harness->held[first + n].popped; n++)
        written[n] = fill(&harness->held[first + n], want);
    virtqueue_push_many(harness->device.queues[0], &harness->held[first], written, n);
    harness->last_popped = -1;
}

/* Loads what was saved, with one byte changed or none; what cannot be loaded unchanged is a fault. */
static void
do_save(Harness *harness, int place, uint8_t value)
{
    VirtioDevice *device = &harness->device;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    virtio_device_quiesce(device);
    state_save(&virtio_device_state, device, bytes);
    if (place >= 0)
        bytes->data[place % bytes->len] ^= value;
    virtio_device_reset(device);
    forget_held(harness);
    bool loaded = state_load(&virtio_device_state, device, 1, bytes->data, bytes->len, &error);
    if (place < 0)
        g_assert_no_error(error);
    if (!loaded) {
        virtio_device_reset(device);
        forget_held(harness);
        begin(harness, value, NULL);
    } else {
        virtio_device_resume(device);
    }
}

static void
do_setup(Harness *harness, FuzzInput *input)
{
    uint8_t choice = fuzz_take(input, 1);
    VirtQueueSetup setup = {
        .descriptors = fuzz_take(input, 2), .driver = fuzz_take(input, 2), .device = fuzz_take(input, 2)};

    setup.size = fuzz_take(input, 2);
    if (choice & 8)
        setup.descriptors = RAM - setup.descriptors;
    begin(harness, choice, &setup);
}

static void
run(Harness *harness, FuzzInput *input)
{
    VirtQueue *queue = harness->device.queues[0];
    int place;

    switch (fuzz_take(input, 1) % N_OPS) {
    case OP_WRITE:
        do_write(harness, input);
        break;
    case OP_POP:
        do_pop(harness);
        break;
    case OP_PUSH:
        do_push(harness, input);
        break;
    case OP_UNPOP:
        if (harness->last_popped >= 0)
            virtqueue_unpop(queue, &harness->held[harness->last_popped]);
        harness->last_popped = -1;
        break;
    case OP_NOTIFY:
        virtqueue_notify(queue);
        break;
    case OP_KICKS:
        if (virtqueue_set_kicks(queue, fuzz_take(input, 1) & 1))
            g_assert_true(virtqueue_ready(queue));
        break;
    case OP_SAVE:
        do_save(harness, -1, 0);
        break;
    case OP_LOAD:
        place = fuzz_take(input, 1);
        do_save(harness, place, fuzz_take(input, 1));
        break;
    case OP_RESET:
        begin(harness, fuzz_take(input, 1), NULL);
        break;
    case OP_SETUP:
        do_setup(harness, input);
        break;
    case OP_QUIESCE:
        virtio_device_quiesce(&harness->device);
        g_assert_false(virtqueue_ready(queue));
        virtio_device_resume(&harness->device);
        break;
    }
}

static GLogWriterOutput
say_nothing(GLogLevelFlags level, const GLogField *log_fields, gsize n_fields, gpointer user)
{
    return level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL) ? g_log_writer_default(level, log_fields, n_fields, user)
                                                              : G_LOG_WRITER_HANDLED;
}

static Harness *
harness_new(void)
{
    static const VirtioTransportOps ops = {.notify_queue = ignore_queue, .notify_config = ignore_config};
    GuestMemory *memory = guest_memory_new(&(GuestMemoryOptions){.size = RAM}, NULL);
    Harness *harness = g_new0(Harness, 1);

    g_log_set_writer_func(say_nothing, NULL, NULL);
    harness->parked = g_ptr_array_new_with_free_func((GDestroyNotify)virt_chain_state_free);
    harness->ram = guest_memory_at(memory, 0, RAM);
    virtio_device_init(&harness->device, &class, "fuzz0", memory, 0, 0, NULL);
    virtio_device_attach(&harness->device, &ops, NULL);
    return harness;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static Harness *harness;
    FuzzInput input = {bytes, len};

    if (!harness)
        harness = harness_new();
    memset(harness->ram, 0, RAM);
    begin(harness, fuzz_take(&input, 1), NULL);
    while (input.left) {
        run(harness, &input);
        check(harness);
    }
    virtio_device_set_status(&harness->device, 0);
    forget_held(harness);
    return 0;
}
