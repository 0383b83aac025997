/* SPDX-License-Identifier: Apache-2.0 */
/* A field's value, from and to what people write. */
#pragma once

#include "appliance/command/client.h"
#include "ha/store/catalog.h"

/*
 * Floating. Numbers may end in K, M, G or T where the field is a size; booleans are yes and no; what names a thing may be
 * its name; a record is "size=20G,image=Debian 13". CLI_INVALID, beginning with the field's name.
 */
GVariant *cli_value_read(CliClient *client, const StoreField *field, const char *text, GError **error);

/* For help: "SIZE", "yes|no", "nat|bridge|vlan|passt", "POOL". Free it. */
char *cli_value_hint(const StoreField *field);

/* For people, on one line without control characters; @name is the column's. Free it. */
char *cli_value_text(CliClient *client, const char *name, GVariant *value);
