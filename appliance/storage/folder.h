/* SPDX-License-Identifier: Apache-2.0 */
/* Folders by descriptor. Any thread. */
#pragma once

#include "appliance/storage/storage.h"

/* Made with mode 0700 if it is not there, below one that is. -1 with an error. */
int folder_open(const char *path, GError **error);
/* The names in it, but those that begin with a dot, in no order. */
GStrv folder_list(int folder, GError **error);
/* What was made, renamed or removed in it outlasts a power cut. */
bool folder_sync(int folder, GError **error);
