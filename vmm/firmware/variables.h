/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desktop's file of UEFI variables: a firmware volume of non-volatile data (UEFI PI 1.8, volume 3, 3.2.1), which the flash
 * chip holds (flash.h). It is made from a template that comes with the firmware. Owner: the main thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * Opens the file at @path for reading and writing; where there is none, it is made first, whole or not at all, as a copy of
 * @template. The file is locked: nobody else can open it so while it is. -1 and an error in BOOT_ERROR otherwise.
 */
int variables_open(const char *path, const char *template, GError **error);

/* Whether the file at @fd is such a store, and whole as far as its header says; an error that names the remedy otherwise. */
bool variables_check(int fd, const char *name, GError **error);
