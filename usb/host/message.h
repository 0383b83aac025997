/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the watcher outside the sandbox and the desktop inside say to each other, on a socket pair of packets (SOCK_SEQPACKET).
 * The watcher does not trust the desktop: a packet of another length or without an end to its words is none.
 */
#pragma once

#include "usb/host/wish.h"

#define USB_HOST_TEXT_MAX 256

typedef enum {
    USB_HOST_GIVE = 1, /* watcher: the device of a wish, with its open node; text: its name */
    USB_HOST_FAILED,   /* watcher: a device is there and cannot be opened; text: why */
    USB_HOST_DONE,     /* desktop: its descriptor is closed; the watcher gives what follows */
    USB_HOST_DROP,     /* desktop: not wished for any more, until … */
    USB_HOST_ASK,      /* … it is asked for */
} UsbHostVerb;

typedef struct {
    uint32_t verb;
    char wish[USB_WISH_NAME_MAX];
    char text[USB_HOST_TEXT_MAX];
} UsbHostMessage;

/* @text may be NULL; what does not fit is cut. @fd: sent along, stays the caller's; -1: none. false: the other end is gone. */
bool usb_host_send(int socket, UsbHostVerb verb, const char *wish, const char *text, int fd);

typedef enum { USB_HOST_MESSAGE, USB_HOST_NOTHING, USB_HOST_END } UsbHostReceived;

/* Does not wait. *@fd: the caller's, or -1. What is no message is passed over. */
UsbHostReceived usb_host_receive(int socket, UsbHostMessage *message, int *fd);
