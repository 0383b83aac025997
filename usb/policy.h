/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which devices from outside may be plugged into a desktop: rules in the syntax of SPICE clients and other hypervisors,
 *
 *     CLASS,VENDOR,PRODUCT,VERSION,ALLOW|...         -1 matches anything; the first rule that matches decides
 *
 * "0x03,-1,-1,-1,0|-1,-1,-1,-1,1" is everything but keyboards and mice. What no rule matches is refused. Rules are held
 * against the device's class and each of its interfaces': usbredirfilter.h tells the details.
 *
 * A policy is constant: any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define USB_INTERFACES_MAX 32
#define USB_POLICY_ALL "-1,-1,-1,-1,1"

struct usbredirfilter_rule;
typedef struct UsbPolicy UsbPolicy;

/* What a policy looks at, of the active configuration. */
typedef struct {
    uint16_t vendor, product;
    uint16_t version; /* bcdDevice */
    uint8_t class, subclass, protocol;
    unsigned n_interfaces; /* at most USB_INTERFACES_MAX */
    uint8_t interface_class[USB_INTERFACES_MAX];
    uint8_t interface_subclass[USB_INTERFACES_MAX];
    uint8_t interface_protocol[USB_INTERFACES_MAX];
} UsbIdentity;

/* The error says which rule is wrong, and how. */
UsbPolicy *usb_policy_new(const char *rules, GError **error);
void usb_policy_free(UsbPolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsbPolicy, usb_policy_free)

bool usb_policy_allows(const UsbPolicy *policy, const UsbIdentity *identity);

/* For clients, which grey out what would be refused. */
const struct usbredirfilter_rule *usb_policy_rules(const UsbPolicy *policy, int *n);
