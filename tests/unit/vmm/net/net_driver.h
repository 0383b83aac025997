/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network card with a driver and an I/O thread around it, for the tests of net/.
 *
 * Its other side is whatever back end the test gives it; frames here are Ethernet frames, without a virtio header.
 */
#pragma once

#include "driver.h"
#include "vmm/net/frames.h"
#include "vmm/net/net.h"

#include <linux/virtio_net.h>

#define BIT(n) (1ull << (n))

typedef struct {
    VirtioDriver *driver;
    VirtioDevice *device; /* the driver's */
    IoThread *thread;
    char *report; /* the card's last line for the log; atomic pointer */
    unsigned reports;
} NetDriver;

/* Makes the card; thread and report are set here. */
NetDriver *net_driver_new(VirtioDriverFlags flags, const VirtioNetOptions *options);
void net_driver_free(NetDriver *net);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetDriver, net_driver_free)
/* All that is offered but for the ring's own features. */
uint64_t net_driver_features(const NetDriver *net);
void net_driver_start(NetDriver *net, uint64_t features);
/* All sockets of the tests: @ends[0] is for the back end, @ends[1] for the test. */
void net_socket_pair(int type, int ends[2]);

void net_driver_config(NetDriver *net, struct virtio_net_config *config);
bool net_driver_link_is_up(NetDriver *net);

/* Posts @n receive buffers of @len bytes (header included) to pair @pair; their address is the first's, they lie in a row. */
uint64_t net_driver_post(NetDriver *net, unsigned pair, unsigned n, uint32_t len);
/* Waits for a frame and joins its buffers; asserts that its header is whole. Returns its length. */
size_t net_driver_receive(NetDriver *net, unsigned pair, struct virtio_net_hdr_v1 *header, uint8_t *frame, size_t room);
/* Nothing comes, as far as can be told once the thread has been through a round. */
void net_driver_expect_nothing(NetDriver *net, unsigned pair);
/* Sends a frame in @n_buffers pieces behind its header, and waits until the card has given it back. */
void net_driver_send(NetDriver *net, unsigned pair, const uint8_t *frame, size_t len, unsigned n_buffers);
/* A command on the control queue; its answer. */
uint8_t net_driver_control(NetDriver *net, uint8_t class, uint8_t command, const void *data, size_t len);

/* Waits until *@counter of the card's statistics is @value. */
void net_driver_wait_count(NetDriver *net, size_t counter_offset, uint64_t value);

/* Receives all that @net's pair is given, one buffer a frame, until a frame satisfies @wanted. Asserts that one comes. */
void net_driver_receive_until(NetDriver *net, unsigned pair, bool (*wanted)(const uint8_t *frame, size_t len));
/* An ARP request for @address by @own_mac, and whether a frame is the reply to it. */
#define NET_ARP_SIZE 42
void net_arp_request(uint8_t frame[NET_ARP_SIZE], const uint8_t own_mac[6], uint32_t own_address, uint32_t address);
bool net_is_arp_reply(const uint8_t *frame, size_t len);

/* In a network namespace of this process's own: false, and the test skipped, where there may be none. Before threads. */
bool net_namespace_new(void);
/* Makes an interface of the namespace, with an address, and sets it up. A descriptor of its first queue. */
int net_tap_new(const char *name, bool multi_queue, const char *address);
