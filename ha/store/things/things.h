/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rooms of the catalog: each file here is one kind of thing, with its columns, who may be using it, and its
 * commands. catalog.c lists them; kinds name one another in references.
 *
 * A new column goes into a new step of the schema, the kind's columns and the fields of its commands; a unit test holds
 * the three together.
 */
#pragma once

#include "ha/store/apply.h"

extern const StoreKind store_kind_host;
extern const StoreKind store_kind_setting;
extern const StoreKind store_kind_user;
extern const StoreKind store_kind_group;
extern const StoreKind store_kind_network;
extern const StoreKind store_kind_image;
extern const StoreKind store_kind_policy;
extern const StoreKind store_kind_template;
extern const StoreKind store_kind_pool;
extern const StoreKind store_kind_desktop;
extern const StoreKind store_kind_assignment;

/* Each ends with a NULL name. */
extern const StoreCommandKind store_host_commands[];
extern const StoreCommandKind store_setting_commands[];
extern const StoreCommandKind store_user_commands[];
extern const StoreCommandKind store_factor_commands[];  /* of users: the second factor */
extern const StoreCommandKind store_arrival_commands[]; /* of users: those of a directory */
extern const StoreCommandKind store_group_commands[];
extern const StoreCommandKind store_network_commands[];
extern const StoreCommandKind store_image_commands[];
extern const StoreCommandKind store_policy_commands[];
extern const StoreCommandKind store_template_commands[];
extern const StoreCommandKind store_pool_commands[];
extern const StoreCommandKind store_desktop_commands[];
extern const StoreCommandKind store_assignment_commands[];
extern const StoreCommandKind store_audit_commands[];

/* Fields that several kinds have, in the same words. */
#define STORE_NEW_ID(kind) {kind, "the new one's id, chosen by who makes it", STORE_FIELD_UUID, STORE_FIELD_REQUIRED}
#define STORE_OLD_ID(kind) {kind, "which one", STORE_FIELD_UUID, STORE_FIELD_REQUIRED}
#define STORE_THING_NAME(flags) {"name", "what people call it", STORE_FIELD_NAME, STORE_FIELD_KEYED | (flags), 1, 64}
#define STORE_DESCRIPTION {"description", "a line about it", STORE_FIELD_LINE, STORE_FIELD_CLEARABLE, 1, 256}
