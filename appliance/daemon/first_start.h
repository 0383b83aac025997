/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a new host begins with: itself in the store; and where nobody can sign in yet, an administrator with a password made for
 * the day, a network and a policy to begin with.
 *
 * The password is in a file that only root can read, and the file is removed once it is not the password any more.
 *
 * Owner: the main thread, which waits for the store; before anybody comes in.
 */
#pragma once

#include "appliance/daemon/commands.h"
#include "appliance/daemon/config.h"
#include "ha/store/reader.h"

#include <stdbool.h>

#define FIRST_START_NAME "admin"

/* *said: where the password is to be found, for people; NULL: nobody was made. */
bool first_start(const DaemonConfig *config, StoreReader *reader, Commands *commands, char **said, GError **error);

/* A user has changed: removes the file if it was their password's, and is not any more. */
void first_start_user_changed(const DaemonConfig *config, StoreReader *reader, const char *user);

/* Whether that password is in use still. */
bool first_start_password_is_there(const DaemonConfig *config);
