# SPDX-License-Identifier: Apache-2.0
"""
The rig: a Debian 13 host with a real /dev/kvm, itself a virtual machine, for tests that need a whole desktop.

    accelerator  hardware KVM where it nests, else emulation: which, and why
    plugin       mends the emulator's VMRUN
    process      children that cannot outlive us, and signals that become exceptions
    qmp          the emulator's control connection
    machine      the emulator: disks, forwards, start, save, restore, stop
    mend         a fault of the emulator, mended in the emulator that runs
    image        the guest and host images of image-build/
    host         a booted host: run a command, copy a file, forward a port, save and restore it
    desktop      a desktop in the host, run by carrel-vmm or by QEMU, and its guest agent
    spoilt       recognises a guest that the emulator has spoilt
    stick        what is plugged into a port of the host
    loader       a disk for UEFI that ends where an operating system would begin
    spice_client a SPICE client that tests can steer and question

Everything runs inside the build root (image-build/enter), where the emulator and the clients are.
"""
