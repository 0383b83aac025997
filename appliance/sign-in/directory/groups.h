/* SPDX-License-Identifier: Apache-2.0 */
/* From the groups of a directory to Carrel's groups and role. Pure; any thread. */
#pragma once

#include "appliance/sign-in/directory/config.h"

typedef struct {
    SignInRole role;   /* the highest that a rule gives; without one, user */
    GPtrArray *groups; /* of char *: Carrel's, each once, in the rules' order */
    bool by_rule;      /* at least one rule fits */
} DirectoryMembership;

/* @group_dns: of char *, the directory's groups that the user is in. To be freed with directory_membership_finish(). */
void directory_membership_of(const DirectoryConfig *config, const GPtrArray *group_dns,
                             DirectoryMembership *membership);
void directory_membership_finish(DirectoryMembership *membership);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DirectoryMembership, directory_membership_finish)
