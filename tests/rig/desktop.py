# SPDX-License-Identifier: Apache-2.0
"""
A desktop in the host: the guest image under one of the VMMs, its SPICE server on a loopback port of ours, and commands
run inside it. It survives the host's being saved: give the object to the restored host with move().
"""

import contextlib
import pathlib
import sys
import time

from . import spoilt
from .agent import Agent, Failed

# Lean kernel settings for an emulated guest, where every trap is expensive and nobody is to be protected from.
EMULATED_CMDLINE = "mitigations=off tsc=reliable cryptomgr.notests rcupdate.rcu_expedited=1"

# The desktop is there when its panel and its wallpaper are on the screen.
PANEL = ("until xdotool search --onlyvisible --class tint2 >/dev/null 2>&1 &&"
         " xprop -root _XROOTPMAP_ID | grep -q '(PIXMAP)'; do sleep 0.3; done")

# A terminal is ready for typing when its shell has named the window it has the focus in.
TERMINAL = 'until [ "$(xdotool getactivewindow getwindowname 2>/dev/null)" = "desk@desk: ~" ]; do sleep 0.2; done'

# Silence of the guest after which it is looked at: a boot takes about a minute in an emulated host.
SILENCE_SECONDS = 60

# Waits for an address of the network card, and prints it.
ADDRESS = "until ip -4 -brief address show scope global up | grep -o '[0-9.]*/[0-9]*'; do sleep 0.2; done"


class Desktop:
    """See start(). Paths are the host's. spice_host_port: the host's TCP port behind ours, each desktop's own."""

    def __init__(self, host, vmm, cmdline, name="desk", memory_mib=1024, vcpus=2, disk="/dev/vdb", data_disk=None,
                 ticket=None, network=False, tpm=False, monitors=1, emulated=True, spice_host_port=5900, firmware=None,
                 usb_input=False, menu_wait=0):
        self.firmware = firmware  # "uefi", "secure" (UEFI with Secure Boot) or "bios"; None: its kernel is booted
        self.usb_input = usb_input  # with firmware: keyboard and tablet are on USB, and none on virtio
        self.menu_wait = menu_wait  # seconds in which firmware takes the key that calls its menu
        self.host, self.vmm, self.name = host, vmm, name
        self.memory_mib, self.vcpus = memory_mib, vcpus
        self.disk, self.data_disk = disk, data_disk
        self.ticket, self.network, self.tpm, self.monitors = ticket, network, tpm, monitors
        self.folder = pathlib.PurePosixPath("/run/desktop") / name
        # An emulated guest would take seconds to unpack its kernel; elsewhere it is what a person would boot.
        self.kernel = "/srv/guest/vmlinux" if emulated else "/srv/guest/vmlinuz"
        self.cmdline = f"{cmdline} {EMULATED_CMDLINE}" if emulated else cmdline
        self.agent = None
        self._emulated = emulated
        self.spice_port = None
        self._host_port = spice_host_port

    def start(self, restore=None, again=False):
        """
        Starts the VMM, from a saved file where one is given, and opens the SPICE port. again: with what it keeps beside its
        disk, UEFI's variables and the TPM's state.
        """
        old = f"{self.folder}/spice {self.folder}/test" if again else self.folder
        self.host.run(f"rm -rf {old} && mkdir -p {self.folder} && chmod 0777 {self.folder}")
        command = self.vmm.command(self, restore)
        self.host.write(f"{self.folder}/start", f"exec {command}\n")
        self.host.run(f"systemd-run --quiet --unit=desktop-{self.name} --collect"
                      f" -p StandardOutput=append:{self.folder}/vmm.log -p StandardError=append:{self.folder}/vmm.log"
                      f" -p LimitNOFILE=65536 sh {self.folder}/start")
        self.host.wait_until(lambda: self.host.succeeds(f"test -S {self.folder}/spice && test -S {self.folder}/test")
                             or not self.alive(), "the desktop's sockets", 60)
        if not self.alive():
            raise RuntimeError(f"the VMM ended at once: {self.words() or self.host.run('journalctl -n 5 --no-pager')}")
        if not self.host.succeeds(f"systemctl is-active -q spice-{self.name}"):
            # A Unix socket cannot be forwarded by the emulator, a TCP port can.
            self.host.run(f"systemd-run --quiet --unit=spice-{self.name} --collect socat"
                          f" TCP-LISTEN:{self._host_port},bind=10.0.2.15,reuseaddr,fork,nodelay"
                          f" UNIX-CONNECT:{self.folder}/spice;"
                          f" until ss -Hltnp sport = {self._host_port} |"
                          f' grep -q "pid=$(systemctl show -P MainPID spice-{self.name}),"; do sleep 0.1; done')
        self._open()
        return self

    def _open(self):
        if self.spice_port is None:
            self.spice_port = self.host.forward(self._host_port)
        if self.agent:
            self.agent.close()
        self.agent = Agent(self.host, f"{self.folder}/test")

    def move(self, host):
        """The host was saved and restored: this is it now."""
        self.host, self.spice_port = host, None
        self._open()

    def _ask_until(self, ask, patience, timeout):
        """Calls ask(patience) until it returns, for `timeout` seconds. spoilt.Spoilt when the emulator is why it does not."""
        deadline = time.monotonic() + timeout
        look_at = time.monotonic() + SILENCE_SECONDS
        while True:
            try:
                return ask(patience)
            except Failed:
                now = time.monotonic()
                if now >= look_at:
                    self.look_into_silence()
                    look_at = time.monotonic() + SILENCE_SECONDS
                if not self.alive() or now > deadline:
                    raise RuntimeError(f"the guest does not answer; its console ends:\n{self.console()[-2000:]}\n"
                                       f"the VMM said:\n{self.words()}") from None

    def look_into_silence(self):
        """Leaves among the logs what KVM does with a guest that says nothing; spoilt.Spoilt when the emulator is why."""
        if self._emulated:
            spoilt.check(self.host, f"{self.folder}/silence.log")

    def wait_for_agent(self, timeout=300):
        """Waits until commands can be run in the guest."""
        self._ask_until(self.agent.wait, 10, timeout)

    def wait_until_usable(self, timeout=420):
        """Waits until a person could start to work: the panel is drawn."""
        started = time.monotonic()
        self.wait_for_agent(timeout)
        self._ask_until(lambda patience: self.run(PANEL, timeout=patience), SILENCE_SECONDS,
                        max(10, timeout - (time.monotonic() - started)))

    def wait_for_console(self, words, timeout, count=1):
        """Waits until the guest has printed `words` so many times."""
        def ask(patience):
            deadline = time.monotonic() + patience
            while self.console().count(words) < count:
                if time.monotonic() > deadline or not self.alive():
                    raise Failed(words)
                time.sleep(0.2)

        self._ask_until(ask, 10, timeout)

    def boot(self, look=None, until=None):
        """
        Starts the VMM and waits until the desktop is usable, or as until() waits. A boot that the emulator spoils is made once
        more. look() is called when the VMM has started.
        """
        try:
            self._boot(look, until or self.wait_until_usable)
        except spoilt.Spoilt as fault:
            print(f"==> {fault}; the desktop is booted once more", file=sys.stderr, flush=True)
            self.end()
            self._boot(look, until or self.wait_until_usable)
        return self

    def _boot(self, look, until):
        self.start()
        if look:
            look()
        until()

    def run(self, script, user="desk", timeout=60, check=True):
        """Runs a bash script in the guest; returns what it printed."""
        return self.agent.run(script, user, timeout, check)

    def alive(self):
        return self.host.succeeds(f"systemctl is-active -q desktop-{self.name}")

    def words(self):
        """What the VMM printed."""
        return self.host.run(f"cat {self.folder}/vmm.log", check=False)

    def console(self):
        """What the guest printed on its serial console."""
        return self.host.run(f"cat {self.folder}/serial.log", check=False)

    def logs(self, into):
        """Collects what helps to find a fault: the picture, and what the guest's journal, X server and process list say."""
        into = pathlib.Path(into)
        into.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(Exception):
            self.vmm.screenshot(self, f"{self.folder}/logs.png")
            (into / "desktop.png").write_bytes(self.host.read(f"{self.folder}/logs.png"))
        with contextlib.suppress(Exception):
            (into / "guest.log").write_text(self.run(
                "journalctl -b --no-pager; ps axfww -o pid,stat,time,wchan,args; cat ~desk/.local/share/xorg/Xorg.0.log",
                "root", check=False))

    def end(self):
        """Ends the VMM, politely first."""
        if self.agent:
            self.agent.close()
            self.agent = None
        with contextlib.suppress(Exception):
            self.host.run(f"systemctl stop desktop-{self.name} spice-{self.name}", timeout=60)
