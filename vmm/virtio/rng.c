/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-rng: entropy for the guest (virtio 1.2, 5.4).
 *
 * The guest posts writable buffers on one queue; each is filled from the kernel's generator and returned. Saved state: none
 * of its own.
 */
#include "vmm/virtio/rng.h"

#include <sys/random.h>

/* A guest may post megabytes at once, and again while it is served: a turn of the loop fills so much at the most. */
#define FILL_MAX (64 * 1024)
/* … of so many requests, since one may have room for nothing. */
#define CHAINS_A_TURN 64

static void
rng_serve(VirtioDevice *device, VirtQueue *queue)
{
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
    size_t left = FILL_MAX;
    unsigned turns = CHAINS_A_TURN;

    while (left && turns && virtqueue_pop(queue, &chain)) {
        uint32_t filled = 0;
        for (size_t i = 0; i < chain.n_in && left; i++) {
            ssize_t want = MIN(chain.in[i].iov_len, left), got = getrandom(chain.in[i].iov_base, want, 0);
            filled += MAX(got, 0);
            left -= MAX(got, 0);
            if (got < want)
                break; /* interrupted: the guest asks again; what is filled is filled from the start */
        }
        virtqueue_push(queue, &chain, filled);
        turns--;
    }
    virtqueue_notify(queue);
    if (!left || !turns)
        virtio_device_schedule(device, queue);
}

static const VirtioClass rng_class = {
    .name = "virtio-rng",
    .id = VIRTIO_ID_RNG,
    .pci_class = 0x1000, /* encryption controller, other */
    .n_queues = 1,
    .queue_size = 8,
    .serve = rng_serve,
};

VirtioDevice *
virtio_rng_new(const char *id, GuestMemory *memory)
{
    VirtioDevice *device = g_new0(VirtioDevice, 1);
    virtio_device_init(device, &rng_class, id, memory, 0, 0, NULL);
    return device;
}
