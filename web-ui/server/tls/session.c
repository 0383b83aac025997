/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/tls/session.h"

#include <errno.h>
#include <unistd.h>

struct TlsSession {
    gnutls_session_t tls;
    TlsIdentity *identity;
    int fd;
    bool established;
};

/*
 * TLS 1.2 and 1.3, keys that are made anew for each connection, authenticated ciphers; of these the quickest that both
 * have.
 */
#define PRIORITY                                                                                                    \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM:+AES-256-" \
    "GCM:"                                                                                                          \
    "+CHACHA20-POLY1305:-MAC-ALL:+AEAD:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%SERVER_PRECEDENCE"

/* SPICE clients ask for no protocol, browsers for this one. */
static bool
speak_http(gnutls_session_t tls)
{
    static const gnutls_datum_t http = {(unsigned char *)"http/1.1", 8};

    return !gnutls_alpn_set_protocols(tls, &http, 1, 0);
}

TlsSession *
tls_session_new(TlsIdentity *identity, int fd)
{
    TlsSession *session = g_new(TlsSession, 1);

    *session = (TlsSession){.identity = tls_identity_ref(identity), .fd = fd};
    if (gnutls_init(&session->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) ||
        gnutls_priority_set_direct(session->tls, PRIORITY, NULL) ||
        gnutls_credentials_set(session->tls, GNUTLS_CRD_CERTIFICATE, tls_identity_get_credentials(identity)) ||
        gnutls_session_ticket_enable_server(session->tls, tls_identity_get_ticket_key(identity)) ||
        !speak_http(session->tls)) {
        tls_session_free(session);
        return NULL;
    }
    gnutls_handshake_set_timeout(session->tls, GNUTLS_INDEFINITE_TIMEOUT); /* whoever owns it has a clock */
    gnutls_transport_set_int(session->tls, fd);
    return session;
}

void
tls_session_free(TlsSession *session)
{
    if (!session)
        return;
    if (session->established)
        gnutls_bye(session->tls, GNUTLS_SHUT_WR);
    if (session->tls)
        gnutls_deinit(session->tls);
    close(session->fd);
    tls_identity_unref(session->identity);
    g_free(session);
}

int
tls_session_get_fd(const TlsSession *session)
{
    return session->fd;
}

static int
errno_of(TlsSession *session, ssize_t code)
{
    if (code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED)
        return -EAGAIN;
    session->established = false; /* nothing more is to be said */
    return code == GNUTLS_E_PUSH_ERROR || code == GNUTLS_E_PULL_ERROR ? -EPIPE : -EPROTO;
}

int
tls_session_handshake(TlsSession *session)
{
    int code;

    do
        code = gnutls_handshake(session->tls);
    while (code < 0 && code != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(code));
    if (code < 0)
        return errno_of(session, code);
    session->established = true;
    return 0;
}

ssize_t
tls_session_read(TlsSession *session, void *bytes, size_t len)
{
    ssize_t n = gnutls_record_recv(session->tls, bytes, len);

    if (n >= 0)
        return n;
    /* Many clients, and all that are killed, end without a word. Nothing here is told apart by its end. */
    if (n == GNUTLS_E_PREMATURE_TERMINATION)
        return 0;
    return errno_of(session, n);
}

ssize_t
tls_session_write(TlsSession *session, const void *bytes, size_t len)
{
    ssize_t n = gnutls_record_send(session->tls, bytes, len);

    return n >= 0 ? n : errno_of(session, n);
}

bool
tls_session_wants_write(const TlsSession *session)
{
    return gnutls_record_get_direction(session->tls);
}

bool
tls_session_is_pending(const TlsSession *session)
{
    return gnutls_record_check_pending(session->tls) > 0;
}
