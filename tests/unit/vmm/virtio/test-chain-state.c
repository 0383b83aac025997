/* SPDX-License-Identifier: Apache-2.0 */
/* Requests held across a save come back as they were, and a forged one is refused. */
#include "driver.h"

#include <string.h>

#define QUEUE_SIZE 8

typedef struct {
    VirtioDevice device;
    VirtChain chains[QUEUE_SIZE];
    GPtrArray *held;
} Parker;

static void
parker_before_save(void *object)
{
    Parker *parker = object;
    for (unsigned i = 0; i < QUEUE_SIZE; i++)
        if (parker->chains[i].popped)
            g_ptr_array_add(parker->held, virtqueue_hold(parker->device.queues[0], &parker->chains[i]));
}

static bool
parker_after_load(void *object, GError **error)
{
    Parker *parker = object;
    for (unsigned i = 0; i < parker->held->len; i++)
        if (!virtqueue_take_back(parker->device.queues[0], parker->held->pdata[i], &parker->chains[i])) {
            g_set_error_literal(error, STATE_ERROR, STATE_ERROR_MALFORMED, "a held request");
            return false;
        }
    return true;
}

static const StateField parker_fields[] = {STATE_LIST(Parker, held, 1, &virt_chain_state, QUEUE_SIZE), STATE_END};
static const StateTable parker_state = {.name = "parker",
                                        .version = 1,
                                        .oldest = 1,
                                        .fields = parker_fields,
                                        .before_save = parker_before_save,
                                        .after_load = parker_after_load};

static void
parker_finish(VirtioDevice *device)
{
    Parker *parker = (Parker *)device;
    for (unsigned i = 0; i < QUEUE_SIZE; i++)
        virt_chain_clear(&parker->chains[i]);
    g_ptr_array_unref(parker->held);
}

static const VirtioClass parker_class = {.name = "virtio-parker",
                                         .id = 63,
                                         .n_queues = 1,
                                         .queue_size = QUEUE_SIZE,
                                         .state = &parker_state,
                                         .finish = parker_finish};

static Parker *
parker_new(VirtioDriver *driver)
{
    Parker *parker = g_new0(Parker, 1);
    parker->held = g_ptr_array_new_with_free_func((GDestroyNotify)virt_chain_state_free);
    virtio_device_init(&parker->device, &parker_class, "parker0", driver->memory, 0, 0, NULL);
    return parker;
}

/* Three requests taken, the middle one given back, the others held; one more waits in the ring. */
static GByteArray *
save_with_two_held(VirtioDriver *driver, uint64_t buffer)
{
    Parker *parker = parker_new(driver);
    VirtQueue *queue = parker->device.queues[0];
    GByteArray *bytes = g_byte_array_new();
    VirtioUsed used;

    virtio_driver_start(driver, &parker->device, 0);
    for (unsigned i = 0; i < 4; i++)
        virtio_driver_add(driver, 0, (VirtioBuffer[]){{buffer + 16 * i, 3, false}, {buffer + 16 * i + 4, 5 + i, true}},
                          i == 1 ? 1 : 2);
    for (unsigned i = 0; i < 3; i++)
        g_assert_true(virtqueue_pop(queue, &parker->chains[i]));
    virtqueue_push(queue, &parker->chains[1], 0);
    g_assert_true(virtio_driver_used(driver, 0, &used));
    virtio_device_quiesce(&parker->device);
    state_save(&virtio_device_state, &parker->device, bytes);
    return bytes;
}

static void
test_round_trip(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = virtio_driver_new(GPOINTER_TO_UINT(flags));
    uint64_t buffer = virtio_driver_alloc(driver, 64);
    g_autoptr(GByteArray) bytes = save_with_two_held(driver, buffer);
    g_autoptr(GError) error = NULL;
    VirtioUsed used;

    const VirtioTransportOps *ops = driver->device->transport_ops;
    virtio_device_free(g_steal_pointer(&driver->device));
    Parker *parker = parker_new(driver);
    driver->device = &parker->device;
    virtio_device_attach(driver->device, ops, driver);
    state_load(&virtio_device_state, &parker->device, 1, bytes->data, bytes->len, &error);
    g_assert_no_error(error);
    virtio_device_resume(&parker->device);

    VirtQueue *queue = parker->device.queues[0];
    g_assert_true(parker->chains[0].popped && parker->chains[1].popped && !parker->chains[2].popped);
    g_assert_cmpuint(parker->chains[0].in_len, ==, 5);
    g_assert_cmpuint(parker->chains[1].in_len, ==, 7);
    g_assert_cmpuint(virt_chain_write(&parker->chains[1], "sevenup", 7), ==, 7);
    g_assert_cmpmem(virtio_driver_at(driver, buffer + 36, 7), 7, "sevenup", 7);
    virtqueue_push(queue, &parker->chains[1], 7);
    g_assert_true(virtio_driver_used(driver, 0, &used));
    g_assert_cmpuint(used.len, ==, 7);
    g_assert_true(virtqueue_pop(queue, &parker->chains[2]));
    g_assert_cmpuint(parker->chains[2].in_len, ==, 8);
    virtqueue_push(queue, &parker->chains[2], 8);
    virtqueue_push(queue, &parker->chains[0], 0);
    for (unsigned i = 0; i < 2; i++)
        g_assert_true(virtio_driver_used(driver, 0, &used));
    g_assert_cmpuint(driver->queues[0].n_free, ==, QUEUE_SIZE);
    g_assert_false(virtio_driver_needs_reset(driver));
}

/* Whatever byte of the stream is forged, loading says no or gives requests inside RAM; the device itself is not broken. */
static void
test_forged(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = virtio_driver_new(GPOINTER_TO_UINT(flags));
    g_autoptr(GByteArray) bytes = save_with_two_held(driver, virtio_driver_alloc(driver, 64));
    unsigned refused = 0;

    for (size_t i = 0; i < bytes->len; i++) {
        uint8_t kept = bytes->data[i];
        bytes->data[i] ^= 0xff;
        Parker *parker = parker_new(driver);
        g_autoptr(GError) error = NULL;
        if (!state_load(&virtio_device_state, &parker->device, 1, bytes->data, bytes->len, &error)) {
            g_assert_nonnull(error);
            refused++;
        }
        virtio_device_free(&parker->device);
        bytes->data[i] = kept;
    }
    g_assert_cmpuint(refused, >, bytes->len / 4);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned flags = 0; flags <= VIRTIO_DRIVER_ALL; flags++) {
        g_autofree char *round_trip = g_strdup_printf("/virtio/chain-state/round-trip/%u", flags);
        g_test_add_data_func(round_trip, GUINT_TO_POINTER(flags), test_round_trip);
        g_autofree char *forged = g_strdup_printf("/virtio/chain-state/forged/%u", flags);
        g_test_add_data_func(forged, GUINT_TO_POINTER(flags), test_forged);
    }
    return g_test_run();
}
