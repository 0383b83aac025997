# SPDX-License-Identifier: Apache-2.0
"""A real carreld whose host is a folder."""
import configparser
import os
import pathlib
import signal
import subprocess
import time

from host import Connection, Session

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("CARREL_BUILD", HERE.parents[1] / "build"))
PASSWORD = "a carrel of one's own"


def config_text(groups):
    """{group: {key: value}} as a key file."""
    return "".join(f"[{group}]\n" + "".join(f"{key}={value}\n" for key, value in keys.items()) + "\n"
                   for group, keys in groups.items())


def is_there(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Carreld:
    """A daemon whose host is a folder. The groups of its configuration may be changed before a start."""

    def __init__(self, folder):
        self.folder = folder
        self.state, self.runtime = folder / "state", folder / "run"
        self.socket = self.runtime / "carreld.socket"
        self.config = folder / "carreld.conf"
        self.groups = {
            "host": {"name": "desk1", "state": self.state, "runtime": self.runtime},
            "sign-in": {"password-cost": 3},
            "storage": {"import-helper": BUILD / "appliance/storage/carrel-confine", "keep-free": 0},
            "network": {"manage": "false"},
            "desktops": {"vmm": BUILD / "carrel-vmm"},
        }
        self.within = []  # what it is run behind
        self.behind = []  # what it is run behind
        self.process = None
        self.connections = []

    def write_config(self):
        self.config.write_text(config_text(self.groups))

    def start_only(self):
        """Does not wait until it serves."""
        self.write_config()
        with open(self.folder / "carreld.log", "ab") as log:
            self.process = subprocess.Popen([*self.within, BUILD / "appliance/daemon/carreld", "--config", self.config],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        self.start_only()
        self._wait_until_it_serves()
        return self

    def _wait_until_it_serves(self):
        end = time.monotonic() + 60
        while True:
            try:
                Connection(self.socket).close()
                return
            except Exception:  # whatever a socket that is not there yet, or was another daemon's, says
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"carreld does not serve:\n{self.log()}") from None
                time.sleep(0.01)

    def log(self):
        return (self.folder / "carreld.log").read_text(errors="replace")

    def connect(self):
        self.connections.append(Connection(self.socket))
        return self.connections[-1]

    def console(self):
        return Session(self.connect())

    def first_password(self):
        parser = configparser.ConfigParser(interpolation=None, delimiters=["="])
        parser.read(self.state / "first-password")
        return parser["first administrator"]["password"]

    def signed_in(self, name, password=PASSWORD, **client):
        connection = self.connect()
        token, step = connection.SignIn(name, password, {"address": "192.0.2.7", "kind": "web", **client})
        assert step == ""
        return Session(connection, token)

    def stop(self):
        """Asks it to end; its exit status."""
        self.process.terminate()
        return self.process.wait(60)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def restart(self):
        assert self.stop() == 0
        return self.start()

    def vmms(self):
        """{desktop: pid} of those that run, which they do without the daemon too."""
        found = {}
        for record in (self.runtime / "desktops").glob("*/record"):
            keys = dict(line.split("=", 1) for line in record.read_text().splitlines() if "=" in line)
            if "pid" in keys and is_there(int(keys["pid"])):
                found[record.parent.name] = int(keys["pid"])
        return found

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill()
        for pid in self.vmms().values():
            os.kill(pid, signal.SIGKILL)
