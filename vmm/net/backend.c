/* SPDX-License-Identifier: Apache-2.0 */
/* What all network back ends share. */
#include "vmm/net/backend.h"

#include <unistd.h>

G_DEFINE_QUARK(carrel - net - error - quark, net_error)

void
net_backend_init(NetBackend *backend, const NetBackendOps *ops, const char *name, unsigned n_pairs)
{
    g_assert(ops->fd && ops->send && ops->receive && ops->free);
    *backend = (NetBackend){.ops = ops, .name = name, .n_pairs = n_pairs};
}

void
net_backend_free(NetBackend *backend)
{
    if (!backend)
        return;
    backend->ops->free(backend);
    for (unsigned i = 0; backend->vhost_fds && i < backend->n_pairs; i++)
        close(backend->vhost_fds[i]);
    g_free(backend->vhost_fds);
    g_free(backend);
}

bool
net_backend_is_vhost(const NetBackend *backend)
{
    return backend->vhost_fds;
}
