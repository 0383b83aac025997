# SPDX-License-Identifier: Apache-2.0
"""The page's SPICE client (web-ui/static/spice) in a real browser, before a server under test.

A small HTTP server on the loopback gives the client's files as they are, and leads a WebSocket at /spice to the producer's
socket. What the client does is asked for in JavaScript, with the session at window.session.
"""
import base64
import http.server
import io
import pathlib
import select
import socket
import threading

import numpy
from PIL import Image
from selenium import webdriver

STATIC = pathlib.Path(__file__).resolve().parents[2] / "web-ui" / "static"
PAGE = b"""<!doctype html><meta charset=utf-8><title>client</title><style>body { margin: 0 }</style>
<div id=screens style="width: 100vw; height: 100vh; display: flex"></div>
<script type=module src=/tests.js></script>"""
SCRIPT = b"""
import { Session } from "/spice/session.js";
import { Screens } from "/js/viewer/screens.js";
window.told = [];
window.connect = async (password = "") => {
  const tell = (...what) => { window.told.push(what); };
  const screens = window.screens = new Screens(document.getElementById("screens"), { session: () => window.session, onLeave: () => tell("left") });
  const session = window.session = new Session({ url: `ws://${location.host}/spice`, password, events: {
    surface: (id, canvas) => { screens.surface(id, canvas); tell("surface", id, canvas.width, canvas.height); },
    cursor: (shape) => { screens.setCursor(shape); tell("cursor", shape); },
    mouse: (absolute) => { screens.setAbsolute(absolute); tell("mouse", absolute); },
    agent: (there) => tell("agent", there), ready: () => { screens.askForSize(); tell("ready"); },
    clipboard: (text) => tell("clipboard", text), ended: (error, channel) => tell("ended", error.message, channel?.type),
  } });
  await session.open();
};
window.ready = true;
"""
TYPES = {".js": "text/javascript", ".mjs": "text/javascript"}
# No inline script, no eval: what carrel-web allows the page, and "unsafe-inline" for the style of this test's own page.
POLICY = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data: blob:; connect-src 'self'"


class Handler(http.server.BaseHTTPRequestHandler):
    producer = None  # where WebSockets go

    def do_GET(self):
        if self.headers.get("Upgrade"):
            return self.tunnel()
        own = {"/": ("text/html", PAGE), "/tests.js": ("text/javascript", SCRIPT)}.get(self.path)
        file = STATIC / self.path.lstrip("/")
        if not own and not (file.suffix in TYPES and file.is_file()):
            return self.send_error(404)
        type_, body = own or (TYPES[file.suffix], file.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)
        return None

    def tunnel(self):
        self.close_connection = True
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self.producer.path)
            head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
            server.sendall(f"GET / HTTP/1.1\r\n{head}\r\n".encode())
            ends = {server: self.connection, self.connection: server}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    try:
                        data = end.recv(1 << 18)
                        if data:
                            ends[end].sendall(data)
                    except OSError:
                        data = b""
                    if not data:
                        return

    def log_message(self, *_):
        pass


def start_chromium(width=1280, height=860, profile=None):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--ignore-certificate-errors",
                     "--disable-dev-shm-usage", f"--window-size={width},{height}"):
        options.add_argument(argument)
    if profile:
        options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))


class Browser:
    """The client in a browser; one for the whole run, each test connects anew."""

    def __init__(self):
        handler = self.handler = type("Tunnel", (Handler,), {})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.driver = start_chromium()
        self.driver.set_script_timeout(20)

    def connect(self, producer, password=""):
        self.handler.producer = producer
        self.driver.get(f"http://127.0.0.1:{self.server.server_port}/")
        self.until("return window.ready")
        return self.driver.execute_async_script(
            "const done = arguments[1]; connect(arguments[0]).then(() => done(''), (error) => done(error.message))", password)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def until(self, script, *arguments, seconds=20):
        """Waits until the script returns something that is true, and returns that."""
        from selenium.webdriver.support.ui import WebDriverWait
        return WebDriverWait(self.driver, seconds, 0.05).until(lambda driver: driver.execute_script(script, *arguments))

    def told(self, what):
        """Waits until the session told of it, and returns with what; it is not told again."""
        return self.until("const i = told.findIndex((one) => one[0] === arguments[0]); return i < 0 ? null : told.splice(i, 1)[0]", what)

    def pixels(self, display=0):
        """What the canvas shows: rows of 0xrrggbb."""
        url = self.run("const d = session.displays.get(arguments[0]); return d?.canvas ? d.canvas.toDataURL('image/png') : ''", display)
        if not url:
            return None
        image = numpy.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")).astype(numpy.uint32)
        return image[:, :, 0] << 16 | image[:, :, 1] << 8 | image[:, :, 2]

    def until_shows(self, drawn, display=0, near=0):
        """near: by how much a colour may differ, of what was sent as a film."""
        shown = None
        for _ in range(200):
            shown = self.pixels(display)
            if shown is not None and shown.shape == drawn.shape and difference(shown, drawn) <= near:
                return
        raise AssertionError(f"shows something else: {None if shown is None else shown.shape}")

    def complaints(self):
        return [line["message"] for line in self.driver.get_log("browser") if line["level"] == "SEVERE" and "favicon" not in line["message"]]

    def close(self):
        self.driver.quit()
        self.server.shutdown()


def difference(a, b):
    parts = [numpy.abs((a >> shift & 255).astype(int) - (b >> shift & 255).astype(int)) for shift in (0, 8, 16)]
    return max(int(part.max()) for part in parts)
