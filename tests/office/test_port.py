# SPDX-License-Identifier: Apache-2.0
"""The port as strangers meet it: its certificate, its headers, and those who come only to be in the way."""
import configparser
import os
import re
import socket
import ssl
import subprocess
import time
import uuid

import pytest

from carreld import PASSWORD

DESKTOP = str(uuid.uuid4())


def openssl(*arguments, text=""):
    done = subprocess.run(["openssl", *map(str, arguments)], input=text, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def read_all(raw):
    data = b""
    try:
        while part := raw.recv(65536):
            data += part
    except ConnectionError:
        pass
    return data


# --- the certificate ---

def test_certificate_of_its_own(web):
    _, text = openssl("x509", "-in", web.certificate, "-noout", "-text")
    for word in ("prime256v1", "DNS:localhost", "IP Address:127.0.0.1", "TLS Web Server Authentication", "CA:FALSE"):
        assert word in text
    assert os.stat(web.key).st_mode & 0o777 == 0o600
    serial = openssl("x509", "-in", web.certificate, "-noout", "-serial")
    web.stop()
    web.start()
    assert openssl("x509", "-in", web.certificate, "-noout", "-serial") == serial, "it is kept"


@pytest.mark.parametrize("version, taken", [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_versions_of_tls(web, version, taken):
    status, text = openssl("s_client", "-connect", f"127.0.0.1:{web.port}", "-CAfile", web.certificate, version,
                           "-cipher", "DEFAULT:@SECLEVEL=0")
    assert (status == 0) == taken, text


def test_given_certificate_and_reload(web, tmp_path):
    admin = web.browser()
    assert "Strict-Transport-Security" not in admin.get("//").headers
    kept = web.tls()  # a connection made before
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "ca.key", "-out", tmp_path / "ca.pem",
            "-subj", "/CN=An office's own", "-days", "2")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "new.key", "-out", tmp_path / "new.csr",
            "-subj", "/CN=localhost")
    (tmp_path / "san").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", tmp_path / "new.csr", "-CA", tmp_path / "ca.pem", "-CAkey", tmp_path / "ca.key",
            "-out", tmp_path / "new.pem", "-days", "2", "-extfile", tmp_path / "san")
    old = web.certificate.read_bytes()
    web.certificate.write_bytes(b"nonsense")
    web.reload()
    while "stays as it was" not in web.log():
        time.sleep(0.01)
    web.certificate.write_bytes((tmp_path / "new.pem").read_bytes())
    web.key.write_bytes((tmp_path / "new.key").read_bytes())
    web.reload()
    while "was read again" not in web.log():
        time.sleep(0.01)
    stranger = web.browser()
    stranger.verify = str(tmp_path / "ca.pem")
    assert "max-age=" in stranger.get("//").headers["Strict-Transport-Security"]
    kept.sendall(f"GET / HTTP/1.1\r\nHost: localhost:{web.port}\r\nConnection: close\r\n\r\n".encode())
    assert read_all(kept).startswith(b"HTTP/1.1 200 ")
    assert old != web.certificate.read_bytes()


def test_sockets_that_systemd_holds(new_web, carreld):
    listening = socket.create_server(("127.0.0.1", 0))
    given = os.dup2(listening.fileno(), 100)
    wrapper = new_web.folder / "as-systemd"
    wrapper.write_text(f'#!/bin/bash\nexec 3<&{given} {given}<&-\nLISTEN_FDS=1 LISTEN_PID=$$ exec {new_web.program} "$@"\n')
    wrapper.chmod(0o755)
    new_web.program = wrapper
    new_web.start(pass_fds=[given])
    os.close(given)
    assert new_web.port == listening.getsockname()[1]
    assert new_web.browser().get("//").status_code == 200


# --- what every answer says ---

def test_headers(web):
    for path in ("//", "/session", "//nothing", "//metrics"):
        headers = web.browser().get(path).headers
        policy = headers["Content-Security-Policy"]
        for word in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", f"wss://localhost:{web.port}"):
            assert word in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Server" not in headers


@pytest.mark.parametrize("host", ["", "a b", "a;b", "evil'; script-src *", "x:0", "x:70000", "[::1", "[fe80::1%eth0]",
                                  "x\u00e9", "..", "a" * 300, "user@host", "host/path", "127.0.0.1:443:443"])
def test_hostile_host_header(web, host):
    with web.tls() as client:
        client.sendall(f"GET /api/v1/session HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert b"Content-Security-Policy" not in answer


def test_page_is_kept_by_browsers_that_may(web):
    browser = web.browser()
    first = browser.get("//", headers={"Accept-Encoding": "gzip"})
    assert first.headers["Content-Encoding"] == "gzip" and "<!doctype html>" in first.text
    again = browser.get("//", headers={"Accept-Encoding": "gzip", "If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and not again.content
    plain = browser.get("//", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers and plain.text == first.text
    script = first.text.split('src="/')[1].split('"')[0]
    assert "immutable" in browser.get(f"//{script}").headers["Cache-Control"]
    assert browser.get(f"//{script.split('?')[0]}?{'0' * 16}").headers["Cache-Control"] == "no-cache"
    assert browser.head("//").status_code == 200
    assert browser.post("//", data=b"x").status_code in (405, 413)


# --- those who are in the way ---

def test_a_thousand_idle_connections(visit, web):
    admin = visit("ada", "admin")
    idle = [web.raw() for _ in range(1000)]
    for i, raw in enumerate(idle):
        try:
            raw.sendall([b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"CONNECT "][i % 4])
        except OSError:
            pass  # sent away already
    assert admin.get("/session").status_code == 200
    assert web.signed_in("ada", PASSWORD).get("/groups").status_code == 200
    with web.tls() as client:
        assert client.version()
    for raw in idle:
        raw.close()


def test_idle_after_handshake_and_half_requests(visit, web):
    admin = visit("ada", "admin")
    clients = [web.tls() for _ in range(300)]
    for i, client in enumerate(clients):
        try:
            client.sendall([b"GET / HT", b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Le", b"\r\n"][i % 3])
        except OSError:
            pass
    assert admin.get("/session").status_code == 200
    assert web.signed_in("ada", PASSWORD).get("/groups").status_code == 200
    for client in clients:
        client.close()


def test_head_that_never_ends(web):
    with web.tls() as client:
        try:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            for _ in range(400):
                client.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")
        except (ConnectionError, ssl.SSLError):
            pass
        assert b" 200 " not in read_all_of_tls(client)
    assert web.browser().get("//").status_code == 200


def read_all_of_tls(client):
    try:
        return read_all(client)
    except (OSError, ssl.SSLError):
        return b""


@pytest.mark.parametrize("framing", ["Content-Length: 90000000", "Transfer-Encoding: chunked"])
def test_body_that_is_too_large(visit, web, framing):
    before = web.memory()
    with web.tls() as client:
        client.sendall(f"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
                       .encode())
        piece = b"x" * 65536
        sent = 0
        try:
            while sent < 90_000_000:
                client.sendall(piece if "Length" in framing else b"10000\r\n" + piece + b"\r\n")
                sent += len(piece)
        except (ConnectionError, ssl.SSLError):
            pass
        assert sent < 90_000_000
    assert web.memory() - before < 8 << 20
    assert web.browser().get("//").status_code == 200


def test_body_a_little_too_large_is_told(visit):
    answer = visit("ada", "admin").post("/groups", json={"name": "x" * 300_000})
    assert answer.status_code == 413 and answer.json()["error"]["code"] == "too-large"


@pytest.mark.parametrize("request_", [
    "GET /api/v1/session HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET /api/v1/session HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "GET http://localhost/api/v1/session HTTP/1.1\r\nHost: elsewhere'\r\n\r\n",
    "CONNECT x:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
    "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n\r\n",
    "GET /%00%0d%0a HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /" + "a" * 20000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "\0\0\0\0\r\n\r\n",
], ids=lambda text: text[:12])
def test_odd_requests(web, request_):
    with web.tls() as client:
        client.sendall(request_.encode())
        answer = client.recv(4096)
    assert not answer or re.match(rb"HTTP/1\.[01] [45]\d\d ", answer), answer
    assert web.browser().get("//").status_code == 200


def test_viewer_file(fake):
    fake.answers.update(
        Get=lambda session, kind, id_: ({"id": id_, "name": "Anna’s PC: \"1\"\\n[x]"},),
        Connect=lambda session, desktop, options: ("a" * 32, "se=cr;et", 1))
    caller = fake.web.browser()
    caller.headers["Authorization"] = "Bearer " + "t" * 32
    answer = caller.get(f"/desktops/{DESKTOP}/desktop.vv", headers={"Host": "desk.example:8443"})
    assert answer.headers["Content-Type"] == "application/x-virt-viewer"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="Anna-s-PC-1-n-x.vv"'
    parser = configparser.ConfigParser(interpolation=None, delimiters=["="])
    parser.read_string(answer.text)
    viewer = parser["virt-viewer"]
    assert viewer["type"] == "spice" and viewer["host"] == "a" * 32 + ".carrel"
    assert viewer["proxy"] == "http://desk.example:8443" and "port" not in viewer
    assert viewer["password"].replace("\\;", ";") == "se=cr;et"
    assert viewer["ca"].replace("\\n", "\n").strip() == fake.web.certificate.read_text().strip()
    assert viewer["delete-this-file"] == "1" and viewer["secure-channels"] == "all"
    for host, proxy in (("[2001:db8::1]", "http://[2001:db8::1]:443"), ("192.0.2.1", "http://192.0.2.1:443")):
        assert f"proxy={proxy}\n" in caller.get(f"/desktops/{DESKTOP}/desktop.vv", headers={"Host": host}).text


# --- streams ---

def test_events_come_and_go_on_where_they_ended(fake):
    fake.answers["Subscribe"] = lambda session, since: (7,)
    caller = fake.web.browser()
    caller.headers["Authorization"] = "Bearer " + "t" * 32
    with caller.get("/events?since=5", stream=True) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
        assert next(lines) == "retry: 1000" and next(lines) == ""
        fake.send(7, "desktop", desktop=DESKTOP, state="running\nevent: forged")
        fake.send(8, "desktop", desktop="another's")
        fake.send(7, "things", sequence=12)
        assert [next(lines) for _ in range(3)] == \
            ["event: desktop", f'data: {{"desktop":"{DESKTOP}","state":"running\\u000aevent: forged"}}', ""]
        assert [next(lines) for _ in range(4)] == ["event: things", "id: 12", 'data: {"sequence":12}', ""]
        fake.send(7, "session", ended="signed out")
        assert [next(lines) for _ in range(3)] == ["event: session", 'data: {"ended":"signed out"}', ""]
        assert list(lines) == []
    assert ("Subscribe", ("t" * 32, 5)) in fake.calls
    caller.get("/events?since=5", headers={"Last-Event-ID": "12"}, stream=True).close()
    assert ("Subscribe", ("t" * 32, 12)) in fake.calls


def wait_for(wanted, what):
    end = time.monotonic() + 60
    while not wanted():
        assert time.monotonic() < end, f"{what} never came"
        time.sleep(0.02)


def test_listener_that_does_not_read_is_cut(fake):
    fake.answers["Subscribe"] = lambda session, since: (7,)
    fake.answers["Unsubscribe"] = lambda subscription: ()
    before = fake.web.memory()
    client = fake.web.tls()
    client.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + b"t" * 32 + b"\r\n\r\n")
    wait_for(lambda: any(call == "Subscribe" for call, _ in fake.calls), "Subscribe")
    time.sleep(0.2)
    for _ in range(400):
        fake.send(7, "desktop", text="x" * 100_000)
    wait_for(lambda: ("Unsubscribe", (7,)) in fake.calls, "Unsubscribe")
    assert fake.web.memory() - before < 24 << 20
    client.close()


def test_listener_that_goes_is_forgotten(fake):
    fake.answers["Subscribe"] = lambda session, since: (7,)
    fake.answers["Unsubscribe"] = lambda subscription: ()
    caller = fake.web.browser()
    caller.headers["Authorization"] = "Bearer " + "t" * 32
    caller.get("/events", stream=True).close()
    wait_for(lambda: fake.send(7, "desktop", x=1) or ("Unsubscribe", (7,)) in fake.calls, "Unsubscribe")


def test_one_session_has_so_many_listeners(fake):
    fake.answers["Subscribe"] = lambda session, since: (len(fake.calls),)
    fake.answers["Unsubscribe"] = lambda subscription: ()
    caller = fake.web.browser()
    caller.headers["Authorization"] = "Bearer " + "t" * 32
    streams = [caller.get("/events", stream=True) for _ in range(33)]
    assert [each.status_code for each in streams] == [200] * 32 + [429]
    other = fake.web.browser()
    assert other.get("/events", headers={"Authorization": "Bearer " + "u" * 32}, stream=True).status_code == 200
    streams[0].close()
    wait_for(lambda: [fake.send(number, "desktop", x=1) for number in range(40)] and
             caller.get("/events", stream=True).status_code == 200, "room")


def test_upload_flows_and_stops_with_the_pipe(fake):
    got = []

    def upload(session, image, size):
        reader, writer = os.pipe()
        got.append((size, reader))
        return (writer, "job-1")
    fake.answers["Upload"] = upload
    caller = fake.web.browser()
    caller.headers["Authorization"] = "Bearer " + "t" * 32
    data = os.urandom(32 << 20)
    import threading
    answers = []
    before = fake.web.memory()
    thread = threading.Thread(target=lambda: answers.append(caller.put(f"/images/{DESKTOP}/content", data=data)))
    thread.start()
    wait_for(lambda: got, "Upload")
    time.sleep(0.5)  # nobody reads the pipe: nothing may pile up
    assert fake.web.memory() - before < 8 << 20
    with os.fdopen(got[0][1], "rb") as reader:
        assert reader.read() == data
    thread.join(60)
    assert got[0][0] == len(data)
    assert answers[0].status_code == 202 and answers[0].json() == {"job": "job-1"}


def test_upload_whose_reader_goes_fails(fake):
    def upload(session, image, size):
        reader, writer = os.pipe()
        os.close(reader)
        return (writer, "job-1")
    fake.answers["Upload"] = upload
    caller = fake.web.browser()
    caller.headers["Authorization"] = "Bearer " + "t" * 32
    answer = caller.put(f"/images/{DESKTOP}/content", data=os.urandom(1 << 20))
    assert answer.status_code == 500 and answer.json()["error"]["code"] == "failed"
