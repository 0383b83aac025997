/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio device (virtio 1.2, 2): what every kind has in common, and what a kind brings.
 *
 * A kind is a VirtioClass plus a struct that begins with a VirtioDevice. The transport (virtio/pci.c) negotiates features,
 * sets queues up, and calls the class; the class knows nothing of PCI, KVM or where a queue lives.
 *
 * Threads. The device's lock covers status, features, configuration space and queue set-up. A class with .serve is called
 * under that lock, on the context given at init (the main loop, or the display thread's), whenever a queue was kicked.
 * A class without .serve runs its queues on threads of its own between start and stop, and takes no device lock there.
 */
#pragma once

#include "vmm/board/device.h"
#include "vmm/virtio/queue.h"

#include <glib.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

typedef struct VirtioClass VirtioClass;
typedef struct VirtioTransportOps VirtioTransportOps;

#define VIRTIO_CONFIG_MAX 256 /* bytes of device-specific configuration */
#define VIRTIO_QUEUES_MAX 130 /* virtio-net with 64 queue pairs, its control queue, and one to spare */

struct VirtioDevice {
    const VirtioClass *class;
    char *id;              /* instance, from the configuration: "disk0"; names its state section and its log lines */
    GuestMemory *memory;   /* not owned */
    GMainContext *context; /* where .serve runs; owned reference */
    GMutex lock;
    uint64_t offered;    /* features: the class's, and what every device offers */
    uint64_t accepted;   /* by the driver so far */
    uint64_t negotiated; /* after FEATURES_OK */
    uint8_t status;      /* virtio 1.2, 2.1, without NEEDS_RESET */
    bool broken;         /* NEEDS_RESET is set: queues yield nothing */
    uint32_t config_generation;
    unsigned n_queues;
    VirtQueue **queues; /* owned */
    const VirtioTransportOps *transport_ops;
    void *transport;
    /* private to device.c */
    bool running;         /* the class was started and not stopped */
    GSource *kicks;       /* watches the kick eventfds for .serve; NULL without */
    int64_t break_logged; /* when, in µs of the monotonic clock; 0: never */
    bool loading;         /* what is wrong now is wrong with the stream, not with the driver */
    /* what only a stream holds, filled while saving or loading */
    GPtrArray *saved_queues;
    uint16_t saved_class_version;
    GByteArray *saved_class;
};

struct VirtioClass {
    const char *name;     /* "virtio-rng" */
    uint16_t id;          /* VIRTIO_ID_… */
    uint32_t pci_class;   /* class code << 8 | subclass; 0: 0xff00 (virtio 1.2, 4.1.2 leaves it free) */
    unsigned n_queues;    /* default; virtio_device_init() may be given another */
    uint16_t queue_size;  /* of every queue; a power of two; 0: 256 */
    uint64_t features;    /* device-specific bits always offered; virtio_device_init() may be given more */
    uint16_t config_size; /* bytes of configuration space */

    /* A queue was kicked (or the device resumed). Under the lock, on the device's context. NULL: own threads. */
    void (*serve)(VirtioDevice *device, VirtQueue *queue);
    /* Copies @len bytes of configuration at @offset; in range. Under the lock, any thread. NULL: no configuration. */
    void (*config_read)(VirtioDevice *device, uint32_t offset, void *to, uint32_t len);
    /* The driver writes configuration. Likewise. NULL: read-only, writes are ignored. */
    void (*config_write)(VirtioDevice *device, uint32_t offset, const void *from, uint32_t len);
    /* FEATURES_OK was asked for: false refuses the set. Under the lock. NULL: any subset of the offered is fine. */
    bool (*features_ok)(VirtioDevice *device, uint64_t features);
    /* DRIVER_OK, or a resume or load with it set: queues are ready. Under the lock, any thread. NULL: nothing to do. */
    void (*start)(VirtioDevice *device);
    /*
     * The driver resets, or the machine quiesces, a started device: when it returns no thread of the class touches a
     * queue. Requests in flight are completed and pushed first. Under the lock, any thread. NULL: nothing to do.
     */
    void (*stop)(VirtioDevice *device);
    /* After stop, on a driver's or the machine's reset: forget everything the driver set up. NULL: nothing. */
    void (*reset)(VirtioDevice *device);
    /* The class's own saved state (object: the device); NULL where it has none. */
    const StateTable *state;
    /* Frees what the class added; then the common part is finished and the memory freed with g_free(). NULL: nothing. */
    void (*finish)(VirtioDevice *device);
};

/* What the transport does for a device. All mandatory, any thread. */
struct VirtioTransportOps {
    void (*notify_queue)(void *transport, VirtQueue *queue);
    void (*notify_config)(void *transport);
};

/* @device is zeroed memory that begins with a VirtioDevice. @n_queues 0: the class's. @context NULL: the main loop's. */
void virtio_device_init(VirtioDevice *device, const VirtioClass *class, const char *id, GuestMemory *memory,
                        unsigned n_queues, uint64_t more_features, GMainContext *context);
/* Main thread, once no thread runs @context any more or it is the caller's own. */
void virtio_device_free(VirtioDevice *device);

static inline bool
virtio_device_has(const VirtioDevice *device, unsigned feature_bit)
{
    return (device->negotiated >> feature_bit) & 1;
}

static inline bool
virtio_device_started(const VirtioDevice *device)
{
    return (device->status & VIRTIO_CONFIG_S_DRIVER_OK) && !device->broken;
}

/*
 * The driver broke the rules: sets NEEDS_RESET, tells it by a configuration interrupt (virtio 1.2, 2.1.2), and logs one
 * rate-limited line. Any thread; takes no lock.
 */
void virtio_device_break(VirtioDevice *device, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Configuration space changed by itself: new generation and an interrupt. Any thread, with the lock held or not. */
void virtio_device_config_changed(VirtioDevice *device);
/* Runs .serve for @queue soon on the device's context, as if it had been kicked (a back end has data). Any thread. */
void virtio_device_schedule(VirtioDevice *device, VirtQueue *queue);
