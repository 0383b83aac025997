/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that remote-viewer opens (remote-viewer(1), "connection file"). It leads back to the address by which the
 * browser knew this host, whatever that is. Any thread.
 */
#pragma once

#include "web-ui/server/http/authority.h"

typedef struct {
    const char *ticket, *password, *title;
    const Authority *host;
    const char *authority; /* PEM, or NULL */
    const char *subject;   /* of the certificate */
} ViewerFile;

/* Free with g_free(). */
char *viewer_file_make(const ViewerFile *file);
/* A name for it that every system takes: of "Anna's PC" "Anna-s-PC.vv". Free with g_free(). */
char *viewer_file_name(const char *title);
