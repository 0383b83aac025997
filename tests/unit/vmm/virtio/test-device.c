/* SPDX-License-Identifier: Apache-2.0 */
/* The rules every virtio device keeps: status, features, queue set-up, configuration, reset, saved state. */
#include "driver.h"

#include <linux/virtio_ring.h>
#include <string.h>

#define FEATURE_GOOD 3
#define FEATURE_NEEDS_GOOD 4
#define OK VIRTIO_CONFIG_S_FEATURES_OK

/* A device that counts what it is told. */
typedef struct {
    VirtioDevice device;
    unsigned serves, starts, stops, resets;
    uint8_t config[6];
    uint32_t secret; /* class state */
} Probe;

static void
probe_serve(VirtioDevice *device, VirtQueue *queue)
{
    ((Probe *)device)->serves++;
}

static void
probe_start(VirtioDevice *device)
{
    ((Probe *)device)->starts++;
}

static void
probe_stop(VirtioDevice *device)
{
    ((Probe *)device)->stops++;
}

static void
probe_reset(VirtioDevice *device)
{
    ((Probe *)device)->resets++;
}

static bool
probe_features_ok(VirtioDevice *device, uint64_t features)
{
    return !(features & 1 << FEATURE_NEEDS_GOOD) || features & 1 << FEATURE_GOOD;
}

static void
probe_config_read(VirtioDevice *device, uint32_t offset, void *to, uint32_t len)
{
    g_assert_cmpuint(offset + len, <=, 6);
    memcpy(to, ((Probe *)device)->config + offset, len);
}

static void
probe_config_write(VirtioDevice *device, uint32_t offset, const void *from, uint32_t len)
{
    g_assert_cmpuint(offset + len, <=, 6);
    memcpy(((Probe *)device)->config + offset, from, len);
}

static const StateField probe_fields[] = {STATE_UINT(Probe, secret, 1), STATE_END};
static const StateTable probe_state = {.name = "probe", .version = 1, .oldest = 1, .fields = probe_fields};

static const VirtioClass probe_class = {
    .name = "virtio-probe",
    .id = 63,
    .n_queues = 2,
    .queue_size = 16,
    .features = 1 << FEATURE_GOOD | 1 << FEATURE_NEEDS_GOOD,
    .config_size = 6,
    .serve = probe_serve,
    .config_read = probe_config_read,
    .config_write = probe_config_write,
    .features_ok = probe_features_ok,
    .start = probe_start,
    .stop = probe_stop,
    .reset = probe_reset,
    .state = &probe_state,
};

static VirtioDevice *
probe_new(VirtioDriver *driver)
{
    Probe *probe = g_new0(Probe, 1);
    memcpy(probe->config, "config", 6);
    virtio_device_init(&probe->device, &probe_class, "probe0", driver->memory, 0, 0, NULL);
    return &probe->device;
}

static Probe *
probe_of(VirtioDriver *driver)
{
    return (Probe *)driver->device;
}

static VirtioDriver *
attached(void)
{
    VirtioDriver *driver = virtio_driver_new(0);
    virtio_driver_attach(driver, probe_new(driver));
    return driver;
}

static bool
features_stick(uint64_t features)
{
    g_autoptr(VirtioDriver) driver = attached();
    virtio_device_accept(driver->device, features);
    virtio_driver_set_status(driver, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | OK);
    bool stick = virtio_device_status(driver->device) & OK;
    g_assert_cmphex(driver->device->negotiated, ==, stick ? features : 0);
    return stick;
}

static void
test_features(void)
{
    uint64_t version_1 = 1ull << VIRTIO_F_VERSION_1;

    g_assert_true(features_stick(version_1));
    g_assert_true(features_stick(version_1 | 1 << FEATURE_GOOD | 1 << FEATURE_NEEDS_GOOD));
    g_assert_false(features_stick(version_1 | 1 << FEATURE_NEEDS_GOOD)); /* the class objects */
    g_assert_false(features_stick(0));                                   /* a legacy driver */
    g_assert_false(features_stick(version_1 | 1 << 9));                  /* never offered */
    g_assert_false(features_stick(UINT64_MAX));
}

static void
test_features_are_final(void)
{
    g_autoptr(VirtioDriver) driver = attached();
    virtio_driver_negotiate(driver, 0);
    virtio_device_accept(driver->device, 1ull << VIRTIO_F_VERSION_1 | 1 << FEATURE_GOOD);
    virtio_driver_set_status(driver, OK);
    g_assert_false(virtio_device_has(driver->device, FEATURE_GOOD));

    virtio_driver_reset(driver);
    virtio_driver_negotiate(driver, 1 << FEATURE_GOOD);
    g_assert_true(virtio_device_has(driver->device, FEATURE_GOOD));
}

static void
test_status(void)
{
    g_autoptr(VirtioDriver) driver = attached();
    VirtioDevice *device = driver->device;

    g_assert_cmphex(virtio_device_status(device), ==, 0);
    virtio_device_set_status(device, VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_ACKNOWLEDGE);
    g_assert_cmphex(virtio_device_status(device), ==, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    virtio_device_set_status(device, VIRTIO_CONFIG_S_DRIVER); /* a driver cannot take a bit back */
    g_assert_cmphex(virtio_device_status(device), ==, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    virtio_device_set_status(device, VIRTIO_CONFIG_S_FAILED);
    g_assert_cmphex(virtio_device_status(device), &, VIRTIO_CONFIG_S_FAILED);
    virtio_device_set_status(device, 0);
    g_assert_cmphex(virtio_device_status(device), ==, 0);
}

static void
test_driver_ok_without_features(void)
{
    g_autoptr(VirtioDriver) driver = attached();
    virtio_driver_set_status(driver, VIRTIO_CONFIG_S_DRIVER_OK);
    g_assert_true(virtio_driver_needs_reset(driver));
    g_assert_cmpuint(driver->config_interrupts, ==, 1);
    g_assert_cmpuint(probe_of(driver)->starts, ==, 0);
    virtio_driver_reset(driver);
    g_assert_false(virtio_driver_needs_reset(driver));
    g_assert_cmpuint(probe_of(driver)->stops, ==, 0); /* it never started */
}

static void
test_start_and_stop(void)
{
    g_autoptr(VirtioDriver) driver = attached();
    Probe *probe = probe_of(driver);

    virtio_driver_start(driver, driver->device, 0);
    g_assert_cmpuint(probe->starts, ==, 1);
    virtio_driver_run(driver);
    g_assert_cmpuint(probe->serves, ==, 2); /* each queue once: buffers may have waited */
    virtio_driver_kick(driver, 1);
    g_assert_cmpuint(probe->serves, ==, 3);
    virtio_driver_set_status(driver, VIRTIO_CONFIG_S_DRIVER_OK); /* again */
    g_assert_cmpuint(probe->starts, ==, 1);

    virtio_driver_reset(driver);
    g_assert_cmpuint(probe->stops, ==, 1);
    g_assert_cmpuint(probe->resets, ==, 1);
    virtio_driver_kick(driver, 0);
    g_assert_cmpuint(probe->serves, ==, 3); /* nobody is there to serve */
}

static void
test_quiesce_and_resume(void)
{
    g_autoptr(VirtioDriver) driver = attached();
    Probe *probe = probe_of(driver);
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;

    virtio_device_resume(driver->device); /* before any driver: nothing */
    g_assert_cmpuint(probe->starts, ==, 0);
    virtio_driver_start(driver, driver->device, 0);
    virtio_driver_run(driver);
    uint64_t buffer = virtio_driver_alloc(driver, 16);
    virtio_driver_add(driver, 0, (VirtioBuffer[]){{buffer, 16, true}}, 1);
    virtio_device_quiesce(driver->device);
    g_assert_cmpuint(probe->stops, ==, 1);
    g_assert_false(virtqueue_pop(driver->device->queues[0], &chain)); /* a queue at rest yields nothing */
    virtio_driver_kick(driver, 0);
    g_assert_cmpuint(probe->serves, ==, 2);

    virtio_device_resume(driver->device);
    g_assert_cmpuint(probe->starts, ==, 2);
    virtio_driver_run(driver);
    g_assert_cmpuint(probe->serves, ==, 4); /* the kick that fell into the pause is made good */
    g_assert_true(virtqueue_pop(driver->device->queues[0], &chain));
    virtqueue_push(driver->device->queues[0], &chain, 0);
}

static void
expect_enable_breaks(VirtQueueSetup setup, VirtioDriverFlags flags)
{
    g_autoptr(VirtioDriver) driver = virtio_driver_new(flags);
    virtio_driver_attach(driver, probe_new(driver));
    virtio_driver_negotiate(driver, 0);
    virtqueue_set_setup(driver->device->queues[0], &setup);
    virtqueue_enable(driver->device->queues[0]);
    g_assert_false(virtqueue_enabled(driver->device->queues[0]));
    g_assert_true(virtio_driver_needs_reset(driver));
    virtio_driver_set_status(driver, VIRTIO_CONFIG_S_DRIVER_OK);
    g_assert_cmpuint(probe_of(driver)->starts, ==, 0);
}

static void
test_bad_queues(void)
{
    const VirtQueueSetup good = {.descriptors = 0x1000, .driver = 0x2000, .device = 0x3000, .size = 16};
    const uint64_t ram = 16 << 20;
    const struct {
        uint64_t descriptors, driver, device;
        uint16_t size;
        bool split_only;
    } bad[] = {
        {.size = 0xffff},              /* beyond the device's maximum; 0 stands for "as in good" below */
        {.size = 32},                  /* a power of two, but still */
        {.size = 12, .split_only = 1}, /* no power of two */
        {.descriptors = 0x1008},       /* alignment (virtio 1.2, 2.7 and 2.8.10.1) */
        {.driver = 0x2001},
        {.device = 0x3002},
        {.descriptors = ram},
        {.descriptors = ram - 240}, /* the last slot is outside */
        {.driver = ram},
        {.device = ram},
        {.driver = ram - 36, .split_only = 1}, /* the event index is outside */
        {.device = ram - 132, .split_only = 1},
        {.descriptors = UINT64_MAX - 15},
        {.driver = UINT64_MAX - 3},
        {.device = UINT64_MAX - 3},
        {.device = 0xfee00000},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        VirtQueueSetup setup = {
            .descriptors = bad[i].descriptors ? bad[i].descriptors : good.descriptors,
            .driver = bad[i].driver ? bad[i].driver : good.driver,
            .device = bad[i].device ? bad[i].device : good.device,
            .size = bad[i].size ? bad[i].size : good.size,
        };
        expect_enable_breaks(setup, 0);
        if (!bad[i].split_only)
            expect_enable_breaks(setup, VIRTIO_DRIVER_PACKED);
    }
    VirtQueueSetup empty = good;
    empty.size = 0;
    expect_enable_breaks(empty, 0);
    expect_enable_breaks(empty, VIRTIO_DRIVER_PACKED);
}

/* Rings at the very end of RAM are wholly inside it. */
static void
test_rings_at_the_end(void)
{
    const uint64_t ram = 16 << 20;
    g_autoptr(VirtioDriver) driver = attached();
    virtio_driver_negotiate(driver, 0);
    for (unsigned i = 0; i < 2; i++) {
        virtqueue_set_setup(
            driver->device->queues[i],
            &(VirtQueueSetup){.descriptors = ram - 256, .driver = ram - 38, .device = ram - 136, .size = 16});
        virtqueue_enable(driver->device->queues[i]);
        g_assert_true(virtqueue_enabled(driver->device->queues[i]));
    }
    g_assert_false(virtio_driver_needs_reset(driver));
}

static void
test_enabled_before_features(void)
{
    g_autoptr(VirtioDriver) driver = attached();
    virtqueue_set_setup(driver->device->queues[0],
                        &(VirtQueueSetup){.descriptors = 0x1000, .driver = 0x2000, .device = 0x3000, .size = 16});
    virtqueue_enable(driver->device->queues[0]);
    g_assert_false(virtqueue_enabled(driver->device->queues[0]));
    g_assert_true(virtio_driver_needs_reset(driver));
}

/* Rings moved under a running device: the device keeps to those it checked. */
static void
test_rings_are_final(void)
{
    g_autoptr(VirtioDriver) driver = attached();
    virtio_driver_negotiate(driver, 0);
    virtio_driver_setup_queue(driver, 0, 0);
    VirtQueue *queue = driver->device->queues[0];
    VirtQueueSetup evil = {.descriptors = 0xfee00000, .driver = 0xfee00000, .device = 0xfee00000, .size = 0xffff};

    virtqueue_set_setup(queue, &evil);
    g_assert_cmphex(virtqueue_setup(queue)->descriptors, ==, driver->queues[0].setup.descriptors);
    virtio_driver_set_status(driver, VIRTIO_CONFIG_S_DRIVER_OK);
    virtqueue_set_setup(queue, &evil);
    virtqueue_enable(queue);
    g_assert_cmphex(virtqueue_setup(queue)->driver, ==, driver->queues[0].setup.driver);
    g_assert_cmpuint(virtqueue_setup(queue)->size, ==, 16);

    /* The queue left alone until now cannot be brought in while the device runs. */
    virtqueue_set_setup(driver->device->queues[1], &driver->queues[0].setup);
    virtqueue_enable(driver->device->queues[1]);
    g_assert_false(virtqueue_enabled(driver->device->queues[1]));
    g_assert_false(virtio_driver_needs_reset(driver));

    virtio_driver_reset(driver);
    g_assert_false(virtqueue_enabled(queue));
    g_assert_cmphex(virtqueue_setup(queue)->descriptors, ==, 0);
    g_assert_cmpuint(virtqueue_setup(queue)->size, ==, 16);
}

static void
test_config(void)
{
    g_autoptr(VirtioDriver) driver = attached();
    VirtioDevice *device = driver->device;
    char bytes[8];

    virtio_device_config_read(device, 0, bytes, 8);
    g_assert_cmpmem(bytes, 8, "config\0\0", 8);
    virtio_device_config_read(device, 4, bytes, 4);
    g_assert_cmpmem(bytes, 4, "ig\0\0", 4);
    virtio_device_config_read(device, UINT32_MAX, bytes, 4);
    g_assert_cmpmem(bytes, 4, "\0\0\0\0", 4);
    virtio_device_config_write(device, 4, "XYZW", 4);
    virtio_device_config_write(device, 6, "!", 1);
    virtio_device_config_write(device, UINT32_MAX, "!", 1);
    virtio_device_config_read(device, 0, bytes, 8);
    g_assert_cmpmem(bytes, 8, "confXY\0\0", 8);

    uint32_t generation = device->config_generation;
    virtio_device_config_changed(device);
    g_assert_cmpuint(device->config_generation, ==, generation + 1);
    g_assert_cmpuint(driver->config_interrupts, ==, 0); /* not before DRIVER_OK */
    virtio_driver_start(driver, device, 0);
    virtio_device_config_changed(device);
    g_assert_cmpuint(driver->config_interrupts, ==, 1);
}

static void
push_one(VirtioDriver *driver, VirtQueue *queue, uint64_t buffer)
{
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
    virtio_driver_add(driver, 0, (VirtioBuffer[]){{buffer, 4, true}}, 1);
    g_assert_true(virtqueue_pop(queue, &chain));
    virtqueue_push(queue, &chain, 4);
}

/* Saved in the middle of work, loaded into a new device, the driver goes on as if nothing had happened. */
static void
test_saved_state(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = virtio_driver_new(GPOINTER_TO_UINT(flags));
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    VirtioUsed used;

    virtio_driver_start(driver, probe_new(driver), 1 << FEATURE_GOOD);
    uint64_t buffer = virtio_driver_alloc(driver, 16);
    for (unsigned i = 0; i < 21; i++) { /* past the end of the ring */
        push_one(driver, driver->device->queues[0], buffer);
        g_assert_true(virtio_driver_used(driver, 0, &used));
    }
    probe_of(driver)->secret = 0xc0ffee;
    virtio_driver_add(driver, 0, (VirtioBuffer[]){{buffer, 16, true}}, 1); /* available, not yet taken */
    virtio_device_quiesce(driver->device);
    state_save(&virtio_device_state, driver->device, bytes);
    virtio_device_free(g_steal_pointer(&driver->device));

    VirtioDevice *device = probe_new(driver);
    g_assert_true(state_load(&virtio_device_state, device, 1, bytes->data, bytes->len, &error));
    g_assert_no_error(error);
    driver->device = device;
    static const VirtioTransportOps *ops; /* the driver's own, kept by a first device */
    g_autoptr(VirtioDriver) other = attached();
    ops = other->device->transport_ops;
    virtio_device_attach(device, ops, driver);
    virtio_device_resume(device);
    g_assert_cmpuint(((Probe *)device)->starts, ==, 1);
    g_assert_cmphex(((Probe *)device)->secret, ==, 0xc0ffee);
    g_assert_true(virtio_device_has(device, FEATURE_GOOD));

    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
    g_assert_true(virtqueue_pop(device->queues[0], &chain));
    g_assert_cmpuint(chain.in_len, ==, 16);
    virtqueue_push(device->queues[0], &chain, 16);
    g_assert_true(virtio_driver_used(driver, 0, &used));
    g_assert_cmpuint(used.len, ==, 16);
    for (unsigned i = 0; i < 21; i++) {
        push_one(driver, device->queues[0], buffer);
        g_assert_true(virtio_driver_used(driver, 0, &used));
    }
}

static void
expect_load_refused(const GByteArray *bytes, size_t len, VirtioDriver *driver, const VirtioClass *class)
{
    g_autoptr(GError) error = NULL;
    Probe *probe = g_new0(Probe, 1);
    virtio_device_init(&probe->device, class, "probe1", driver->memory, 0, 0, NULL);
    g_assert_false(state_load(&virtio_device_state, &probe->device, 1, bytes->data, len, &error));
    g_assert_nonnull(error);
    g_assert_cmpint(error->domain, ==, STATE_ERROR);
    virtio_device_free(&probe->device);
}

static void
test_saved_state_refused(void)
{
    g_autoptr(VirtioDriver) driver = virtio_driver_new(0);
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    virtio_driver_start(driver, probe_new(driver), 1 << FEATURE_GOOD);
    virtio_device_quiesce(driver->device);
    state_save(&virtio_device_state, driver->device, bytes);
    for (size_t len = 0; len < bytes->len; len++)
        expect_load_refused(bytes, len, driver, &probe_class);

    VirtioClass other = probe_class;
    other.n_queues = 3;
    expect_load_refused(bytes, bytes->len, driver, &other);
    other = probe_class;
    other.features = 0;
    expect_load_refused(bytes, bytes->len, driver, &other);
    other = probe_class;
    other.state = NULL;
    expect_load_refused(bytes, bytes->len, driver, &other);

    /* a ring that is not in RAM, as a forged file may have it: the first queue's, at a known place of the stream */
    const size_t queues = 1 + 1 + 8 + 8 + 4 + 2 + 4;
    memset(bytes->data + queues, 0xf0, 8);
    expect_load_refused(bytes, bytes->len, driver, &probe_class);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio/device/features", test_features);
    g_test_add_func("/virtio/device/features-are-final", test_features_are_final);
    g_test_add_func("/virtio/device/status", test_status);
    g_test_add_func("/virtio/device/driver-ok-without-features", test_driver_ok_without_features);
    g_test_add_func("/virtio/device/start-and-stop", test_start_and_stop);
    g_test_add_func("/virtio/device/quiesce-and-resume", test_quiesce_and_resume);
    g_test_add_func("/virtio/device/bad-queues", test_bad_queues);
    g_test_add_func("/virtio/device/rings-at-the-end", test_rings_at_the_end);
    g_test_add_func("/virtio/device/enabled-before-features", test_enabled_before_features);
    g_test_add_func("/virtio/device/rings-are-final", test_rings_are_final);
    g_test_add_func("/virtio/device/config", test_config);
    g_test_add_data_func("/virtio/device/saved-state/split", GUINT_TO_POINTER(0), test_saved_state);
    g_test_add_data_func("/virtio/device/saved-state/packed", GUINT_TO_POINTER(VIRTIO_DRIVER_PACKED), test_saved_state);
    g_test_add_data_func("/virtio/device/saved-state/all", GUINT_TO_POINTER(VIRTIO_DRIVER_ALL), test_saved_state);
    g_test_add_func("/virtio/device/saved-state-refused", test_saved_state_refused);
    return g_test_run();
}
