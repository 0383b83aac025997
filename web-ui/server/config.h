/* SPDX-License-Identifier: Apache-2.0 */
/* carrel-web.conf(5): what an administrator may want otherwise. Any thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define WEB_CONFIG_PATH "/etc/carrel/web.conf"

typedef struct {
    char **listen;     /* "443", … */
    char *carreld;     /* its socket */
    char *certificate; /* PEM files */
    char *key;
    char *authority; /* or NULL */
    char **names;    /* for a certificate that the host makes itself; may be empty */
    unsigned connections;
    unsigned waiting_per_address;
} WebConfig;

/* A file that is not there is one that says nothing; @path NULL: none. */
WebConfig *web_config_load(const char *path, GError **error);
void web_config_free(WebConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WebConfig, web_config_free)
