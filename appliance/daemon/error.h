/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call over D-Bus can fail with: org.carrel.Error.* in appliance/api/org.carrel.Host1.xml. The rooms of the daemon have
 * errors of their own; here they become what a caller understands.
 *
 * Any thread.
 */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>

#define CARREL_ERROR (carrel_error_quark())
GQuark carrel_error_quark(void);
typedef enum {
    CARREL_ERROR_SIGN_IN,
    CARREL_ERROR_NOT_SIGNED_IN,
    CARREL_ERROR_FORBIDDEN,
    CARREL_ERROR_NOT_FOUND,
    CARREL_ERROR_INVALID,
    CARREL_ERROR_IN_USE,
    CARREL_ERROR_CHANGED,
    CARREL_ERROR_FULL,
    CARREL_ERROR_BUSY,
    CARREL_ERROR_UNAVAILABLE,
    CARREL_ERROR_FAILED,
} CarrelError;

/* The same as a CARREL_ERROR, with its sentence; FAILED for what no caller could have foreseen. */
GError *carrel_error_from(const GError *error);

/* Sets it; false. */
bool carrel_fail(GError **error, CarrelError code, const char *sentence);
/* "there is no such desktop": also for what is there, and not theirs to see. */
bool carrel_fail_not_found(GError **error, const char *kind);
