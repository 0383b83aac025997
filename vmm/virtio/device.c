/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every virtio device has in common: status, features, configuration, the class's start and stop, its kicks.
 *
 * The transport calls in under the device's lock; kicks arrive on the queues' eventfds, watched on the device's context
 * for classes with .serve. A device that was broken keeps its class started until the driver or the machine resets it:
 * its queues yield nothing meanwhile.
 */
#include "vmm/virtio/queue_private.h"

#include <string.h>
#include <sys/eventfd.h>

#define DEFAULT_QUEUE_SIZE 256
/* What every device offers (virtio 1.2, 6). */
#define COMMON_FEATURES                                                                                \
    (1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_RING_PACKED | 1ull << VIRTIO_RING_F_INDIRECT_DESC | \
     1ull << VIRTIO_RING_F_EVENT_IDX)
/* One line in so long, however often a guest breaks the rules. */
#define BREAK_LOG_INTERVAL_US (10 * G_USEC_PER_SEC)

/* --- kicks ------------------------------------------------------------------------------------------------------ */

typedef struct {
    GSource source;
    VirtioDevice *device;
    gpointer tags[]; /* of each queue's eventfd */
} KickSource;

static void
serve_queue(VirtioDevice *device, VirtQueue *queue)
{
    eventfd_t kicks;

    /* Forget the kick first: one that comes while the queue is served must count. */
    (void)!eventfd_read(virtqueue_kick_fd(queue), &kicks);
    g_mutex_lock(&device->lock);
    if (virtqueue_ready(queue))
        device->class->serve(device, queue);
    g_mutex_unlock(&device->lock);
}

static gboolean
kicks_dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    KickSource *kicks = (KickSource *)source;

    for (unsigned i = 0; i < kicks->device->n_queues; i++)
        if (g_source_query_unix_fd(source, kicks->tags[i]))
            serve_queue(kicks->device, kicks->device->queues[i]);
    return G_SOURCE_CONTINUE;
}

static GSource *
kicks_watch(VirtioDevice *device)
{
    /* Without prepare and check GLib dispatches when an eventfd is readable. */
    static GSourceFuncs kick_funcs = {.dispatch = kicks_dispatch};

    GSource *source = g_source_new(&kick_funcs, sizeof(KickSource) + device->n_queues * sizeof(gpointer));
    KickSource *kicks = (KickSource *)source;
    kicks->device = device;
    for (unsigned i = 0; i < device->n_queues; i++)
        kicks->tags[i] = g_source_add_unix_fd(source, virtqueue_kick_fd(device->queues[i]), G_IO_IN);
    g_source_set_static_name(source, device->class->name);
    /* Else GLib takes the descriptors out of its poll and wakes itself to put them back, at every kick. */
    g_source_set_can_recurse(source, TRUE);
    g_source_attach(source, device->context);
    return source;
}

void
virtio_device_schedule(VirtioDevice *device, VirtQueue *queue)
{
    (void)!eventfd_write(virtqueue_kick_fd(queue), 1);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

void
virtio_device_init(VirtioDevice *device, const VirtioClass *class, const char *id, GuestMemory *memory,
                   unsigned n_queues, uint64_t more_features, GMainContext *context)
{
    g_assert(class->name && class->id && class->config_size <= VIRTIO_CONFIG_MAX);
    g_assert(!class->config_size || class->config_read);

    device->class = class;
    device->id = g_strdup(id);
    device->memory = memory;
    device->context = g_main_context_ref(context ? context : g_main_context_default());
    g_mutex_init(&device->lock);
    device->offered = COMMON_FEATURES | class->features | more_features;
    device->n_queues = n_queues ? n_queues : class->n_queues;
    g_assert(device->n_queues <= VIRTIO_QUEUES_MAX);
    device->queues = g_new0(VirtQueue *, device->n_queues);
    for (unsigned i = 0; i < device->n_queues; i++)
        device->queues[i] = virtqueue_new(device, i, class->queue_size ? class->queue_size : DEFAULT_QUEUE_SIZE);
    device->saved_queues = g_ptr_array_new_with_free_func(g_free);
    if (class->serve)
        device->kicks = kicks_watch(device);
}

static void device_stop(VirtioDevice *device);

void
virtio_device_free(VirtioDevice *device)
{
    if (!device)
        return;
    if (device->kicks) {
        g_source_destroy(device->kicks);
        g_source_unref(device->kicks);
    }
    g_mutex_lock(&device->lock);
    device_stop(device);
    g_mutex_unlock(&device->lock);
    if (device->class->finish)
        device->class->finish(device);
    for (unsigned i = 0; i < device->n_queues; i++)
        virtqueue_free(device->queues[i]);
    g_free(device->queues);
    g_ptr_array_unref(device->saved_queues);
    g_clear_pointer(&device->saved_class, g_byte_array_unref);
    g_mutex_clear(&device->lock);
    g_main_context_unref(device->context);
    g_free(device->id);
    g_free(device);
}

void
virtio_device_attach(VirtioDevice *device, const VirtioTransportOps *ops, void *transport)
{
    g_assert(ops->notify_queue && ops->notify_config);
    device->transport_ops = ops;
    device->transport = transport;
}

/* --- start and stop --------------------------------------------------------------------------------------------- */

static void
device_start(VirtioDevice *device)
{
    if (device->running || !virtio_device_started(device))
        return;
    device->running = true;
    for (unsigned i = 0; i < device->n_queues; i++)
        virtqueue_set_running(device->queues[i], true);
    if (device->class->start)
        device->class->start(device);
    /* Buffers may have been waiting since before the start, without a kick that anybody heard. */
    for (unsigned i = 0; i < device->n_queues; i++)
        if (virtqueue_enabled(device->queues[i]))
            virtio_device_schedule(device, device->queues[i]);
}

static void
device_stop(VirtioDevice *device)
{
    if (!device->running)
        return;
    if (device->class->stop)
        device->class->stop(device);
    for (unsigned i = 0; i < device->n_queues; i++)
        virtqueue_set_running(device->queues[i], false);
    device->running = false;
}

void
virtio_device_reset(VirtioDevice *device)
{
    device_stop(device);
    if (device->class->reset)
        device->class->reset(device);
    for (unsigned i = 0; i < device->n_queues; i++)
        virtqueue_reset(device->queues[i]);
    device->accepted = device->negotiated = 0;
    device->status = 0;
    __atomic_store_n(&device->broken, false, __ATOMIC_RELAXED);
}

void
virtio_device_quiesce(VirtioDevice *device)
{
    device_stop(device);
}

void
virtio_device_resume(VirtioDevice *device)
{
    device_start(device);
}

/* --- status and features (virtio 1.2, 2.1, 2.2, 3.1) ------------------------------------------------------------ */

uint8_t
virtio_device_status(const VirtioDevice *device)
{
    return device->status | (virtio_device_is_broken(device) ? VIRTIO_CONFIG_S_NEEDS_RESET : 0);
}

void
virtio_device_accept(VirtioDevice *device, uint64_t features)
{
    if (!(device->status & VIRTIO_CONFIG_S_FEATURES_OK))
        device->accepted = features;
}

static bool
features_are_ok(VirtioDevice *device, uint64_t features)
{
    if (features & ~device->offered || !(features >> VIRTIO_F_VERSION_1 & 1))
        return false;
    return !device->class->features_ok || device->class->features_ok(device, features);
}

void
virtio_device_set_status(VirtioDevice *device, uint8_t status)
{
    if (!status) {
        virtio_device_reset(device);
        return;
    }
    uint8_t added = status & ~device->status & ~VIRTIO_CONFIG_S_NEEDS_RESET;
    if (added & VIRTIO_CONFIG_S_FEATURES_OK) {
        if (features_are_ok(device, device->accepted))
            device->negotiated = device->accepted;
        else
            added &= ~VIRTIO_CONFIG_S_FEATURES_OK;
    }
    device->status |= added;
    if (!(added & VIRTIO_CONFIG_S_DRIVER_OK))
        return;
    if (!(device->status & VIRTIO_CONFIG_S_FEATURES_OK))
        virtio_device_break(device, "DRIVER_OK before the features are agreed");
    device_start(device);
}

void
virtio_device_break(VirtioDevice *device, const char *format, ...)
{
    if (device->loading || __atomic_exchange_n(&device->broken, true, __ATOMIC_RELAXED))
        return;

    int64_t now = g_get_monotonic_time();
    int64_t last = __atomic_load_n(&device->break_logged, __ATOMIC_RELAXED);
    if (!last || now - last >= BREAK_LOG_INTERVAL_US) {
        __atomic_store_n(&device->break_logged, now, __ATOMIC_RELAXED);
        va_list arguments;
        va_start(arguments, format);
        g_autofree char *why = g_strdup_vprintf(format, arguments);
        va_end(arguments);
        g_message("%s (%s) needs a reset by the guest: %s", device->id, device->class->name, why);
    }
    if (device->status & VIRTIO_CONFIG_S_DRIVER_OK && device->transport_ops)
        device->transport_ops->notify_config(device->transport);
}

/* --- configuration ---------------------------------------------------------------------------------------------- */

void
virtio_device_config_read(VirtioDevice *device, uint32_t offset, void *to, uint32_t len)
{
    uint32_t size = device->class->config_size;
    uint32_t inside = offset < size ? MIN(len, size - offset) : 0;

    if (inside)
        device->class->config_read(device, offset, to, inside);
    memset((uint8_t *)to + inside, 0, len - inside);
}

void
virtio_device_config_write(VirtioDevice *device, uint32_t offset, const void *from, uint32_t len)
{
    uint32_t size = device->class->config_size;

    if (device->class->config_write && offset < size)
        device->class->config_write(device, offset, from, MIN(len, size - offset));
}

void
virtio_device_config_changed(VirtioDevice *device)
{
    __atomic_add_fetch(&device->config_generation, 1, __ATOMIC_RELEASE);
    if (device->status & VIRTIO_CONFIG_S_DRIVER_OK && device->transport_ops)
        device->transport_ops->notify_config(device->transport);
}

/* --- saved state ------------------------------------------------------------------------------------------------ */

/* More than any class's state; a display's surfaces are the largest. */
#define CLASS_STATE_MAX (1u << 30)

static void
device_drop_saved(void *object)
{
    VirtioDevice *device = object;

    g_ptr_array_set_size(device->saved_queues, 0);
    g_clear_pointer(&device->saved_class, g_byte_array_unref);
}

static void
device_before_save(void *object)
{
    VirtioDevice *device = object;
    const StateTable *table = device->class->state;

    device_drop_saved(device); /* a load that failed may have left something */
    for (unsigned i = 0; i < device->n_queues; i++) {
        VirtQueueState *state = g_new(VirtQueueState, 1);
        virtqueue_save(device->queues[i], state);
        g_ptr_array_add(device->saved_queues, state);
    }
    device->saved_class_version = 0;
    if (!table)
        return;
    device->saved_class_version = table->version;
    device->saved_class = g_byte_array_new();
    state_save(table, device, device->saved_class);
}

static bool
device_load_queues(VirtioDevice *device, GError **error)
{
    for (unsigned i = 0; i < device->n_queues; i++) {
        if (virtqueue_load(device->queues[i], device->saved_queues->pdata[i]))
            continue;
        g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "state of %s: queue %u cannot be as saved", device->id,
                    i);
        return false;
    }
    return true;
}

static bool
device_load_class(VirtioDevice *device, GError **error)
{
    const StateTable *table = device->class->state;
    const GByteArray *bytes = device->saved_class;

    if (!table && !bytes && !device->saved_class_version)
        return true;
    if (!table) {
        g_set_error(error, STATE_ERROR, STATE_ERROR_FOREIGN, "state of %s holds more than a %s has", device->id,
                    device->class->name);
        return false;
    }
    return state_load(table, device, device->saved_class_version, bytes ? bytes->data : NULL, bytes ? bytes->len : 0,
                      error);
}

static bool
device_after_load(void *object, GError **error)
{
    VirtioDevice *device = object;

    if (device->saved_queues->len != device->n_queues || device->negotiated & ~device->offered) {
        g_set_error(error, STATE_ERROR, STATE_ERROR_FOREIGN,
                    "state of %s is of a %s with other queues or features (0x%" G_GINT64_MODIFIER
                    "x, here 0x%" G_GINT64_MODIFIER "x)",
                    device->id, device->class->name, device->negotiated, device->offered);
        return false;
    }
    device->loading = true;
    bool loaded = device_load_queues(device, error) && device_load_class(device, error);
    device->loading = false;
    device_drop_saved(device);
    return loaded;
}

static const StateField device_fields[] = {
    STATE_UINT(VirtioDevice, status, 1),
    STATE_BOOL(VirtioDevice, broken, 1),
    STATE_UINT(VirtioDevice, accepted, 1),
    STATE_UINT(VirtioDevice, negotiated, 1),
    STATE_UINT(VirtioDevice, config_generation, 1),
    STATE_LIST(VirtioDevice, saved_queues, 1, &virtqueue_state, VIRTIO_QUEUES_MAX),
    STATE_UINT(VirtioDevice, saved_class_version, 1),
    STATE_BUFFER(VirtioDevice, saved_class, 1, CLASS_STATE_MAX),
    STATE_END,
};

const StateTable virtio_device_state = {
    .name = "virtio",
    .version = 1,
    .oldest = 1,
    .fields = device_fields,
    .before_save = device_before_save,
    .after_save = device_drop_saved,
    .after_load = device_after_load,
};
