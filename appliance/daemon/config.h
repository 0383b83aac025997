/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carreld.conf(5): what of a host is its root's to say, a key file. What is not given has the manual's default.
 *
 * A directory (LDAP) is described here and not in the store: a setting of the store stands in the audit trail, the directory's
 * password too, and an administrator's stolen session must not be able to say who vouches for people.
 *
 * Read once, and again for its directory alone when the daemon is told to. Any thread.
 */
#pragma once

#include "appliance/sign-in/directory/config.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum { DAEMON_SCOPES_AUTO, DAEMON_SCOPES_TRUE, DAEMON_SCOPES_FALSE } DaemonScopes;

typedef struct {
    /* [host] */
    char *name;     /* the host's name in the store: a token of at most 63 characters */
    char *state;    /* a directory for what outlives the daemon */
    char *runtime;  /* one for what does not outlive the host */
    char *socket;   /* where callers come in */
    char *web_user; /* whose processes may come in, besides root's; may be nobody known */
    /* [sign-in] */
    int64_t password_cost, password_characters;
    int64_t idle_minutes, hours;
    /* [storage]; NULL: as storage.h says */
    int storage_backend; /* StorageKind */
    char *storage_folder, *volume_group, *thin_pool, *lvm_config, *import_helper, *qemu_img;
    bool reserve_blocks;
    int64_t keep_free; /* MiB */
    /* [network]; NULL: as network.h says */
    bool network_manage;
    char *nat_range, *dns_user;
    uint16_t *host_ports; /* ends with 0 */
    /* [desktops] */
    char *vmm, *swtpm;
    int64_t memory; /* MiB; 0: the host's, less a reserve */
    int64_t uid_first, uids;
    int scopes;   /* DaemonScopes */
    char *cgroup; /* NULL: no limits where there are no scopes */
    /* [directory]; NULL: none */
    DirectoryConfig *directory;
    char *directory_name; /* what the store calls it: users.source */
} DaemonConfig;

/* @path NULL: all defaults. The error names the file, the group and the key. */
DaemonConfig *daemon_config_read(const char *path, GError **error);
void daemon_config_free(DaemonConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaemonConfig, daemon_config_free)
