/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's end of TLS over a socket that never blocks. GIO's own TLS connection shakes hands in a thread of a small
 * pool, where clients that say nothing more would keep everybody out; here nothing waits but the loop.
 *
 * Owner: one thread at a time; it may be handed to another between two calls.
 */
#pragma once

#include "web-ui/server/tls/identity.h"

#include <sys/types.h>

typedef struct TlsSession TlsSession;

/* Takes the socket, and closes it in the end. NULL: no memory. */
TlsSession *tls_session_new(TlsIdentity *identity, int fd);
/* Says good-bye where that takes no waiting, and closes the socket. */
void tls_session_free(TlsSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsSession, tls_session_free)

int tls_session_get_fd(const TlsSession *session);

/*
 * Each gives a negative errno where it fails: -EAGAIN when the socket is to be waited for (to be written to if
 * tls_session_wants_write(), else read from); a write is then called again with the same bytes. -EPROTO: the peer broke
 * the protocol, or takes none that is safe. What was read is 0 at the end.
 */
int tls_session_handshake(TlsSession *session);
ssize_t tls_session_read(TlsSession *session, void *bytes, size_t len);
ssize_t tls_session_write(TlsSession *session, const void *bytes, size_t len);
bool tls_session_wants_write(const TlsSession *session);
/* Whether bytes can be read without the socket. */
bool tls_session_is_pending(const TlsSession *session);
