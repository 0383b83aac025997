/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a desktop has of its template: the machine, its disks, its cards. Functions of rows with their parts, as ha/store/reader.h says.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Adds them to the fields of a desktop.create. */
void from_template_add(GVariant *template, GVariantDict *fields);
/* Whether one that is made now would be as that desktop is; its name and what it is called do not matter. */
bool from_template_is_current(GVariant *template, GVariant *desktop);
