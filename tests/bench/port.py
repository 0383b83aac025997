# SPDX-License-Identifier: Apache-2.0
"""
The figures of the port: a real carrel-web, before a real carreld for the API, before one that gives sockets of ours for the tunnels.
There is no QEMU beside it.

A measurement gets the folder, and returns {figure name: samples}.
"""
import http.client
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

OFFICE = pathlib.Path(__file__).resolve().parents[1] / "office"
sys.path += [str(OFFICE), str(OFFICE / "browser")]

import office  # noqa: E402
from fake import FakeCarreld  # noqa: E402
from page import WebDriverWait, start_chromium  # noqa: E402
from ways import TICKET, raw_websocket, read, tunnel  # noqa: E402
from web import Web  # noqa: E402

MIB, MS = 1 << 20, 1e3
CARRIED = 2000 * MIB
ROUND_TRIPS = 3000
TUNNELS = 100
READS = 500
VISITS = 5

# When there is something to fill in, and it has been painted.
USABLE = """
new MutationObserver((changes, observer) => {
  if (!document.querySelector("form input")) return;
  observer.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => { window.usable = performance.now(); }));
}).observe(document, { childList: true, subtree: true });
"""


def program():
    return pathlib.Path(os.environ["CARREL_BUILD"]) / "web-ui/carrel-web"


class Port:
    """A carrel-web whose desktops are sockets: .desktops."""

    def __init__(self, folder):
        self.desktops = []
        self.daemon = FakeCarreld(folder / "carreld.socket", OpenTunnel=self.open_tunnel,
                                  Subscribe=lambda session, since: (len(self.daemon.calls),))
        self.web = Web(folder, program(), folder / "carreld.socket")

    def open_tunnel(self, ticket, client):
        assert ticket == TICKET
        ours, theirs = socket.socketpair()
        self.desktops.append(ours)
        return (theirs.detach(),)

    def __enter__(self):
        self.web.start()
        return self

    def __exit__(self, *_):
        self.web.end()
        self.daemon.end()

    def cpu(self):
        """Seconds that it has computed."""
        fields = pathlib.Path(f"/proc/{self.web.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def carry(port, source, sink):
    """GB that carrel-web carries from one socket to another in a second of a processor's."""
    piece = bytes(MIB)
    room = bytearray(MIB)
    thread = threading.Thread(target=lambda: [source.sendall(piece) for _ in range(CARRIED // MIB)])
    began = port.cpu()
    thread.start()
    got = 0
    while got < CARRIED:
        got += sink.recv_into(room)
    thread.join()
    return CARRIED / 1e9 / (port.cpu() - began)


def cipher():
    """GB/s of the same cipher alone, in records of the same size."""
    text = subprocess.run(["openssl", "speed", "-seconds", "1", "-bytes", "16384", "-evp", "aes-128-gcm"],
                          capture_output=True, text=True, check=True).stdout
    return float(re.search(r"^AES-128-GCM\s+([\d.]+)k", text, re.M)[1]) * 1000 / 1e9


def throughput(folder):
    with Port(folder) as port:
        client = tunnel(port.web)
        browser = raw_websocket(port.web)
        return {"tunnel_down": [carry(port, port.desktops[0], client)],
                "tunnel_up": [carry(port, client, port.desktops[0])],
                "tunnel_websocket": [carry(port, port.desktops[1], browser)],
                "cipher": [cipher()]}


def echo(desktop):
    def run():
        try:
            while data := desktop.recv(4096):
                desktop.sendall(data)
        except OSError:
            pass
    threading.Thread(target=run, daemon=True).start()


def round_trips(client):
    samples = []
    for _ in range(ROUND_TRIPS):
        began = time.perf_counter()
        client.sendall(bytes(32))
        read(client, 32)
        samples.append((time.perf_counter() - began) * MS)
    return sorted(samples)[ROUND_TRIPS // 2]


def latency(folder):
    """Milliseconds that the way there takes longer than a socket alone: half of what a round trip does."""
    with Port(folder) as port:
        client = tunnel(port.web)
        here, there = socket.socketpair()
        echo(port.desktops[0])
        echo(there)
        return {"tunnel_latency": [(round_trips(client) - round_trips(here)) / 2]}


def memory(folder):
    """With a tunnel and a listener for events for each of 100 desktops."""
    with Port(folder) as port:
        listeners, tunnels = [], []
        for _ in range(TUNNELS):
            caller = port.web.browser()
            caller.headers["Authorization"] = "Bearer " + "t" * 32
            listeners.append(caller.get("/events", stream=True))
            tunnels.append(tunnel(port.web))
            echo(port.desktops[-1])
        for client in tunnels:
            client.sendall(bytes(100_000))
            read(client, 100_000)
        pages = int(pathlib.Path(f"/proc/{port.web.process.pid}/statm").read_text().split()[1])
        return {"web_memory": [pages * os.sysconf("SC_PAGESIZE") / MIB]}


def page(folder):
    """kB of all that a first visit loads, as browsers get it."""
    with Port(folder) as port:
        browser = port.web.browser()
        html = browser.get("//")
        files = re.findall(r'(?:src|href)="(/[^"]+)"', html.text)
        answers = [html] + [browser.get("/" + name) for name in files]
        return {"page_size": [sum(int(answer.headers["Content-Length"]) for answer in answers) / 1000],
                "page_usable": visits(f"https://localhost:{port.web.port}/")}


def visits(address):
    """Milliseconds from the order to go there to a page that can be used, each time with nothing kept of the last."""
    driver = start_chromium()
    try:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": USABLE})
        took = []
        for _ in range(VISITS):
            driver.execute_cdp_cmd("Network.clearBrowserCache", {})
            driver.get("about:blank")
            driver.get(address)
            took.append(WebDriverWait(driver, 30, 0.05).until(lambda driver: driver.execute_script("return window.usable")))
        return took
    finally:
        driver.quit()


def timed(connection, path, headers):
    """Milliseconds from a request to the last byte of its answer, on a connection that is there."""
    began = time.perf_counter()
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    return (time.perf_counter() - began) * MS


def reads(folder):
    """One caller, one request at a time, in a house of 5,000 users and 10,000 desktops."""
    with office.Host(folder) as host:
        desktops = office.fill(host)
        host.console.make("user", name="ada", role="admin", password="a carrel of one's own")
        web = Web(folder, program(), host.daemon.socket).start()
        try:
            caller = web.signed_in("ada", "a carrel of one's own", "api")
            headers = {"Authorization": caller.headers["Authorization"]}
            connection = http.client.HTTPSConnection("localhost", web.port,
                                                     context=ssl.create_default_context(cafile=web.certificate))
            page = [timed(connection, "/api/v1/desktops?limit=100", headers) for _ in range(READS)]
            one = [timed(connection, f"/api/v1/desktops/{desktop}", headers) for desktop in desktops[:READS]]
            found = [timed(connection, f"/api/v1/desktops?limit=100&search=SK%20{i}", headers) for i in range(READS)]
        finally:
            web.end()
    return {"api_page": page, "api_thing": one, "api_search": found}
