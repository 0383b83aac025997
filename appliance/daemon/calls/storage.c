/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of images, and what in the storage is nobody's. */
#include "appliance/daemon/calls/calls.h"
#include "appliance/daemon/images.h"

void
call_upload(Call *call)
{
    g_autoptr(GError) error = NULL;
    const char *image, *job;
    guint64 bytes;

    g_variant_get(call->arguments, "(&s&st)", NULL, &image, &bytes);
    int fd = images_upload(call->daemon, call->caller->actor, image, bytes, &job, &error);
    if (fd < 0)
        call_fail(call, error);
    else
        call_return_fd(call, g_variant_new("(hs)", 0, job), fd);
}

static void
found(void *data, GVariant *orphans, const GError *error)
{
    if (error)
        call_fail(data, error);
    else
        call_return(data, g_variant_new("(@aa{sv})", orphans));
}

void
call_list_orphans(Call *call)
{
    images_find_orphans(call->daemon, found, call);
}
