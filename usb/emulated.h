/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device made of descriptors that never change: the standard requests of USB 2.0, 9.4, answered for it.
 *
 * One configuration, number 1, and no alternate settings. What remains for a kind: its class's requests, and its endpoints.
 *
 * Owner: the USB thread.
 */
#pragma once

#include "usb/device.h"

/* pid.codes, which gives ids to open projects; these are of its range for devices nobody sells. */
#define USB_VENDOR_CARREL 0x1209
#define USB_PRODUCT_KEYBOARD 0x0001
#define USB_PRODUCT_TABLET 0x0002
#define USB_PRODUCT_STORAGE 0x0003
#define USB_PRODUCT_HUB 0x0004

#define USB_EMULATED_ENDPOINTS 4 /* numbers below this, each way */

/* Bytes of a 16-bit field in a descriptor. */
#define USB_WORD(value) (value) & 0xff, (value) >> 8

typedef struct UsbEmulated UsbEmulated;

typedef struct {
    const uint8_t *device;        /* 18 bytes (USB 2.0, 9.6.1); strings 1 to 3 are vendor, product, serial */
    const uint8_t *configuration; /* with interfaces and endpoints (9.6.3) … */
    size_t configuration_size;
    const uint8_t *qualifier; /* 10 bytes (9.6.2); NULL: none, as for a device that knows one speed */
    const char *vendor, *product;
} UsbDescription;

typedef struct {
    const UsbDescription *description;
    /*
     * A control request that is not a standard one, or a descriptor of the class's. Answers it (usb_transfer_write(),
     * usb_transfer_read()) and returns true, or false: stalled. NULL: there is none.
     */
    bool (*control)(UsbEmulated *emulated, UsbTransfer *transfer);
    /* A transfer on another endpoint of the configured device, not halted. It is the device's, as in UsbDeviceOps. */
    void (*data)(UsbEmulated *emulated, UsbTransfer *transfer);
    void (*cancel)(UsbEmulated *emulated, UsbTransfer *transfer);
    /* Configured, deconfigured or reset (emulated->configuration says which): begin anew. NULL: no matter. */
    void (*configured)(UsbEmulated *emulated);
    /* The guest cleared the halt of @endpoint. NULL: no matter. */
    void (*cleared)(UsbEmulated *emulated, uint8_t endpoint);
} UsbEmulatedOps;

struct UsbEmulated {
    UsbDevice device; /* first */
    const UsbEmulatedOps *ops;
    char *serial;
    uint8_t configuration; /* 0 or 1; atomic, other threads look */
    bool wakeup;           /* the guest allows it to ask for attention */
    uint8_t halted[2];     /* bits by endpoint number; OUT, IN */
};

/* For a kind's UsbDeviceOps. */
void usb_emulated_submit(UsbDevice *device, UsbTransfer *transfer);
void usb_emulated_cancel(UsbDevice *device, UsbTransfer *transfer);
void usb_emulated_reset(UsbDevice *device);

/* @emulated is zeroed memory that begins with a UsbEmulated. @serial NULL: @id. */
void usb_emulated_init(UsbEmulated *emulated, const UsbDeviceOps *device_ops, const UsbEmulatedOps *ops, UsbSpeed speed,
                       const char *id, const char *serial);
void usb_emulated_finish(UsbEmulated *emulated);

/* Completes @transfer with a STALL, and halts its endpoint until the guest clears it. */
void usb_emulated_stall(UsbEmulated *emulated, UsbTransfer *transfer);
void usb_emulated_halt(UsbEmulated *emulated, uint8_t endpoint);

/* Whether a driver configured it. Any thread. */
static inline bool
usb_emulated_is_configured(const UsbEmulated *emulated)
{
    return __atomic_load_n(&emulated->configuration, __ATOMIC_ACQUIRE);
}

/* Fields for a kind's table, as its first: the common part. */
extern const StateTable usb_emulated_state;
