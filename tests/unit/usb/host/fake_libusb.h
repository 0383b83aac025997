/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A libusb with one device, which does what a test says. It stands in for the library: tests that link it do not link that.
 *
 * The device has one configuration (1) of two interfaces: 0 with bulk IN 0x81, bulk OUT 0x02 and interrupt IN 0x83; 1 with
 * nothing, or in its second setting isochronous IN 0x84 (200 bytes) and OUT 0x05 (192 bytes). Any thread.
 */
#pragma once

#include <glib.h>
#include <libusb.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    /* What calls return, LIBUSB_SUCCESS (0) at first. */
    int wrap, claim, submit;
    uint8_t class;
} FakeAnswers;

extern FakeAnswers fake_answers;

void fake_init(void);
void fake_finish(void);
/* What was called since the last time, "claim 0 claim 1 "; free it. */
char *fake_calls(void);
/* How many transfers libusb has. */
unsigned fake_n_transfers(void);
/* The transfer at place @n, the oldest first. Its fields are the test's to look at. */
struct libusb_transfer *fake_transfer(unsigned n);
/* It is done: calls back on the thread that serves. @actual: bytes; of an isochronous one, of each packet. */
void fake_complete(struct libusb_transfer *transfer, enum libusb_transfer_status status, unsigned actual);
/* Transfers that are asked back come back. Without this they wait for fake_complete(). */
void fake_set_obedient(bool obedient);
void fake_unplug(void);
