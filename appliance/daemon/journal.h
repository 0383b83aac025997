/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's log: structured lines to the journal where standard error goes there, plain ones elsewhere. Messages and what is
 * graver are from everybody, information from Carrel alone, debugging on demand (G_MESSAGES_DEBUG).
 *
 * Fields besides GLib's: CARREL_USER, CARREL_DESKTOP, CARREL_ADDRESS.
 */
#pragma once

void journal_init(void);
