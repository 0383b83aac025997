/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost-net: the kernel serves a queue pair itself, between the rings in guest memory and the tap.
 *
 * One descriptor of /dev/vhost-net a pair. It is told of the rings, and of guest memory that devices may reach, each time
 * the pair starts.
 *
 * vhost_net_init(): main thread, while making the card. The rest: the I/O thread.
 */
#pragma once

#include "vmm/virtio/device.h"

/*
 * Makes @fd this process's. @features: set to those of the ring and the header (VIRTIO_F_…,
 * VIRTIO_RING_F_…, VIRTIO_NET_F_MRG_RXBUF) that the kernel can serve.
 */
bool vhost_net_init(int fd, uint64_t *features, GError **error);

/*
 * Hands both queues (receive, transmit) over. @call_fds: signalled to interrupt the guest. @fault_fds: signalled once the
 * driver broke the rules, and the kernel serves that queue no more. 0, or a negative errno with nothing handed over.
 */
int vhost_net_start(int fd, int tap_fd, VirtQueue *const queues[2], const int call_fds[2], const int fault_fds[2]);
/* Takes them back: when it returns the kernel touches no ring, and the queues know where it came to. */
void vhost_net_stop(int fd, VirtQueue *const queues[2]);
