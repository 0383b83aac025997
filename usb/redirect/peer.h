/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of a redirection channel: a client that offers one USB device at a time and carries out its transfers, in
 * the usbredir protocol (usb-redirection-protocol.md of usbredir; read and written by usbredirparser).
 *
 * It is hostile. A packet that breaks the protocol ends its device, and all it says afterwards is thrown away; an answer
 * that nobody waits for is dropped. Either is told in one line. What it can have us keep is bounded: REDIRECT_*_MAX below.
 *
 * Owner: the USB thread.
 */
#pragma once

#include "usb/bus.h"
#include "usb/policy.h"

/* What is kept of data that came before the guest asked for it: packets of an endpoint. Older ones are dropped. */
#define REDIRECT_INTERRUPT_PACKETS_MAX 64
#define REDIRECT_ISO_BUFFER_MS 60 /* what clients' schedulers and networks delay packets by, as peers have found it */
#define REDIRECT_ISO_KEPT_MS 240  /* at most: what was waited for by the latest packet, and then what is early */
#define REDIRECT_ISO_PACKETS_MAX 2048
#define REDIRECT_KEPT_BYTES_MAX (8u << 20) /* in all packets of a device's endpoints that wait for the guest */
#define REDIRECT_PACKET_MAX ((int)USB_TRANSFER_MAX + 4096) /* bytes of one packet from a client */
#define REDIRECT_OUT_BYTES_MAX (32u << 20)    /* of transfers on the way to the client; more wait in the guest */
#define REDIRECT_UNREAD_BYTES_MAX (64u << 20) /* said to a client that does not listen: then it is given up */
#define REDIRECT_UNANSWERED_MAX 1024          /* given up by us and never answered: then the client is given up too */

typedef struct RedirectPeer RedirectPeer;

typedef struct {
    /* Bytes from the client: returns how many there were, 0: none now. */
    size_t (*read)(void *user, void *to, size_t len);
    /* Bytes for it: returns how many were taken; call redirect_peer_work() when it can take more. */
    size_t (*write)(void *user, const void *from, size_t len);
} RedirectPeerOps;

/* @id: of the device it will offer, unique on the bus. @policy and @ops are used until the peer is freed. */
RedirectPeer *redirect_peer_new(UsbBus *bus, const UsbPolicy *policy, const char *id, const RedirectPeerOps *ops,
                                void *user);
/* Unplugs its device, for @reason (usb_bus_detach()). NULL is fine. */
void redirect_peer_free(RedirectPeer *peer, const char *reason);

/* There is something to read, or room to write. true: more is left, since a turn is bounded; call again. */
bool redirect_peer_work(RedirectPeer *peer);
/* Whether a device of it is plugged in. */
bool redirect_peer_has_device(const RedirectPeer *peer);
