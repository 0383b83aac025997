# SPDX-License-Identifier: Apache-2.0
"""
The two VMMs that can run a desktop in the host: Carrel's own, and QEMU, which shows that a test itself is right.

An adapter turns a Desktop into a command line, and the control words of tests into those of its VMM. All files of a
desktop are in its folder in the host: test, spice, control (Unix sockets), serial.log, vmm.log.
"""

import hashlib
import pathlib
import shlex
import subprocess
import tempfile

from . import qmp


class Carrel:
    """carrel-vmm, brought in from a build folder."""

    name = "carrel"
    resumes_by_itself = True  # once a full disk has room again
    keeps_the_clock = True  # a restored guest's clock shows the time of now

    def __init__(self, build):
        self.binary = pathlib.Path(build) / "carrel-vmm"
        self.usb = ""  # groups of the configuration: what desktops without firmware have on USB

    def key(self):
        """Names this very program."""
        return hashlib.sha256(self.binary.read_bytes()).hexdigest()

    def install(self, host):
        """Copies the program into the host, without what only a debugger reads."""
        with tempfile.NamedTemporaryFile() as small:
            subprocess.run(["strip", "-o", small.name, self.binary], check=True)
            program = pathlib.Path(small.name).read_bytes()
        host.write("/usr/local/bin/carrel-vmm.new", program, 0o755)
        host.run("mv /usr/local/bin/carrel-vmm.new /usr/local/bin/carrel-vmm")  # an old one may be running still

    def _boot(self, desktop):
        if not desktop.firmware:
            return [f"kernel={desktop.kernel}", "initrd=/srv/guest/initrd.img", f"command-line={desktop.cmdline}"]
        menu = f"menu-wait={desktop.menu_wait}"
        if desktop.firmware == "bios":
            return ["firmware=bios", menu, "[usb]"]
        return ["firmware=uefi", menu, f"variables={desktop.folder}/variables",
                f"secure-boot={'true' if desktop.firmware == 'secure' else 'false'}", "[usb]"]

    def _config(self, desktop):
        lines = ["[desktop]", f"name={desktop.name}", f"memory={desktop.memory_mib}M", f"vcpus={desktop.vcpus}",
                 "[boot]", *self._boot(desktop),
                 "[disk system]", f"path={desktop.disk}", "serial=system", *(["boot-index=1"] if desktop.firmware else []),
                 "[port org.carrel.test]", f"socket={desktop.folder}/test",
                 "[spice]", f"socket={desktop.folder}/spice",
                 f"ticket={desktop.ticket}" if desktop.ticket else "no-ticket=true",
                 "[display]", f"scanouts={desktop.monitors}",
                 "[serial]", f"output=file:{desktop.folder}/serial.log",
                 "[control]", f"socket={desktop.folder}/control"]
        if desktop.data_disk:
            lines += ["[disk data]", f"path={desktop.data_disk}", "serial=data"]
        if desktop.network:
            lines += ["[net lan]", "backend=passt"]
        if desktop.usb_input:
            lines += ["[input]", "keyboard=false", "tablet=false", "mouse=false"]
        if not desktop.firmware:  # keys and pointer stay with virtio: clients' devices and what a test says are to be on USB
            lines += ["[usb]", "keyboard=false", "tablet=false", self.usb]
        if desktop.tpm:
            lines += ["[tpm]", f"socket={desktop.folder}/swtpm"]
        return "\n".join(lines) + "\n"

    def _with_tpm(self, desktop, command):
        """A TPM for the desktop, which ends with it. A restored desktop brings the state itself."""
        swtpm = (f"swtpm socket --tpm2 --tpmstate dir={desktop.folder}/tpm --terminate --daemon"
                 f" --ctrl type=unixio,path={desktop.folder}/swtpm --log file={desktop.folder}/swtpm.log")
        return shlex.join(["sh", "-c", f"mkdir -p {desktop.folder}/tpm && {swtpm} && exec {command}"])

    def command(self, desktop, restore=None):
        config = f"{desktop.folder}/desktop.conf"
        desktop.host.write(config, self._config(desktop))
        command = f"/usr/local/bin/carrel-vmm run {f'--restore {restore} ' if restore else ''}{config}"
        return self._with_tpm(desktop, command) if desktop.tpm else command

    def ctl(self, desktop, *words, data=None):
        """A verb of carrel-vmm ctl that must succeed, given data on its standard input; returns what it prints."""
        return desktop.host.run(shlex.join(["carrel-vmm", "ctl", f"{desktop.folder}/control", *words]), timeout=120,
                                data=data)

    def state(self, desktop):
        """"running", "paused", … and a sentence why."""
        fields = dict(line.split(":", 1) for line in self.ctl(desktop, "status").splitlines() if ":" in line)
        return fields["state"].split()[0], fields.get("reason", "").strip()

    def power_button(self, desktop):
        self.ctl(desktop, "power-button")

    def resume(self, desktop):
        self.ctl(desktop, "resume")

    def stop(self, desktop):
        self.ctl(desktop, "stop")

    def save(self, desktop, path):
        self.ctl(desktop, "save", path)

    def screenshot(self, desktop, path):
        self.ctl(desktop, "screenshot", path)

    def set_ticket(self, desktop, ticket, seconds=0):
        """The password from now on, for so many seconds (0: until changed)."""
        self.ctl(desktop, "ticket", str(seconds), data=ticket.encode() + b"\n")

    def resize_disk(self, desktop, _size):
        """The data disk's image has another size."""
        self.ctl(desktop, "resize", "data")


class Qemu:
    """Debian's QEMU in the host image."""

    name = "qemu"
    resumes_by_itself = False
    keeps_the_clock = False

    def __init__(self, build):
        """It needs nothing of the build."""

    def key(self):
        return "as in the host image"

    def install(self, host):
        """It is in the image."""

    def _boot(self, desktop):
        if not desktop.firmware:
            return ["-kernel", desktop.kernel, "-initrd", "/srv/guest/initrd.img", "-append", desktop.cmdline,
                    "-device", "qemu-xhci"]
        usb = ["-device", "qemu-xhci", "-device", "usb-kbd", "-device", "usb-tablet"]
        if desktop.menu_wait:
            usb += ["-boot", f"menu=on,splash-time={desktop.menu_wait * 1000}"]
        if desktop.firmware == "bios":
            return usb
        code, variables = {"uefi": ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
                           "secure": ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd")}[desktop.firmware]
        own = f"{desktop.folder}/variables"
        desktop.host.run(f"test -e {own} || cp /usr/share/OVMF/{variables} {own}")
        return [*usb, "-machine", f"smm={'on' if desktop.firmware == 'secure' else 'off'}",
                "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/{code}",
                "-drive", f"if=pflash,unit=1,format=raw,file={own}"]

    def command(self, desktop, restore=None):
        def disk(name, path, order=""):
            # Told to stop at an error, as Carrel does by default.
            return ["-drive", f"if=none,id={name},file={path},format=raw,cache=writeback,werror=stop,rerror=stop",
                    "-device", f"virtio-blk-pci,drive={name},serial={name}{order}"]

        command = ["qemu-system-x86_64", "-M", "q35", "-accel", "kvm", "-cpu", "host", "-smp", str(desktop.vcpus),
                   "-m", str(desktop.memory_mib), "-nodefaults", "-no-user-config", "-display", "none",
                   *self._boot(desktop), *disk("system", desktop.disk, ",bootindex=1" if desktop.firmware else ""),
                   "-device", f"virtio-gpu-pci,max_outputs={desktop.monitors}", "-device", "virtio-serial-pci",
                   "-chardev", f"socket,id=test,path={desktop.folder}/test,server=on,wait=off",
                   "-device", "virtserialport,chardev=test,name=org.carrel.test",
                   "-chardev", "spicevmc,id=agent,name=vdagent",
                   "-device", "virtserialport,chardev=agent,name=com.redhat.spice.0",
                   "-spice", f"unix=on,addr={desktop.folder}/spice,"
                   + ("password-secret=ticket" if desktop.ticket else "disable-ticketing=on"),
                   "-serial", f"file:{desktop.folder}/serial.log",
                   "-qmp", f"unix:{desktop.folder}/control,server=on,wait=off"]
        if not desktop.usb_input:
            command += ["-device", "virtio-keyboard-pci", "-device", "virtio-tablet-pci", "-device", "virtio-mouse-pci"]
        command += ["-chardev", "spicevmc,name=usbredir,id=redirect", "-device", "usb-redir,chardev=redirect"]
        if desktop.ticket:
            command += ["-object", f"secret,id=ticket,data={desktop.ticket}"]
        if desktop.data_disk:
            command += disk("data", desktop.data_disk)
        if desktop.network:
            command += ["-nic", "user,model=virtio-net-pci"]
        if restore:
            command += ["-incoming", f"file:{restore}"]
        return shlex.join(command)

    def _qmp(self, desktop, command, **arguments):
        """One QMP command on a connection of its own."""
        child = subprocess.Popen(
            [str(a) for a in desktop.host.command(f"exec socat - UNIX-CONNECT:{desktop.folder}/control")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            with qmp.Monitor(child.stdout, child.stdin) as monitor:
                return monitor.execute(command, **arguments)
        finally:
            child.kill()
            child.wait()

    def state(self, desktop):
        status = self._qmp(desktop, "query-status")["status"]
        return {"io-error": ("paused", "a disk failed")}.get(status, (status, ""))

    def power_button(self, desktop):
        self._qmp(desktop, "system_powerdown")

    def resume(self, desktop):
        self._qmp(desktop, "cont")

    def stop(self, desktop):
        self._qmp(desktop, "quit")

    def save(self, desktop, path):
        self._qmp(desktop, "stop")
        self._qmp(desktop, "migrate", uri=f"file:{path}")
        desktop.host.wait_until(lambda: self._qmp(desktop, "query-migrate").get("status") == "completed",
                                "QEMU's saving", 120)
        self._qmp(desktop, "quit")

    def screenshot(self, desktop, path):
        self._qmp(desktop, "screendump", filename=path, format="png")

    def set_ticket(self, desktop, ticket, seconds=0):
        self._qmp(desktop, "set_password", protocol="spice", password=ticket)
        self._qmp(desktop, "expire_password", protocol="spice", time=f"+{seconds}" if seconds else "never")

    def resize_disk(self, desktop, size):
        self._qmp(desktop, "block_resize", device="data", size=size)


ADAPTERS = {"carrel": Carrel, "qemu": Qemu}
