/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The groups [directory] and [directory-rule NAME] of carreld.conf(5), as a DirectoryConfig.
 *
 * Any thread.
 */
#pragma once

#include "appliance/sign-in/directory/config.h"

bool directory_config_is_group(const char *group);

/* *config is NULL where there is no [directory]; else whole (directory_config_complete()). *name is what the store calls it. */
bool directory_config_read(GKeyFile *file, DirectoryConfig **config, char **name, GError **error);
