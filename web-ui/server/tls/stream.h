/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS session as libsoup wants one: a GIOStream whose halves can be polled. It never blocks; what would, is
 * G_IO_ERROR_WOULD_BLOCK.
 *
 * Owner: the main loop.
 */
#pragma once

#include "web-ui/server/tls/session.h"

#define TLS_TYPE_STREAM tls_stream_get_type()
G_DECLARE_FINAL_TYPE(TlsStream, tls_stream, TLS, STREAM, GIOStream)

/* Told when the stream is closed with its session still in it. */
typedef void (*TlsStreamClosed)(void *data);

/* Takes a session whose handshake is done. */
TlsStream *tls_stream_new(TlsSession *session, TlsStreamClosed closed, void *data);

/* Its reader and writer find the connection at its end. */
void tls_stream_hang_up(TlsStream *stream);

/* The session, for whoever goes on with it by themselves; the stream is at its end. NULL: it was closed. */
TlsSession *tls_stream_steal(TlsStream *stream);
