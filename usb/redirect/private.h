/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What peer.c (the channel's protocol), device.c (the device the guest sees) and receive.c (endpoints whose data come unasked)
 * share. Owner: the USB thread.
 */
#pragma once

#include "usb/ahead.h"
#include "usb/packets.h"
#include "usb/redirect/peer.h"

#include <usbredirparser.h>

#define REDIRECT_ENDPOINTS 32

typedef struct RedirectDevice RedirectDevice;

/* Packets that came, or are to come, without being asked for one by one: interrupt IN, and isochronous. */
typedef struct {
    uint8_t type;                        /* usb_redir_type_…, as the client said last */
    uint8_t interface;                   /* that it belongs to */
    bool started;                        /* the client was asked to receive, or to stream */
    UsbPackets packets;                  /* that came; their data is the parser's */
    UsbTransfer *waiting, *last_waiting; /* interrupt IN: transfers without a packet yet */
} RedirectEndpoint;

struct RedirectPeer {
    UsbBus *bus;
    const UsbPolicy *policy;
    char *id;
    const RedirectPeerOps *ops;
    void *user;
    struct usbredirparser *parser;
    struct usb_redir_interface_info_header interfaces;
    struct usb_redir_ep_info_header endpoints;
    struct usb_redir_device_connect_header offer; /* of the device that is plugged in */
    bool has_interfaces, has_endpoints;
    bool broken; /* it broke the protocol: it is not listened to any more */
    bool complained;
    char *parser_said; /* what the parser last found wrong */
    size_t turn;       /* bytes that may still be read in this turn */
    GSource *sweep;    /* unplugs the device of a broken peer */
    RedirectDevice *device;
};

struct RedirectDevice {
    UsbDevice usb;
    RedirectPeer *peer;
    uint64_t last_id;
    GHashTable *requests; /* of Request, by id: what the client has not answered */
    unsigned n_given_up;  /* … of them, those whose transfers the guest has back already */
    size_t out_bytes;     /* of those with data for the device */
    GQueue held;          /* transfers that wait until less is on the way */
    size_t kept_bytes;    /* of its endpoints' packets */
    bool leaving;         /* its transfers are being given back, all of them */
    UsbAhead ahead;
    GSource *patience; /* runs while a cancelled transfer waits for its answer */
    RedirectEndpoint endpoints[REDIRECT_ENDPOINTS];
};

/* peer.c */
/* Sends what was queued with usbredirparser_send_…(). */
void redirect_peer_flush(RedirectPeer *peer);
/* One line a peer, of what it did. */
void redirect_peer_complain(RedirectPeer *peer, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* It is not to be listened to any more, and its device goes as soon as nobody is inside it. */
void redirect_peer_break(RedirectPeer *peer, const char *what);

/* device.c */
RedirectDevice *redirect_device_new(RedirectPeer *peer, UsbSpeed speed, const UsbIdentity *identity);
void redirect_device_learn(RedirectDevice *device, const struct usb_redir_ep_info_header *info);
/* Gives all transfers back as USB_GONE: before it is detached. */
void redirect_device_let_go(RedirectDevice *device);
/* Fills in what the parser is to call with answers to requests. */
void redirect_device_set_callbacks(struct usbredirparser *parser);
UsbStatus redirect_status(uint8_t status);
/* Of a request to the client. */
uint64_t redirect_device_next_id(RedirectDevice *device);
/* The answer to @id will come, and nobody wants it. */
void redirect_device_give_up(RedirectDevice *device, uint64_t id);
/* Whether the client can say this length at all. */
bool redirect_device_can_say(const RedirectDevice *device, UsbTransferType type, uint32_t len);
void redirect_device_send(RedirectDevice *device, UsbTransfer *transfer);
/* An answer of an interrupt OUT endpoint. */
void redirect_interrupt_answered(RedirectPeer *peer, uint64_t id,
                                 const struct usb_redir_interrupt_packet_header *header);
/* @endpoint: an address. Its place in arrays, here and in usb_redir_ep_info. */
static inline unsigned
redirect_index(uint8_t endpoint)
{
    return (endpoint & USB_DIR_IN) >> 3 | (endpoint & USB_ENDPOINT_NUMBER_MASK);
}

/* ahead.c */
void redirect_ahead_init(RedirectDevice *device);
void redirect_ahead_learn(RedirectDevice *device, const struct usb_redir_interface_info_header *interfaces,
                          const struct usb_redir_ep_info_header *endpoints);
/* Returns true if @id was asked for there; @data is taken. */
bool redirect_ahead_answered(RedirectDevice *device, uint64_t id, uint8_t status, uint8_t *data, int len);

/* receive.c */
void redirect_receive_init(RedirectDevice *device);
void redirect_receive_interrupt(RedirectDevice *device, UsbTransfer *transfer);
void redirect_receive_iso(RedirectDevice *device, UsbTransfer *transfer);
void redirect_send_iso(RedirectDevice *device, UsbTransfer *transfer);
/* Returns false if @transfer does not wait there. */
bool redirect_receive_forget(RedirectDevice *device, UsbTransfer *transfer);
/* Tells the client to stop, and forgets what came. */
void redirect_receive_stop(RedirectDevice *device, uint8_t endpoint);
/* The same for all endpoints of @interface (-1: all), without telling the client, which stops by itself. */
void redirect_receive_reset(RedirectDevice *device, int interface);
void redirect_receive_set_callbacks(struct usbredirparser *parser);
