/* SPDX-License-Identifier: Apache-2.0 */
/* Results, as Test Anything Protocol lines on the console; the harness reads them and fails a run without its plan. */
#ifndef GUEST_TAP_H
#define GUEST_TAP_H

#include <stdbool.h>

/* One result; returns what it was told, so that a test can stop at a failure. */
bool ok(bool passed, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A result of its own comparison, with both values shown on failure. */
bool ok_equal(unsigned long got, unsigned long want, const char *format, ...) __attribute__((format(printf, 3, 4)));

void skip(const char *reason, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A remark line. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Asks the harness to do something, such as "press-power", by a line "@ press-power", and waits for its answer: a byte on
 * the serial port once it is done. Ends the guest when no answer comes in 30 seconds.
 */
void ask_harness(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The plan; the last thing a test says. */
void tap_done(void);

#endif
