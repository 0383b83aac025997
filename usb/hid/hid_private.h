/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keyboard and tablet have in common: the one interrupt endpoint, requests of the class (HID 1.11, 7.2), and events that
 * cross from the main thread.
 */
#pragma once

#include "usb/emulated.h"
#include "usb/hid/hid.h"

#define HID_REPORT_MAX 8

typedef struct UsbHid UsbHid;

typedef struct {
    UsbEmulatedOps emulated;
    const uint8_t *report_descriptor;
    size_t report_descriptor_size;
    size_t report_size;
    size_t hid_at; /* where the HID descriptor is in the configuration's */
    /* Takes events over into what is to be reported; on the USB thread. */
    void (*take)(UsbHid *hid, const InputEvent *events, size_t n);
    /* The next report, taken. false: nothing changed since the last, or it is too early for it: usb_hid_answer() then. */
    bool (*next)(UsbHid *hid, uint8_t report[HID_REPORT_MAX]);
    /* As it is now, for GET_REPORT. */
    void (*current)(UsbHid *hid, uint8_t report[HID_REPORT_MAX]);
    /* Everything is forgotten. */
    void (*clear)(UsbHid *hid);
} UsbHidOps;

struct UsbHid {
    UsbEmulated emulated; /* first */
    const UsbHidOps *ops;
    UsbTransfer *waiting; /* the guest's, until there is something to say */
    uint8_t idle, protocol;
    uint8_t leds; /* atomic: the main thread looks … */
    int telling;  /* … once it was told that they changed; atomic */
    UsbBus *bus;  /* the sink's */
    /* under the lock */
    GMutex lock;
    InputLeds changed;
    void *user;
};

/* There may be something to say. */
void usb_hid_answer(UsbHid *hid);
void usb_hid_init(UsbHid *hid, const UsbDeviceOps *device_ops, const UsbHidOps *ops, const char *id);
/* For UsbEmulatedOps. */
bool usb_hid_control(UsbEmulated *emulated, UsbTransfer *transfer);
void usb_hid_data(UsbEmulated *emulated, UsbTransfer *transfer);
void usb_hid_cancel(UsbEmulated *emulated, UsbTransfer *transfer);
void usb_hid_configured(UsbEmulated *emulated);
/* For UsbDeviceOps. */
void usb_hid_finish(UsbDevice *device);

extern const StateTable usb_hid_state;
