/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sessions in a file of the state folder, so that nobody is signed out when the daemon is started anew. No token is in it.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/daemon/config.h"
#include "appliance/daemon/people.h"

/* What cannot be read or written is logged: people sign in once more then. */
void saved_sessions_load(const DaemonConfig *config, People *people);
void saved_sessions_save(const DaemonConfig *config, People *people);
