/* SPDX-License-Identifier: Apache-2.0 */
/* What the command answers: a table or a list for people, or JSON. */
#pragma once

#include "appliance/command/client.h"

/*
 * a{sv} each; @columns (NULL-terminated) in that order. Columns in which nobody has anything are left out, and so is @client's
 * help to name things where it is NULL. JSON has everything as it came.
 */
void cli_print_table(CliClient *client, GPtrArray *things, const char *const *columns, bool json);
/* One a{sv}: a line a member, those of @first before the others. */
void cli_print_thing(CliClient *client, GVariant *thing, const char *const *first, bool json);
void cli_print_json(GVariant *value);
/* The children of an aa{sv}. */
GPtrArray *cli_children(GVariant *list);
