# SPDX-License-Identifier: Apache-2.0
"""
Servers that do what a real directory cannot be made to do: refuse StartTLS, hang up in the middle, say nothing, answer as
Active Directory does. Each listens on a port of its own and notes what reaches it.
"""
import socket
import ssl
import threading

BIND, BOUND, SEARCH, ENTRY, DONE, EXTENDED, EXTENDED_ANSWER, UNBIND = 0x60, 0x61, 0x63, 0x64, 0x65, 0x77, 0x78, 0x42
SUCCESS, PROTOCOL_ERROR, INVALID_CREDENTIALS = 0, 2, 49


def ber(tag, *parts):
    """An element of ASN.1's basic encoding; text and numbers become what they are in LDAP."""
    body = b"".join(part if isinstance(part, bytes) else str(part).encode() for part in parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + size + body


def elements(data):
    """[(tag, body)] of what stands in a row."""
    found = []
    while data:
        size, start = data[1], 2
        if size & 0x80:
            start = 2 + (size & 0x7f)
            size = int.from_bytes(data[2:start], "big")
        found.append((data[0], data[start:start + size]))
        data = data[start + size:]
    return found


def message_of(number, operation):
    return ber(0x30, ber(0x02, number), ber(*operation))


class Listener:
    """Gives each connection to `serve` in a thread of its own."""

    scheme = "ldap"

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"{self.scheme}://127.0.0.1:{self.socket.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self.serve(connection)
        except OSError:
            pass

    def close(self):
        self.socket.close()


class Silent(Listener):
    """Takes connections, and never says a word."""

    scheme = "ldaps"

    def serve(self, connection):
        self.kept = connection
        while connection.recv(4096):
            pass


class Ldap(Listener):
    """Reads messages and answers them by answer(operation, body) → [(operation, body)]; .requests has them all."""

    def __init__(self):
        self.requests = []
        super().__init__()

    def serve(self, connection):
        stream = connection.makefile("rb")
        while head := stream.read(2):
            size = head[1]
            if size & 0x80:
                size = int.from_bytes(stream.read(size & 0x7f), "big")
            message = stream.read(size)
            if head[0] != 0x30:  # no LDAP any more: a handshake, for one
                self.requests.append((None, message))
                return
            (_, number), (operation, body), *_ = elements(message)
            self.requests.append((operation, body))
            for answer in self.answer(operation, body):
                connection.sendall(answer if isinstance(answer, bytes) else message_of(number, answer))


def result(operation, code, diagnostic=""):
    return operation, ber(0x0a, bytes([code])), ber(0x04, ""), ber(0x04, diagnostic)


class NoStartTls(Ldap):
    """Somebody in between who takes StartTLS away: one answer to it, then whatever else comes is welcome."""

    def __init__(self, code):
        self.code = code
        super().__init__()

    def answer(self, operation, body):
        if operation == EXTENDED:
            return [result(EXTENDED_ANSWER, self.code)]
        return [result(BOUND, SUCCESS)] if operation == BIND else []


class Forger(Ldap):
    """Somebody in between who lets TLS begin, and hopes that what is said before counts for after: "you are signed in"."""

    def __init__(self, url):
        self.target = url.rpartition("//")[2].split(":")
        super().__init__()

    def serve(self, connection):
        server = socket.create_connection((self.target[0], int(self.target[1])))
        server.sendall(connection.recv(4096))
        forged = b"".join(message_of(bytes([number]), result(BOUND, SUCCESS)) for number in (2, 3))
        connection.sendall(server.recv(4096) + forged)
        threading.Thread(target=CutAtBind._back, args=(server, connection), daemon=True).start()
        while data := connection.recv(4096):
            server.sendall(data)


class ActiveDirectory(Ldap):
    """One user, "anna", whose bind ends as .bind_error says ("775"; None: well)."""

    scheme = "ldaps"
    GUID = bytes(range(16))
    USER = "CN=Meyer\\, Anna,OU=Staff,DC=example,DC=org"
    GROUP = "CN=Deep,OU=Groups,DC=example,DC=org"

    def __init__(self, certificate, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.bind_error = None
        super().__init__()

    def serve(self, connection):
        super().serve(self.context.wrap_socket(connection, server_side=True))

    def answer(self, operation, body):
        if operation == BIND:
            return [self.bound(elements(body)[1][1].decode())]
        if operation == SEARCH:
            return [self.group() if b"1.2.840.113556.1.4.1941" in body else self.user(), result(DONE, SUCCESS)]
        return []

    def bound(self, name):
        if name == self.USER and self.bind_error:
            return result(BOUND, INVALID_CREDENTIALS, "80090308: LdapErr: DSID-0C09050F, comment: AcceptSecurityContext "
                                                      f"error, data {self.bind_error}, v4563\0")
        return result(BOUND, SUCCESS)

    def user(self):
        values = {"objectGUID": self.GUID, "sAMAccountName": b"Anna", "displayName": b"Anna Meyer"}
        return ENTRY, ber(0x04, self.USER), ber(0x30, *(ber(0x30, ber(0x04, name), ber(0x31, ber(0x04, value)))
                                                       for name, value in values.items()))

    def group(self):
        return ENTRY, ber(0x04, self.GROUP), ber(0x30)


class Endless(ActiveDirectory):
    """Announces an answer of 256 MiB, and begins with it."""

    def answer(self, operation, body):
        return [b"\x30\x84\x10\x00\x00\x00" + bytes(10000)]


class CutAtBind(Listener):
    """In front of a server with TLS: carries the handshake, and hangs up at the first request inside it."""

    scheme = "ldaps"
    APPLICATION_DATA = 23

    def __init__(self, url):
        self.target = url.rpartition("//")[2].split(":")
        super().__init__()

    def serve(self, connection):
        server = socket.create_connection((self.target[0], int(self.target[1])))
        threading.Thread(target=self._back, args=(server, connection), daemon=True).start()
        stream, encrypted = connection.makefile("rb"), 0
        while head := stream.read(5):
            encrypted += head[0] == self.APPLICATION_DATA
            if encrypted > 1:  # the first is the end of TLS 1.3's handshake
                break
            server.sendall(head + stream.read(int.from_bytes(head[3:], "big")))
        for end in (server, connection):
            end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _back(server, connection):
        try:
            while data := server.recv(4096):
                connection.sendall(data)
        except OSError:
            pass
