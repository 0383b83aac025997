/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A back end on a stream socket: each frame behind its length, four bytes big endian, and no virtio header (passt(1), and
 * QEMU's stream network back end).
 *
 * Owner: as in backend.h.
 */
#pragma once

#include "vmm/net/backend.h"

/* Takes @fd. @name is for messages and not copied. */
NetBackend *stream_backend_new(int fd, const char *name);
