# SPDX-License-Identifier: Apache-2.0
"""What carrel-vmm does with what it cannot use: one line, status 1, nothing left behind."""

import os
import pathlib
import socket
import struct
import subprocess
import tempfile

import pytest

# ---- KVM ----

HIDE = "unshare --mount"  # a mount namespace of its own, so that the machine keeps its /dev


@pytest.fixture
def without_kvm(bench, tmp_path):
    """Starts carrel-vmm where `script` has changed /dev."""

    def refused(script, **more):
        wrapper = tmp_path / "hide"
        wrapper.write_text(f'#!/bin/bash -e\n{script}\nexec "{bench.program}" "$@"\n')
        wrapper.chmod(0o755)
        real, bench.program = bench.program, tmp_path / "enter"
        bench.program.write_text(f'#!/bin/bash -e\nexec {HIDE} {wrapper} "$@"\n')
        bench.program.chmod(0o755)
        try:
            return bench.refused(bench.groups(), **more)
        finally:
            bench.program = real

    return refused


def test_no_kvm(without_kvm):
    without_kvm("mkdir /tmp/empty-dev.$$; mount -t tmpfs none /tmp/empty-dev.$$; mknod -m 666 /tmp/empty-dev.$$/null c 1 3; "
                "mount --move /tmp/empty-dev.$$ /dev; rmdir /tmp/empty-dev.$$",
                says="/dev/kvm: No such file or directory.*load kvm_intel or kvm_amd")


def test_kvm_is_another_device(without_kvm):
    without_kvm("mount --bind /dev/null /dev/kvm", says="/dev/kvm is not KVM's device")


def test_kvm_is_not_for_this_user(bench):
    if os.stat("/dev/kvm").st_mode & 0o006:
        pytest.skip("everybody may use /dev/kvm here")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        bench.folder = pathlib.Path(folder)
        bench.program, real = bench.folder / "as-nobody", bench.program
        bench.program.write_text(f'#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups {real} "$@"\n')
        bench.program.chmod(0o755)
        bench.refused(bench.groups(), says="/dev/kvm: Permission denied.*group")


def test_inherited_kvm_is_another_device(bench):
    with open("/dev/null", "r+b") as null:
        bench.refused(bench.groups(), fds=[("kvm", null.fileno())], says="the inherited descriptor “kvm” is not KVM's device")


# ---- files ----

@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk.raw"
    path.write_bytes(bytes(1 << 20))
    return path


def things(folder):
    """One of each that is not the file it should be."""
    (folder / "folder").mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "text").write_text("#!/bin/sh\necho this is a text, and long enough to look into\n" * 100)
    (folder / "empty").touch()


@pytest.mark.parametrize("path, says", [
    ("missing", r"desktop.conf: \[disk a\] path: .*/missing.*No such file"),
    ("folder", r"\[disk a\] path: .*/folder.*Is a directory"),
    ("fifo", r"\[disk a\] path: .*/fifo.*neither"),
    ("/dev/null", r"\[disk a\] path: /dev/null.*neither"),
    ("empty", r"\[disk a\] path: .*/empty.*empty"),
])
def test_disk(bench, tmp_path, path, says):
    things(tmp_path)
    bench.refused(bench.groups(disk_a={"path": tmp_path / path}), says=says)


def test_disk_of_another_user(bench, disk):
    """As root every file opens, so the flag of the file system that stops root as well is what is left."""
    if subprocess.run(["chattr", "+i", disk], capture_output=True).returncode:
        pytest.skip("this file system has no immutable files")
    try:
        bench.refused(bench.groups(disk_a={"path": disk}), says=r"\[disk a\] path: .*disk.raw.*not permitted")
    finally:
        subprocess.run(["chattr", "-i", disk], check=True)


@pytest.mark.parametrize("first, second", [(False, False), (True, False), (False, True)])
def test_disk_in_use(bench, disk, first, second):
    """By a writer or a reader; two readers may share."""
    running = bench.start(bench.groups("idle", disk_a={"path": disk, "read-only": first}))
    running.wait_printed(b"idle")
    bench.refused(bench.groups(disk_a={"path": disk, "read-only": second}, control=None),
                  says=r"\[disk a\] path: .*disk.raw: another process uses this disk")
    assert running.state() == "running"


def test_one_image_twice(bench, disk):
    bench.refused(bench.groups(disk_a={"path": disk}, disk_b={"path": disk}),
                  says=r"\[disk b\] path: .*disk.raw: another process uses this disk")


@pytest.mark.parametrize("key", ["kernel", "initrd"])
@pytest.mark.parametrize("path, says", [
    ("missing", "missing: No such file"),
    ("folder", "folder.* (directory|regular file)"),
    ("fifo", "fifo.*regular file"),
    ("/dev/zero", "/dev/zero.*regular file"),
])
def test_boot_file(bench, tmp_path, key, path, says):
    things(tmp_path)
    bench.refused(bench.groups(boot={key: tmp_path / path}), says=rf"desktop.conf: \[boot\] {key}: .*{says}")


def without_note(elf):
    """The ELF file with the type of its PVH note (18, in a note of the owner "Xen") changed to another."""
    note = struct.pack("<III", 4, 8, 18) + b"Xen\0"
    assert elf.count(note) == 1
    return elf.replace(note, struct.pack("<III", 4, 8, 19) + b"Xen\0")


def bzimage(size):
    """A setup header that says protocol 2.15, and less of a file than it speaks of."""
    image = bytearray(size)
    image[0x1F1] = 4  # sectors of setup
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x200:0x202] = b"\xeb\x6a"
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x206, 0x20F)
    struct.pack_into("<I", image, 0x1F4, 1 << 16)  # 1 MiB of kernel, in paragraphs
    image[0x211] = image[0x236] = 1  # loaded high, with a 64-bit entry
    return bytes(image)


@pytest.mark.parametrize("what, says", [
    ("empty", "empty"),
    ("text", r"not a kernel Carrel can boot \(wants bzImage or a PVH ELF\)"),
    ("gzip", "compressed by gzip: unpack it"),
    ("bzimage", "it is truncated"),
    ("bzimage-head", "it is truncated"),
    ("elf-head", "too short"),
    ("elf-half", "truncated"),
    ("elf-no-note", "PVH"),
])
def test_kernel(bench, tmp_path, what, says):
    elf = (bench.guests / "guest-rng.elf").read_bytes()
    (tmp_path / "kernel").write_bytes({
        "empty": b"",
        "text": b"a text that goes on for a while\n" * 1000,
        "gzip": b"\x1f\x8b\x08\0" + bytes(10000),
        "bzimage": bzimage(100000),
        "bzimage-head": bzimage(1024),
        "elf-head": elf[:40],
        "elf-half": elf[:0x4000],  # within the first of its segments
        "elf-no-note": without_note(elf),
    }[what])
    bench.refused(bench.groups(boot={"kernel": tmp_path / "kernel"}), says=rf"\[boot\] kernel: .*/kernel.*({says})")


def test_initrd_too_large(bench, tmp_path):
    with open(tmp_path / "initrd", "wb") as file:
        file.truncate(64 << 20)
    bench.refused(bench.groups(boot={"initrd": tmp_path / "initrd"}), says="/initrd .*does not fit.*more memory")


def test_serial_file(bench, tmp_path):
    bench.refused(bench.groups(serial={"output": f"file:{tmp_path}/no/such/file"}), says=r"\[serial\] output: .*No such")


def test_hugepages(bench):
    if int(pathlib.Path("/proc/sys/vm/nr_hugepages").read_text()):
        pytest.skip("this host has huge pages set aside")
    bench.refused(bench.groups(desktop={"hugepages": True}), says=r"desktop.conf: \[desktop\] hugepages: .*vm.nr_hugepages")


# ---- inherited descriptors ----

@pytest.fixture
def descriptors(tmp_path):
    """Descriptors of all kinds, by name; closed afterwards."""
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    reader, writer = os.pipe()
    one, other = socket.socketpair()
    stream, datagram = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
    files = [open("/dev/null", "r+b"), open(tmp_path / "file", "rb"), one, other, stream, datagram,
             open(reader, "rb"), open(writer, "wb")]
    yield dict(zip(["null", "read-only", "connected", "peer", "unbound", "datagram", "pipe", "pipe-end"],
                   [file.fileno() for file in files]))
    for file in files:
        file.close()


@pytest.mark.parametrize("group, key, kinds, says", [
    ("disk_a", "fd", ["null", "connected", "datagram", "pipe"], r"\[disk a\] fd: .*neither"),
    ("disk_a", "fd", ["read-only"], r"\[disk a\] fd: .*not open for reading and writing"),
    ("boot", "kernel-fd", ["null", "connected", "pipe"], r"\[boot\] kernel: .*regular file"),
    ("boot", "kernel-fd", ["pipe-end"], r"\[boot\] kernel: "),
    ("boot", "initrd-fd", ["null", "connected", "pipe"], r"\[boot\] initrd: .*regular file"),
    ("spice", "fd", ["null", "connected", "unbound", "datagram", "pipe"], r"\[spice\] fd: .*not a listening socket"),
    ("net_a", "fd", ["null", "connected", "pipe", "read-only"], r"\[net a\] fd: .*not of a tap"),
    ("control", "fd", ["null", "datagram", "pipe"], r"\[control\] fd: .*not a stream socket"),
    ("control", "fd", ["unbound"], r"\[control\] fd: .*not a stream socket that listens or is connected"),
])
def test_descriptor(bench, descriptors, group, key, kinds, says):
    groups = bench.groups(**{group: {key: "given"}})
    if key == "kernel-fd":
        del groups["boot"]["kernel"]
    if group == "control":
        del groups["control"]["socket"]
    for kind in kinds:
        bench.refused(groups, fds=[("given", descriptors[kind])], says=says)


def test_descriptor_not_given(bench, descriptors):
    groups = bench.groups(disk_a={"fd": "system"})
    bench.refused(groups, fds=[], says=r"\[disk a\] fd: no descriptor named “system” was inherited \(none were\)")
    bench.refused(groups, fds=[("other", descriptors["read-only"])], says="there are: other")
    bench.refused(bench.groups(disk_a={"fd": "a", "read-only": True}, disk_b={"fd": "a", "read-only": True}),
                  fds=[("a", descriptors["read-only"])], says=r"\[disk b\] fd: no descriptor named “a”")


@pytest.mark.parametrize("before, says", [
    ("export LISTEN_PID=$$ LISTEN_FDS=two", "LISTEN_FDS is not a number"),
    ("export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a:b", "LISTEN_FDS counts descriptor [34], which is not open"),
    ("export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a", "LISTEN_FDNAMES does not name as many"),
])
def test_descriptors_malformed(bench, before, says):
    bench.refused(bench.groups(), before=before, says=says)


# ---- sockets ----

PATHS = {
    "control": lambda path: {"control": {"socket": path}},
    "spice": lambda path: {"spice": {"socket": path, "no-ticket": True}},
    "port": lambda path: {"port_test": {"socket": path}},
    "serial": lambda path: {"serial": {"output": f"socket:{path}"}},
}


@pytest.mark.parametrize("place", PATHS)
def test_socket_in_use(bench, tmp_path, place):
    path = tmp_path / "place"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        bench.refused(bench.groups(**PATHS[place](path)), says=r"desktop.conf: \[.*\] (socket|output): .*/place: in use: another program listens there")
        assert path.is_socket(), "the other's socket was taken away"


@pytest.mark.parametrize("place", PATHS)
def test_socket_path_is_a_file(bench, tmp_path, place):
    path = tmp_path / "place"
    path.write_text("precious")
    bench.refused(bench.groups(**PATHS[place](path)), says=r"desktop.conf: \[.*\] (socket|output): .*/place: exists and is not a socket")
    assert path.read_text() == "precious"


def test_socket_path(bench, tmp_path):
    bench.refused(bench.groups(control={"socket": tmp_path / "no" / "folder"}), says="/no/folder: .*No such file")
    bench.refused(bench.groups(control={"socket": tmp_path / ("x" * 120)}), says="at most 107 bytes")
    bench.refused(bench.groups(spice={"socket": tmp_path / "control", "no-ticket": True}), says="/control: .*in use")


def test_port_in_use(bench):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        bench.refused(bench.groups(spice={"address": "127.0.0.1", "port": port, "no-ticket": True}),
                      says=rf"desktop.conf: \[spice\] port: .*127.0.0.1.*{port}.*in use")


def test_stale_socket_is_replaced(bench, tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "control"))
        dead.listen()
    desktop = bench.start(bench.groups())
    assert desktop.wait() == 0, desktop.said()
    assert not (tmp_path / "control").exists()


# ---- configuration and command line ----

@pytest.mark.parametrize("change, says", [
    ({"desktop": {"colour": "red"}}, r"desktop.conf: \[desktop\] colour: there is no such key"),
    ({"desk": {"name": "x"}}, r"desktop.conf: \[desk\]: there is no such group"),
    ({"desktop": {"memory": "2048"}}, r"desktop.conf: \[desktop\] memory: “2048” is not a size: write a whole number and K, M, G or T"),
    ({"desktop": {"memory": "1T"}}, r"\[desktop\] memory: "),
    ({"desktop": {"vcpus": "65"}}, r"\[desktop\] vcpus: "),
    ({"desktop": {"balloon": "maybe"}}, r"\[desktop\] balloon: .*true.*false"),
    ({"desktop": {"name": None}}, r"\[desktop\] name: must be given"),
    ({"boot": {"kernel": None}}, r"\[boot\] (firmware|variables): "),
    ({"boot": {"kernel": "relative"}}, r"\[boot\] kernel: .*absolute"),
    ({"spice": {"address": "0.0.0.0", "port": 5900}}, r"\[spice\] address: only loopback"),
    ({"desktop": {"name[de]": "x"}}, r"\[desktop\] name\[de\]: there is no such key"),
])
@pytest.mark.parametrize("command", ["run", "check"])
def test_configuration(bench, command, change, says):
    path = bench.write(bench.groups(**change))
    if command == "run":
        bench.refused(path, says=says)
    else:
        done = subprocess.run([bench.program, "check", path], capture_output=True, text=True, timeout=10)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert done.stdout == ""


@pytest.mark.parametrize("text, says", [
    ("", "empty"), ("hello\n", "desktop.conf: .*line"), ("\0\1\2", "desktop.conf: .*no zero bytes"),
    ("[desktop]\nname=x\n\n[disk a]\npath=/x\n[disk a]\npath=/y\n", r"\[disk a\]: is there twice, the second time in line 6"),
    ("[desktop]\nname=x\n name = y\n", r"\[desktop\] name: is there twice, the second time in line 3"),
])
def test_not_a_configuration(bench, text, says):
    bench.refused(bench.write(text), says=says)


def test_configuration_is_huge(bench):
    bench.refused(bench.write("[desktop]\nname=x\n#" + "x" * (1 << 20)), says="desktop.conf: longer than 1 MiB")
    bench.refused("/dev/zero", says="/dev/zero: longer than 1 MiB")


def test_no_configuration(bench, tmp_path):
    bench.refused(tmp_path / "missing.conf", says="missing.conf.*No such file")
    bench.refused(tmp_path, says="Is a directory")


@pytest.mark.parametrize("arguments", [
    [], ["run"], ["walk"], ["run", "--fast", "x.conf"], ["run", "a.conf", "b.conf"], ["run", "--restore"], ["check"],
    ["check", "a.conf", "b.conf"], ["ctl"], ["ctl", "socket"], ["ctl", "socket", "dance"], ["ctl", "socket", "save"],
])
def test_usage(bench, arguments):
    done = subprocess.run([bench.program, *arguments], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("usage: carrel-vmm ")


def test_help(bench):
    for option in "--help", "--version":
        done = subprocess.run([bench.program, option], capture_output=True, text=True, timeout=10)
        assert done.returncode == 0 and done.stderr == "" and "carrel-vmm" in done.stdout


# ---- USB ----

@pytest.mark.parametrize("rules", ["0x08,1,1", "everything", "0x08,-1,-1,-1,1|-1,-1,-1,0"])
def test_usb_policy_is_none(bench, rules):
    wrong = rules.split("|")[-1]
    bench.refused(bench.groups(usb={"policy": rules}, display={}, spice={"socket": bench.folder / "spice", "no-ticket": True}),
                  says=rf'\[usb\] policy: "{wrong}" is not a rule: it takes five fields')


@pytest.mark.parametrize("keys, key, says", [({}, "id", "say which device"), ({"id": "0529:1"}, "id", "VENDOR:PRODUCT"),
                                             ({"id": "0529:0001", "port": "3"}, "port", "BUS-PORT")])
def test_usb_host_is_none(bench, keys, key, says):
    bench.refused(bench.groups(usb={}, **{"usb-host_dongle": keys}), says=rf"\[usb-host dongle\] {key}: .*{says}")
