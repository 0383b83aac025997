# SPDX-License-Identifier: Apache-2.0
"""
The systemd units, as `meson install` leaves them in an empty root: systemd finds nothing wrong with them, and they fit what the
programs take for granted.
"""
import configparser
import os
import pathlib
import shutil
import subprocess

import pytest

BUILD = pathlib.Path(os.environ.get("CARREL_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
UNITS = "carreld.service", "carrel-web.service", "carrel-web.socket"


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


class Root:
    def __init__(self, folder):
        self.folder = folder
        run("meson", "install", "-C", str(BUILD), "--no-rebuild", "--quiet", "--destdir", str(folder))
        (found,) = folder.glob("**/lib/systemd/system/carreld.service")
        self.units, self.lib = found.parent, found.parents[2]
        # What the units refer to of systemd's own, and the users of a host before Carrel.
        shutil.copytree("/usr/lib/systemd/system", folder / "usr/lib/systemd/system", symlinks=True)
        for path in ("/etc/passwd", "/etc/group", "/bin/kill"):
            (folder / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / path[1:])

    def unit(self, name):
        parser = configparser.RawConfigParser(strict=False)
        parser.optionxform = str
        parser.read(self.units / name)
        return parser


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return Root(tmp_path_factory.mktemp("root"))


def test_systemd_finds_nothing_wrong(root):
    assert run("systemd-analyze", "verify", f"--root={root.folder}", "--man=no", "--recursive-errors=one", *UNITS) == ""


def test_the_web_server_can_do_little(root):
    # systemd's own figure for how exposed a service is: 0 to 10, here in tenths.
    run("systemd-analyze", "security", f"--root={root.folder}", "--offline=true", "--threshold=20", "carrel-web.service")
    service = root.unit("carrel-web.service")["Service"]
    assert service["CapabilityBoundingSet"] == "" and service["User"] == "carrel-web"
    assert root.unit("carrel-web.socket")["Socket"]["ListenStream"] == "443"


def test_folders_are_the_daemons_defaults(root):
    service = root.unit("carreld.service")["Service"]
    manual = pathlib.Path(__file__).resolve().parents[2].joinpath("appliance/carreld.conf.5").read_text()
    assert f"Default: /var/lib/{service['StateDirectory']}.\n" in manual
    assert f"Default: /run/{service['RuntimeDirectory']}.\n" in manual
    # Sockets of desktops that run are in there.
    assert service["RuntimeDirectoryPreserve"] == "yes"


def test_users_and_folders_are_made(root):
    run("systemd-sysusers", f"--root={root.folder}", str(root.lib / "sysusers.d/carrel.conf"))
    users = {line.split(":")[0]: line.split(":") for line in (root.folder / "etc/passwd").read_text().splitlines()}
    assert users["carrel-web"][6].endswith("nologin")
    run("systemd-tmpfiles", f"--root={root.folder}", "--create", str(root.lib / "tmpfiles.d/carrel.conf"))
    assert (root.folder / "etc/carrel").stat().st_mode & 0o777 == 0o755
