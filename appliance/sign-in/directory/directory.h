/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory (LDAP or Active Directory) that says who somebody is.
 *
 *     connect, by TLS ─▶ bind as the service account ─▶ search the name ─▶ bind as what was found ─▶ groups ─▶ rules
 *                     └▶ bind as what the template makes of the name ─▶ read that entry ────────────┘
 *
 * A name that is not found is followed by a bind that cannot succeed, so that it takes as long as a wrong password. The
 * servers are asked in turn, from the one that answered last; another is tried where one is out of reach or not trusted,
 * never after one has said no.
 *
 * libldap copies the password into its message and does not overwrite it; it is gone with the next use of that memory.
 *
 * Nothing is kept between sign-ins but which server answered last. Any thread, several at a time; the calls block.
 */
#pragma once

#include "appliance/sign-in/directory/config.h"

#define DIRECTORY_NAME_BYTES_MAX 256
#define DIRECTORY_GROUPS_MAX 4096 /* of one user */

typedef struct Directory Directory;

/* Takes a copy of the configuration, which must be good. Reference-counted, since a sign-in may outlast a setting. */
Directory *directory_new(const DirectoryConfig *config, GError **error);
Directory *directory_ref(Directory *directory);
void directory_unref(Directory *directory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Directory, directory_unref)

typedef struct {
    char *dn;
    char *id;           /* stays when the user is renamed or moved: hexadecimal, or as the directory writes it */
    char *name;         /* as the directory spells it, whatever was typed */
    char *display_name; /* NULL: it has none */
    SignInRole role;
    GPtrArray *groups; /* of char *: Carrel's, by the rules */
} DirectoryUser;

void directory_user_free(DirectoryUser *user);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DirectoryUser, directory_user_free)

/* Who it is; or DIRECTORY_ERROR. An empty password is wrong without anybody being asked. */
DirectoryUser *directory_sign_in(Directory *directory, const char *name, const char *password, GError **error);

/* Whether one server can be used, by everything that comes before a user: for an admin who sets a directory up. */
bool directory_try_server(Directory *directory, unsigned server, GError **error);
