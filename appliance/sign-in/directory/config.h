/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory as an admin describes it. What is NULL or 0 has the default of the directory's kind.
 *
 * There is no setting that sends a password in the clear or takes any certificate: "ldaps://" is TLS from the first byte,
 * "ldap://" is upgraded by StartTLS before anything else is said, or given up.
 *
 * A configuration is made, checked, and then never changed: any thread.
 */
#pragma once

#include "appliance/sign-in/directory/failure.h"
#include "appliance/sign-in/role.h"

#include <stdint.h>

#define DIRECTORY_SERVERS_MAX 8
#define DIRECTORY_RULES_MAX 256

typedef enum {
    DIRECTORY_KIND_LDAP,   /* OpenLDAP, 389, FreeIPA, … */
    DIRECTORY_KIND_ACTIVE, /* Active Directory, Samba */
} DirectoryKind;

typedef enum {
    DIRECTORY_GROUPS_MEMBER_OF, /* the user's entry names them (memberOf; Active Directory leaves "Domain Users" out) */
    DIRECTORY_GROUPS_SEARCH,    /* groups name their members: .group_filter finds them */
    DIRECTORY_GROUPS_NESTED,    /* Active Directory: also groups in groups (LDAP_MATCHING_RULE_IN_CHAIN), slower */
} DirectoryGroups;

/* What being in a group of the directory gives. */
typedef struct {
    char *group; /* its DN, or its name alone: the first part of its DN */
    SignInRole role;
    char *becomes; /* the group of Carrel's that its members are in; NULL: none */
} DirectoryRule;

typedef struct {
    DirectoryKind kind;
    char **
        servers; /* "ldaps://dc1.example.org", "ldap://dc2.example.org:389": asked in turn, from the one that answered last */
    char *ca; /* certificates in PEM; NULL: those that the system trusts */

    /* How a name becomes an entry: by a search with an account of our own … */
    char *service_dn, *service_password;
    /* … or by signing in as "uid=%u,ou=people,dc=example" or "%u@example.org"; then there is no account of our own. */
    char *user_template;

    char *base;        /* where users are */
    char *user_filter; /* which of them fits a name: %u */

    DirectoryGroups groups;
    char *group_base;   /* NULL: base */
    char *group_filter; /* %u: the name, %d: the user's DN. Active Directory's nested groups need none */

    char *id_attribute, *name_attribute, *display_attribute;

    DirectoryRule *rules;
    unsigned n_rules;
    bool only_by_rule; /* who is in no group of a rule may not sign in; else is a user */

    int64_t connect_time; /* µs that one server has to be there; 0: 5 s */
    int64_t time;         /* µs for all of a sign-in; 0: 15 s */
} DirectoryConfig;

DirectoryConfig *directory_config_new(void);
DirectoryConfig *directory_config_copy(const DirectoryConfig *config);
void directory_config_free(DirectoryConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DirectoryConfig, directory_config_free)

/* Fills in the defaults. DIRECTORY_ERROR_CONFIG: the message begins with the setting's name and a colon. */
bool directory_config_complete(DirectoryConfig *config, GError **error);
