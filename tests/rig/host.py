# SPDX-License-Identifier: Apache-2.0
"""
A booted host: run a command in it, copy files, forward a port, save and restore it.

Commands travel over ssh, one connection shared by all (a new one costs an emulated host half a second). The connection ends
with us or with the machine; a restored host is simply connected to anew.
"""

import fcntl
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from . import process
from .machine import Machine, free_port, is_free

CACHE = pathlib.Path(os.environ.get("CARREL_CACHE", "/var/cache/carrel")) / "rig"
SSH = 22

# The emulator cannot load a processor that was saved while inside a nested guest, so desktops stand still meanwhile.
_EACH = "for unit in $(systemctl list-units --plain --no-legend 'desktop-*.service' | cut -d' ' -f1); do systemctl %s $unit; done"
FREEZE = _EACH % "freeze"
THAW = _EACH % "thaw"


class Failed(RuntimeError):
    """A command in the host did not exit 0."""


def new_folder():
    """A folder for one run, with those of runs that died removed. Its lock is held as long as this process lives."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for old in CACHE.glob("run-*"):
        with open(old / "lock", "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(old, ignore_errors=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
    lock = open(folder / "lock", "ab")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return folder, lock


class Host:
    """Boots from the images, or restores `state`; usable as a context manager, which ends it."""

    def __init__(self, shape, key, state=None, outside=False, say=print):
        """key: the image folder that holds the ssh key. outside: desktops may reach the real network."""
        self._key = key
        self._say = say
        self.folder, self._lock = new_folder()
        self._connection = None
        self.machine = None
        started = time.monotonic()
        try:
            self._ssh_port = free_port()
            self.machine = Machine(shape, self.folder, {SSH: self._ssh_port}, outside, state)
            self._connect(timeout=180 if shape.accelerator.emulated else 60)
            if state:
                self.run(f"date -s @{time.time():.3f}; {THAW}", timeout=30)
        except BaseException:
            self.close()
            raise
        self.seconds_to_shell = time.monotonic() - started
        say(f"host {'restored' if state else 'booted'} in {self.seconds_to_shell:.1f} s")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _ssh(self, *more):
        return ["ssh", "-F", "none", "-S", self.folder / "ssh", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", *more]

    def _connect(self, timeout):
        deadline = time.monotonic() + timeout
        while not self._greeted():
            if not self.machine.alive():
                raise Failed(f"the emulator ended\n{self.machine.log.read_text()}")
            if time.monotonic() > deadline:
                raise Failed(f"no ssh from the host within {timeout} s; its console is {self.machine.serial}")
            time.sleep(0.1)
        self._connection = process.spawn(
            self._ssh("-M", "-N", "-i", self._key / "key", "-p", str(self._ssh_port),
                      "-o", f"UserKnownHostsFile={self._key / 'known_hosts'}", "-o", "HostKeyAlias=carrel-host",
                      "-o", "GlobalKnownHostsFile=none", "-o", "IdentitiesOnly=yes", "root@127.0.0.1"),
            self.folder / "ssh.log")
        while not (self.folder / "ssh").exists():
            if self._connection.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"ssh to the host failed: {(self.folder / 'ssh.log').read_text()}")
            time.sleep(0.02)

    def _greeted(self):
        """Whether the host's ssh server says its first word."""
        try:
            with socket.create_connection(("127.0.0.1", self._ssh_port), 2) as probe:
                probe.settimeout(5)
                return probe.recv(4) == b"SSH-"
        except OSError:
            return False

    def command(self, script):
        """The local command line that runs a shell script in the host."""
        return self._ssh("-o", "ProxyCommand=false", "host", script)

    def run(self, script, timeout=60, check=True, data=None):
        """Runs a shell script in the host; returns its standard output. Both outputs are in the error when it fails."""
        done = subprocess.run([str(a) for a in self.command(script)], input=data if data is not None else b"",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise Failed(f"in the host: {script}\nexit status {done.returncode}\n{done.stdout.decode(errors='replace')}"
                         f"{done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="replace")

    def succeeds(self, script, timeout=60):
        """Whether a shell script exits 0 in the host."""
        done = subprocess.run([str(a) for a in self.command(script)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout, check=False)
        return done.returncode == 0

    def wait_until(self, condition, what, timeout):
        """Waits until condition() is true."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise Failed(f"{what}: not within {timeout} s")
            time.sleep(0.2)

    def write(self, path, data, mode=0o644):
        """Writes a file in the host."""
        self.run(f"umask 077 && mkdir -p $(dirname {path}) && cat >{path} && chmod {mode:o} {path}",
                 data=data.encode() if isinstance(data, str) else data)

    def read(self, path):
        """A file of the host, as bytes."""
        done = subprocess.run([str(a) for a in self.command(f"cat {path}")], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        if done.returncode != 0:
            raise Failed(done.stderr.decode(errors="replace"))
        return done.stdout

    def forward(self, port, mine=None):
        """Opens a loopback port of ours onto a TCP port of the host; returns ours. mine: which, if it is free."""
        mine = mine if mine and is_free(mine) else free_port()
        said = self.machine.monitor.execute(
            "human-monitor-command", **{"command-line": f"hostfwd_add net tcp:127.0.0.1:{mine}-10.0.2.15:{port}"})
        if said:
            raise Failed(f"the emulator cannot forward port {port}: {said}")
        return mine

    def logs(self, into):
        """Collects what helps to find a fault: consoles, journal, and the desktops' own words."""
        into = pathlib.Path(into)
        into.mkdir(parents=True, exist_ok=True)
        for source in (self.machine.serial, self.machine.log):
            if source.exists():
                shutil.copy(source, into / f"host-{source.name}")
        for name, script in (("host-journal.log", "journalctl -b --no-pager"),
                             ("desktops.log", "tail -n +1 /run/desktop/*/*.log 2>/dev/null || true")):
            try:
                (into / name).write_text(self.run(script, timeout=60, check=False))
            except (OSError, subprocess.SubprocessError) as error:
                (into / name).write_text(f"not to be had: {error}\n")

    def save(self, state):
        """Stops the host for good and leaves it in the folder `state`, from which it can be restored."""
        started = time.monotonic()
        self.run(f"sync; {FREEZE}")
        process.end(self._connection)
        self.machine.save(state)
        self._say(f"host saved in {time.monotonic() - started:.1f} s")
        self.close()

    def close(self):
        """Ends the host as a power cut would and removes its folder. Closed already is fine."""
        process.end(self._connection)
        if self.machine:
            self.machine.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()
