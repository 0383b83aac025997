# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests against real services: certificates, a directory, and Carrel's side of it."""
import configparser
import os
import pathlib
import socket
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import slapd as directory_server  # noqa: E402
from certificates import Authority  # noqa: E402

HOST = "dc1.example.org"  # this machine's name as a directory's
PROBE = pathlib.Path(os.environ.get("CARREL_BUILD", HERE.parents[1] / "build")) / "tests/services/directory-probe"


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "office")


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "somebody-else")


@pytest.fixture(scope="session")
def start_slapd(tmp_path_factory, authority):
    """start_slapd(certificate, key, …): one with the office's users and groups in it."""
    started = []

    def start(certificate, key, **more):
        server = directory_server.Slapd(tmp_path_factory.mktemp("slapd"), certificate, key, **more)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def slapd(start_slapd, authority):
    server = start_slapd(*authority.sign("server", "IP:127.0.0.1"))
    server.add_groups(authority)
    return server


class Answer(dict):
    """What came back: the user's members; or .error and .message."""

    def __init__(self, output):
        parsed = configparser.ConfigParser(interpolation=None, delimiters=["="], comment_prefixes=[])
        parsed.read_string(output)
        super().__init__(parsed["user"] if parsed.has_section("user") else {})
        self.error = parsed.get("error", "code", fallback=None)
        self.message = parsed.get("error", "message", fallback="")
        self.groups = set(filter(None, self.get("groups", "").split(";")))


@pytest.fixture(scope="session")
def with_names(tmp_path_factory):
    """What a command is run behind, so that HOST has an address, and nobody is asked for the machine's own (libldap does)."""
    hosts = tmp_path_factory.mktemp("names") / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {HOST} {socket.gethostname()}\n")
    return ["unshare", "--mount", "--propagation=private", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts]


def escaped(value):
    return str(value).replace("\\", "\\\\").replace("\n", "\\n")


@pytest.fixture
def sign_in(tmp_path, slapd, authority, with_names):
    """
    sign_in(name, password, rules=[(group, role, becomes)], server=N, environment={}, setting=value …): what the directory
    says; settings beyond the office's own. A setting of None is left out.
    """
    def run(name, password="", rules=(), server=None, environment={}, **settings):
        values = {"servers": slapd.ldaps, "ca": authority.path.read_text(), "base": directory_server.BASE,
                  "service_dn": directory_server.SERVICE[0], "service_password": directory_server.SERVICE[1],
                  "time": 20_000_000, **settings}
        lines = ["[directory]"] + [f"{key}={escaped(value)}" for key, value in values.items() if value is not None]
        for i, (group, role, becomes) in enumerate(rules):
            lines += [f"[rule {i}]", f"group={escaped(group)}", f"role={role}", f"becomes={becomes}"]
        config = tmp_path / "directory.conf"
        config.write_text("\n".join(lines) + "\n")
        command = [PROBE, config, name] if server is None else [PROBE, config, "--server", str(server)]
        done = subprocess.run([*with_names, *command], input=password, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                              env={**os.environ, **environment})
        assert done.returncode == 0 and not done.stderr, done.stderr
        if password:
            assert password not in done.stdout
        return Answer(done.stdout)

    return run
