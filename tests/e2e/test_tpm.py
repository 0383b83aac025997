# SPDX-License-Identifier: Apache-2.0
"""The TPM, as Debian's driver and tools see it."""

import pytest


def test_tpm(room, desktop):
    """Debian's driver finds the TPM, and Debian's tools read and extend its registers."""
    if room.vmm.name == "qemu":
        pytest.skip("a test of carrel-vmm")
    zero = desktop.run("tpm2_pcrread sha256:16", "root")
    assert "16: 0x" + 64 * "0" in zero
    desktop.run("tpm2_pcrextend 16:sha256=" + 64 * "a", "root")
    assert desktop.run("tpm2_pcrread sha256:16", "root") != zero
    desktop.run("tpm2_pcrreset 16", "root")
    assert desktop.run("tpm2_pcrread sha256:16", "root") == zero
    assert len(desktop.run("tpm2_getrandom --hex 16", "root").strip()) == 32
