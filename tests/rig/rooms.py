# SPDX-License-Identifier: Apache-2.0
"""
The host that tests and the demo start from: booted once, saved, and restored from then on.

The saved state is named by all that went into it. With hardware KVM booting is quick and nothing is saved.
"""

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import time

from . import accelerator, image, plugin
from .host import CACHE, Host
from .machine import Shape

UNUSED_SECONDS = 2 * 24 * 3600

# What every desktop in the host needs, made once before the host is saved: the guest's own kernel, out of its disk; and large
# pages for memory that is shared, which a kernel does not give unless it is told.
PREPARE = """
set -e
test -c /dev/kvm || { echo "no /dev/kvm in the host; dmesg says:"; dmesg | grep -i -E 'kvm|svm|vmx'; exit 1; }
echo advise >/sys/kernel/mm/transparent_hugepage/shmem_enabled
mkdir -p /run/desktop /srv/guest /mnt
mount -o ro,noload /dev/vdb3 /mnt
cp /mnt/boot/vmlinuz-* /srv/guest/vmlinuz
cp /mnt/boot/vmlinux /srv/guest/vmlinux
cp /mnt/boot/initrd.img-* /srv/guest/initrd.img
umount /mnt
"""


def say(words):
    print(f"==> {words}", file=sys.stderr, flush=True)


@functools.cache
def chosen_accelerator():
    chosen = accelerator.choose()
    say(f"the rig runs on {chosen.why}")
    if chosen.emulated:
        chosen = dataclasses.replace(chosen, arguments=[*chosen.arguments, *plugin.arguments(say)])
    return chosen


@functools.cache
def images():
    """(host image, guest image)"""
    return image.find("host"), image.find("guest")


def shape(more_disks=()):
    host_image, guest_image = images()
    chosen = chosen_accelerator()
    cmdline = host_image.cmdline
    if chosen.emulated:
        cmdline += " mitigations=off tsc=reliable"  # no neighbour to be protected from, and every trap costs
    return Shape(chosen, host_image.kernel, host_image.initrd, cmdline, (host_image.disk, guest_image.disk, *more_disks))


def state_key(wanted, *more):
    version = subprocess.run([accelerator.QEMU, "--version"], stdout=subprocess.PIPE, check=True).stdout
    # An image that was removed and made again has the same name and other contents.
    disks = [f"{disk} {os.stat(disk).st_mtime_ns}" for disk in wanted.disks]
    parts = [*map(str, wanted.arguments()), *disks, version.decode(), PREPARE, *more]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


@contextlib.contextmanager
def locked(name):
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def boot(wanted, outside=False):
    host = Host(wanted, images()[0].folder, outside=outside, say=say)
    try:
        host.run(PREPARE, timeout=120)
    except BaseException:
        host.close()
        raise
    return host


def restore(state, outside=False, wanted=None):
    os.utime(state)
    return Host(wanted or shape(), images()[0].folder, state, outside, say)


def remove_unused():
    """States that nobody has used for days."""
    for old in [*CACHE.glob("state-*"), *CACHE.glob("kept-*")]:
        if time.time() - old.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(old, ignore_errors=True)


def host(outside=False):
    """A host with nothing running in it. outside: its desktops may reach the real network."""
    wanted = shape()
    if not wanted.accelerator.emulated:
        return boot(wanted, outside)
    state = CACHE / f"state-{state_key(wanted)}"
    with locked("state"):
        if not state.exists():
            remove_unused()
            boot(wanted).save(state)
    return restore(state, outside)


def kept(name, *inputs, wanted=None):
    """The folder in which a host is kept with what was made in it, named by its inputs; it may not be there yet."""
    return CACHE / f"kept-{name}-{state_key(wanted or shape(), *inputs)}"


def keep(state, running, outside=False, wanted=None):
    """Saves a host with what runs in it as `state`, in place of older ones, and returns it restored."""
    for old in CACHE.glob(state.name.rsplit("-", 1)[0] + "-*"):
        shutil.rmtree(old, ignore_errors=True)
    running.save(state)
    return restore(state, outside, wanted)
