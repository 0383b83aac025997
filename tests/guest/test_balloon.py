# SPDX-License-Identifier: Apache-2.0
"""virtio-balloon: what the guest gives back, the host has."""

from vmm import Machine

MIB = 1024  # in the KiB of /proc


def test_balloon(run, kind):
    sizes = {}

    def size(session, when):
        sizes[when] = session.resident_kib()

    def balloon(session, mib):
        session.control("balloon", mib=int(mib))

    def statistics(session, mib):
        """The first call that sees the guest's buffer has its figures, and asks for new ones."""
        told = session.control("stats")
        while f"memory.guest-free {int(mib) << 20}\n" not in told:
            assert f"memory.guest-free {int(mib) - 1 << 20}\n" in told, told
            told = session.control("stats")
        assert f"memory.guest-total {64 << 20}\n" in told and "memory.guest-available 0\n" in told, told

    run("balloon", Machine(balloon=True, free_page_reporting=True, memory_mib=64),
        f"reporting=1 statistics={int(kind.name == 'carrel')}",
        actions={"size": size, "balloon": balloon, "statistics": statistics})

    # 32 MiB are given back each time; a few MiB either way are the VMM's own life.
    assert sizes["before"] - sizes["inflated"] > 28 * MIB, sizes
    assert sizes["deflated"] - sizes["inflated"] > 28 * MIB, sizes
    assert sizes["deflated"] - sizes["reported"] > 28 * MIB, sizes
