/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SPICE client's end of a redirection channel, made with the parser that real ones use: it writes down what it is told, and
 * answers what a test has it answer. With it, a bus and a controller that do the same.
 */
#pragma once

#include "usb/redirect/peer.h"

#include <usbredirparser.h>

typedef struct {
    GMainContext *context;
    UsbBus *bus;
    UsbPolicy *policy;
    RedirectPeer *peer;
    struct usbredirparser *parser;
    GByteArray *to_peer, *to_client;
    size_t room;    /* the peer's writes stop at so many bytes on the way */
    GString *heard; /* packets from the peer, "bulk 81 4096 "; … */
    GString *told;  /* … and what the bus's listeners were told */
    uint64_t last_id;
    GByteArray *last_data; /* of the last data packet */
} Client;

/* A client that has said hello, at a bus of @n_ports. */
Client *client_new(unsigned n_ports, const char *policy);
/* Without a capability. */
Client *client_new_without(unsigned n_ports, const char *policy, int capability);
void client_free(Client *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Client, client_free)

/* Carries bytes to and fro until there are no more. */
void client_pump(Client *client);
/* Sends bytes that no parser would. */
void client_send_raw(Client *client, const void *bytes, size_t len);
/* Pumps, and takes what was heard since. */
char *client_heard(Client *client);
char *client_told(Client *client);

/* Offers 1234:5678: high speed, bulk 0x81 and 0x02, interrupt 0x83 and 0x04, isochronous 0x85 and 0x06, on interface 0. */
UsbDevice *client_connect(Client *client);
void client_offer(Client *client, uint8_t speed, uint8_t class);
void client_offer_as(Client *client, uint8_t speed, uint8_t class, uint16_t vendor, uint16_t product);

/* A transfer of one's own memory, and what became of it. */
typedef struct {
    UsbTransfer transfer;
    struct iovec iov[4];
    uint8_t *bytes;
    bool done;
} Move;

Move *move_new(UsbDevice *device, UsbTransferType type, uint8_t endpoint, uint32_t len);
/* With these bytes to send. */
Move *move_new_out(UsbDevice *device, uint8_t endpoint, const void *bytes, uint32_t len);
/* A disk's command that brings so many bytes (bulk-only transport), on 0x02. */
Move *move_new_command(UsbDevice *device, uint32_t len);
Move *move_new_control(UsbDevice *device, uint8_t request_type, uint8_t request, uint16_t value, uint16_t index,
                       uint16_t len);
/* It must be done. */
void move_free(Move *move);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Move, move_free)
