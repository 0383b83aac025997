# SPDX-License-Identifier: Apache-2.0
"""carrel-web beside a carreld, and its callers: a browser's session of cookies, a script's with a token."""
import re
import signal
import socket
import ssl
import subprocess
import time

import requests



class Web:
    """A running carrel-web. Keys of its configuration may be changed before a start."""

    def __init__(self, folder, program, carreld_socket):
        self.folder, self.program = folder, program
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        self.keys = {"listen": "127.0.0.1:0", "carreld": carreld_socket, "certificate": self.certificate, "key": self.key}
        self.process = None
        self.port = None

    def start(self, **more):
        config = self.folder / "web.conf"
        config.write_text("[web]\n" + "".join(f"{key}={value}\n" for key, value in self.keys.items()))
        with open(self.folder / "carrel-web.log", "wb") as log:
            self.process = subprocess.Popen([self.program, "--config", config], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, **more)
        self._wait_until_it_listens()
        return self

    def _wait_until_it_listens(self):
        end = time.monotonic() + 60
        while not (found := re.search(r"listening on .*:(\d+)", self.log())):
            assert self.process.poll() is None and time.monotonic() < end, f"carrel-web does not listen:\n{self.log()}"
            time.sleep(0.01)
        self.port = int(found[1])

    def log(self):
        return (self.folder / "carrel-web.log").read_text(errors="replace")

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def browser(self):
        """Nobody yet, who trusts this host."""
        return Caller(self)

    def signed_in(self, name, password, client="web"):
        return Caller(self).sign_in(name, password, client)

    def raw(self):
        """A socket to the port."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def tls(self, raw=None):
        """TLS on it, with the certificate checked."""
        context = ssl.create_default_context(cafile=self.certificate)
        return context.wrap_socket(raw or self.raw(), server_hostname="localhost")

    def memory(self):
        """Bytes that are its own."""
        text = open(f"/proc/{self.process.pid}/smaps_rollup").read()
        return sum(int(kb) for kb in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.M)) * 1024

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        self.process.terminate()
        return self.process.wait(60)

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)


class Caller(requests.Session):
    """Paths are below /api/v1, unless they begin with it or with "https:"."""

    def __init__(self, web):
        super().__init__()
        self.web = web
        self.verify = str(web.certificate)
        self.trust_env = False

    def request(self, method, path, **more):
        if not path.startswith("https:"):
            path = self.web.url + ("/api/v1" + path if not path.startswith("//") else path[1:])
        return super().request(method, path, timeout=60, **more)

    def sign_in(self, name, password, client="web"):
        answer = self.post("/session", json={"name": name, "password": password, "client": client})
        assert answer.status_code == 201, answer.text
        if client == "web":
            self.headers["X-Carrel-CSRF"] = self.get("/session").json()["csrf"]
        else:
            self.headers["Authorization"] = "Bearer " + answer.json()["token"]
        return self
