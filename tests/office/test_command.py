# SPDX-License-Identifier: Apache-2.0
"""The carrel command, against a real carreld: what people type, what they read, how it ends."""
import configparser
import json
import os
import pathlib
import signal
import socket
import stat
import struct
import subprocess
import time

import pytest

BUILD = pathlib.Path(os.environ.get("CARREL_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
PROGRAM = BUILD / "appliance/command/carrel"
COMPLETION = pathlib.Path(__file__).resolve().parents[2] / "appliance/command/carrel.bash"
PASSWORD = "a carrel of one's own"
DONE, FAILED, USAGE, NOT_FOUND, NOT_ALLOWED, INVALID, CONFLICT, UNAVAILABLE, NO_DAEMON = range(9)


class Answer:
    def __init__(self, done):
        self.status, self.text, self.complaint = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def id(self):
        return self.text.strip()


class Terminal:
    """Somebody at the host; a folder for their token."""

    def __init__(self, socket, folder):
        self.environment = {**os.environ, "CARREL_SOCKET": str(socket), "CARREL_TOKEN_FILE": f"{folder}/configuration/token",
                            "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def run(self, *words, typed=""):
        return Answer(subprocess.run([PROGRAM, *map(str, words)], input=typed, env=self.environment, text=True,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120))

    def do(self, *words, typed=""):
        answer = self.run(*words, typed=typed)
        assert answer.status == DONE and not answer.complaint, f"{words}: {answer.complaint}"
        return answer

    def refused(self, status, *words, typed=""):
        answer = self.run(*words, typed=typed)
        assert answer.status == status and not answer.text, f"{words}: {answer.status} {answer.text} {answer.complaint}"
        assert answer.complaint.startswith("carrel: ") and answer.complaint.count("\n") == 1
        return answer.complaint

    def token(self):
        return pathlib.Path(self.environment["CARREL_TOKEN_FILE"])


@pytest.fixture
def terminal(carreld, tmp_path):
    return Terminal(carreld.socket, tmp_path)


def test_made_shown_changed_deleted(terminal):
    made = terminal.do("group", "create", "Büro Süd", "--description", "everybody there").id
    thing = terminal.do("--json", "group", "show", "Büro Süd").json
    assert thing["id"] == made and thing["description"] == "everybody there"
    assert terminal.do("group", "show", made).text.startswith("name              Büro Süd\n")
    terminal.do("group", "change", "Büro Süd", "--name", "Nord", "--description", "")
    (group,) = terminal.do("group", "list", "--json").json
    assert group["name"] == "Nord" and "description" not in group
    terminal.do("group", "delete", "Nord")
    assert terminal.do("group", "list").text == "" and terminal.do("group", "list", "--json").json == []


def test_names_stand_for_ids(terminal):
    terminal.do("user", "create", "anna", "--role", "user", "--password", "-", typed=PASSWORD + "\n")
    terminal.do("group", "create", "Staff")
    terminal.do("group", "add-member", "Staff", "anna")
    terminal.do("desktop", "create", "Desk", "64M", "1", "--firmware", "bios", "--nic", "network=Office")
    terminal.do("assign", "create", "--group", "Staff", "--desktop", "Desk")
    terminal.do("assign", "create", "--user", "anna", "--desktop", "Desk")
    table = terminal.do("assign", "list", "--user", "anna").text.splitlines()
    assert [word for word in table[0].split()] == ["ID", "USER", "DESKTOP"] and table[1].split()[1:] == ["anna", "Desk"]
    (by_group,) = terminal.do("assign", "list", "--group", "Staff", "--json").json
    assert by_group["desktop"] == terminal.do("desktop", "show", "Desk", "--json").json["id"]  # as it came
    assert "network=Office" in terminal.do("desktop", "show", "Desk").text
    assert "Staff" in terminal.refused(CONFLICT, "group", "delete", "Staff")


needs_kvm = pytest.mark.skipif(not os.path.exists("/dev/kvm"), reason="no /dev/kvm")


def wait_state(terminal, desktop, state):
    end = time.monotonic() + 120
    while (now := terminal.do("desktop", "show", desktop, "--json").json)["state"] != state:
        assert time.monotonic() < end, f"{now} never was {state}"
        time.sleep(0.05)
    return now


def upload_echo(terminal, tmp_path):
    image = tmp_path / "echo.raw"
    image.write_bytes((BUILD / "tests/office/echo.raw").read_bytes().ljust(1 << 20, b"\0"))
    return terminal.do("image", "upload", "Echo", image).id


def test_images(terminal, tmp_path):
    image = upload_echo(terminal, tmp_path)
    (listed,) = terminal.do("image", "list", "--json").json
    assert (listed["id"], listed["state"], listed["type"], listed["size"]) == (image, "ready", "disk", 1 << 20)
    content = (tmp_path / "echo.raw").read_bytes()
    done = subprocess.run([PROGRAM, "image", "upload", "Piped", "-", "--type", "disk"], input=content, env=terminal.environment)
    assert done.returncode == DONE
    assert terminal.do("image", "show", "Piped", "--json").json["state"] == "ready"
    assert "no ISO" in terminal.refused(FAILED, "image", "upload", "Disc", tmp_path / "echo.raw", "--type", "iso")
    assert "No such file" in terminal.refused(FAILED, "image", "upload", "Missing", tmp_path / "nothing.iso")
    assert "Missing" not in terminal.do("image", "list").text  # nothing half-made
    (tmp_path / "empty.raw").write_bytes(b"")
    terminal.refused(FAILED, "image", "upload", "Empty", tmp_path / "empty.raw")


@needs_kvm
def test_a_desktops_life(terminal, tmp_path):
    upload_echo(terminal, tmp_path)
    terminal.do("desktop", "create", "Desk", "64M", "1", "--firmware", "bios", "--disk", "image=Echo")
    terminal.do("desktop", "start", "Desk")
    wait_state(terminal, "Desk", "running")
    assert "running" in terminal.do("desktop", "list").text
    file = tmp_path / "screen.png"
    end = time.monotonic() + 60
    while terminal.run("desktop", "screenshot", "Desk", file).status != DONE:
        assert time.monotonic() < end
    assert file.read_bytes().startswith(b"\x89PNG")
    assert "there is no desktop “Other”" in terminal.refused(NOT_FOUND, "desktop", "start", "Other")
    terminal.do("desktop", "stop", "Desk")
    wait_state(terminal, "Desk", "stopped")
    terminal.do("desktop", "snapshot", "Desk", "Monday")
    (kept,) = terminal.do("desktop", "snapshots", "Desk", "--json").json
    assert kept["name"] == "Monday"
    terminal.do("desktop", "resize", "Desk", "0", "2M")
    assert terminal.do("desktop", "show", "Desk", "--json").json["disks"][0]["size"] == 2 << 20
    terminal.do("desktop", "forget", "Desk", "Monday")
    assert "no snapshot “Monday”" in terminal.refused(NOT_FOUND, "desktop", "forget", "Desk", "Monday")
    terminal.do("desktop", "clone", "Desk", "Its twin")
    assert len(terminal.do("desktop", "list", "--json").json) == 2
    for name in ("Desk", "Its twin"):
        terminal.do("desktop", "delete", name)


@needs_kvm
def test_a_viewer_on_this_machine(terminal, tmp_path):
    upload_echo(terminal, tmp_path)
    terminal.do("desktop", "create", "Desk", "64M", "1", "--firmware", "bios", "--disk", "image=Echo")
    file = tmp_path / "desk.vv"
    process = subprocess.Popen([PROGRAM, "desktop", "view", "Desk", "--file", file], env=terminal.environment,
                               stderr=subprocess.PIPE, text=True)
    assert "as long as this runs" in process.stderr.readline()
    words = configparser.ConfigParser(interpolation=None)
    words.read(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert words["virt-viewer"]["title"] == "Desk" and words["virt-viewer"]["password"]
    path = words["virt-viewer"]["unix-path"]
    for _ in range(2):  # as a client's channels do
        with socket.socket(socket.AF_UNIX) as viewer:
            viewer.settimeout(120)
            viewer.connect(path)
            hello = struct.pack("<IBBIIII", 0, 1, 0, 1, 0, 18, 0)
            viewer.sendall(b"REDQ" + struct.pack("<III", 2, 2, len(hello)) + hello)
            assert viewer.recv(4, socket.MSG_WAITALL) == b"REDQ"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == DONE
    assert not os.path.exists(path) and not os.path.exists(os.path.dirname(path))


@needs_kvm
def test_remote_viewer_opens(terminal, tmp_path):
    upload_echo(terminal, tmp_path)
    terminal.do("desktop", "create", "Desk", "64M", "1", "--firmware", "bios", "--disk", "image=Echo")
    read, write = os.pipe()
    screen = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "1024x768x24", "-nolisten", "tcp"],
                              pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as number:
        display = ":" + number.readline().strip()
    viewer = subprocess.Popen([PROGRAM, "desktop", "view", "Desk"], env={**terminal.environment, "DISPLAY": display, "GDK_BACKEND": "x11"},
                              stderr=open(tmp_path / "viewer.log", "w"))
    try:
        end = time.monotonic() + 120
        while not terminal.do("desktop", "show", "Desk", "--json").json.get("clients"):
            assert viewer.poll() is None and time.monotonic() < end, (tmp_path / "viewer.log").read_text()
            time.sleep(0.1)
        viewer.terminate()
        assert viewer.wait(60) == DONE
        while terminal.do("desktop", "show", "Desk", "--json").json.get("clients"):
            assert time.monotonic() < end
            time.sleep(0.1)
    finally:
        viewer.kill()
        screen.kill()
        screen.wait()


def test_tables_are_for_people(terminal):
    terminal.do("desktop", "create", "短い名前", "2G", "2")
    terminal.do("desktop", "create", "A rather long name", "--memory", "512M", "--vcpus", "1", "--tpm")
    head, *rows = terminal.do("desktop", "list").text.splitlines()
    assert head.startswith("NAME ") and "WANTED" in head and "MEMORY" in head
    assert "POOL" not in head and "USER" not in head  # nobody has one
    assert "2.0 GiB" in "".join(rows) and "512.0 MiB" in "".join(rows)
    at = head.index("WANTED")
    assert rows[0][at:].startswith("stopped")
    assert rows[1][at - len("短い名前"):].startswith("stopped")  # as wide as a terminal shows it


def test_a_desktop_is_made_as_its_template_is(terminal):
    terminal.do("template", "create", "Debian", "--memory", "3G", "--vcpus", "2", "--firmware", "bios", "--disk", "size=1G",
                "--nic", "network=Office")
    terminal.do("desktop", "create", "Anna’s", "--template", "Debian", "--vcpus", "4")
    desktop = terminal.do("desktop", "show", "Anna’s", "--json").json
    assert (desktop["memory"], desktop["vcpus"], desktop["firmware"]) == (3072, 4, "bios")
    assert desktop["disks"] == [{"type": "disk", "size": 1 << 30}] and len(desktop["nics"]) == 1
    assert terminal.do("desktop", "list", "--template", "Debian", "--json").json[0]["id"] == desktop["id"]
    assert terminal.do("desktop", "list", "--template", "none", "--json").json == []


def test_refusals_say_what_and_how(terminal):
    terminal.do("group", "create", "Staff")
    assert "“Staff”" in terminal.refused(CONFLICT, "group", "create", "staff")
    assert "there is no desktop “Nobody's”" in terminal.refused(NOT_FOUND, "desktop", "show", "Nobody's")
    assert "there is no group “x”" in terminal.refused(NOT_FOUND, "group", "delete", "x")
    assert "name: " in terminal.refused(INVALID, "group", "create", "a\nb")
    assert "vlan: " in terminal.refused(INVALID, "network", "create", "N", "vlan", "--bridge", "br0")
    assert "nobody can “paint” a desktop" in terminal.refused(USAGE, "desktop", "paint")
    assert "nothing called “teapot”" in terminal.refused(USAGE, "teapot", "list")
    assert "needs --name" in terminal.refused(USAGE, "group", "create")
    terminal.environment["CARREL_SOCKET"] = "/nowhere"
    assert "carreld does not answer at /nowhere" in terminal.refused(NO_DAEMON, "group", "list")


def test_in_use_says_by_whom(terminal):
    terminal.do("network", "create", "Lab", "nat")
    terminal.do("desktop", "create", "Desk", "64M", "1", "--nic", "network=Lab")
    assert "Desk" in terminal.refused(CONFLICT, "network", "delete", "Lab")


def test_signed_in_with_a_token(terminal):
    assert terminal.do("session", "who").text == "the host's own console\n"
    terminal.do("user", "create", "anna", "--role", "user", "--password", "-", typed=PASSWORD + "\n")
    assert "password is not right" in terminal.refused(NOT_ALLOWED, "login", "anna", typed="guess\n")
    assert not terminal.token().exists()
    terminal.do("login", "anna", typed=PASSWORD + "\n")
    assert stat.S_IMODE(terminal.token().stat().st_mode) == 0o600
    assert stat.S_IMODE(terminal.token().parent.stat().st_mode) == 0o700
    assert terminal.do("session", "who", "--json").json["name"] == "anna"
    terminal.refused(NOT_ALLOWED, "group", "create", "Mine")
    assert terminal.do("desktop", "list").text == ""
    (session,) = terminal.do("session", "list", "--json").json
    terminal.do("logout")
    assert not terminal.token().exists()
    assert session["id"] not in terminal.do("session", "list").text
    terminal.do("logout")


def test_an_ended_session_says_so(terminal):
    terminal.do("user", "create", "anna", "--role", "user", "--password", "-", typed=PASSWORD + "\n")
    terminal.do("login", "anna", typed=PASSWORD + "\n")
    kept = terminal.token().read_text()
    terminal.do("logout")
    terminal.token().write_text(kept)
    terminal.refused(NOT_ALLOWED, "desktop", "list")


def test_passwords(terminal):
    terminal.do("user", "create", "anna", "--role", "user", "--password", "-", typed=PASSWORD + "\n")
    terminal.do("user", "password", "anna", typed="another one, longer\n")
    terminal.refused(NOT_ALLOWED, "login", "anna", typed=PASSWORD + "\n")
    terminal.do("login", "anna", typed="another one, longer\n")
    terminal.do("user", "password", "anna", typed="another one, longer\nand a third one, too\n")
    answer = terminal.run("user", "create", "bert", "--role", "user", "--password", "on the command line")
    assert answer.status == USAGE and "everybody on this host" in answer.complaint


def test_who_did_what(terminal):
    terminal.do("group", "create", "Staff")
    lines = terminal.do("audit", "list", "--command", "group.create", "--json").json
    assert len(lines) == 1 and lines[0]["thing_name"] == "Staff"
    assert "group.create" in terminal.do("audit").text
    assert len(terminal.do("audit", "--limit", "1", "--json").json) == 1


def test_the_host(terminal):
    host = terminal.do("host", "status", "--json").json
    assert host["name"] == "desk1" and host["memory"] > 1 << 30
    text = terminal.do("host", "status").text
    assert text.startswith("name              desk1\n") and "GiB" in text
    assert "carrel_host_cpus " in terminal.do("host", "metrics").text
    assert terminal.do("host", "orphans").text == "" and terminal.do("job", "list").text == ""
    user = terminal.do("user", "show", "admin").text
    assert "revision" not in user and "totp_step" not in user and "role              admin\n" in user
    assert [each["id"] for each in terminal.do("host", "list", "--json").json] == ["desk1"]


def test_search(terminal):
    for name in ("Büro", "büro 2", "Lab"):
        terminal.do("desktop", "create", name, "64M", "1")
    assert [each["name"] for each in terminal.do("desktop", "list", "--search", "BÜRO", "--json").json] == ["Büro", "büro 2"]
    assert [each["name"] for each in terminal.do("desktop", "list", "--pool", "none", "--search=lab", "--json").json] == ["Lab"]
    assert terminal.do("desktop", "list", "--search", "%").text == ""
    assert "search: it can have 128 characters" in terminal.refused(INVALID, "desktop", "list", "--search", "x" * 10_240)
    terminal.refused(USAGE, "setting", "list", "--search", "pools")
    terminal.refused(USAGE, "desktop", "list", "--pool", "none", "--user", "none")
    assert "--search" in completed(terminal, "carrel desktop list --")


def test_settings(terminal):
    text = terminal.do("setting", "list").text
    assert text.splitlines()[0].split() == ["ID", "VALUE", "DEFAULT", "UNIT", "MIN", "MAX", "TITLE"]
    assert "pools.left-minutes          10     10       minutes  0    10080  Time to come back\n" in text
    terminal.do("setting", "change", "pools.left-minutes", 25)
    shown = terminal.do("setting", "show", "pools.left-minutes", "--json").json
    assert (shown["value"], shown["default"], shown["max"]) == (25, 10, 10080)
    assert "How long a desktop" in terminal.do("setting", "show", "pools.left-minutes").text
    assert "value: it goes from 0 to 10080 minutes" in terminal.refused(INVALID, "setting", "change", "pools.left-minutes", "10081")
    terminal.refused(INVALID, "setting", "change", "pools.left-minutes", "many")
    terminal.refused(NOT_FOUND, "setting", "change", "site.name", "1")
    terminal.do("setting", "reset", "pools.left-minutes")
    assert {each["id"]: each["value"] for each in terminal.do("setting", "list", "--json").json}["pools.left-minutes"] == 10
    assert [each["command"] for each in terminal.do("audit", "--thing", "pools.left-minutes", "--json").json][:2] == ["setting.reset", "setting.change"]
    assert completed(terminal, "carrel setting change p") == {"pools.left-minutes"}


def test_help_is_made_of_the_catalog(terminal):
    assert terminal.run().status == USAGE
    text = terminal.do("--help").text
    assert "desktop" in text and "assign" in text
    assert "puts a user into a group" in terminal.do("group", "--help").text
    text = terminal.do("network", "create", "--help").text
    assert text.startswith("usage: carrel network create NAME TYPE [--FIELD VALUE...]\n")
    assert "--type nat|bridge|vlan|passt  (or as a word)\n      how it reaches the outside\n" in text
    assert "carrel 0." in terminal.do("--version").text


def completed(terminal, line):
    """What bash offers behind the line."""
    words = line.split(" ")
    script = f'. {COMPLETION}; carrel() {{ {PROGRAM} "$@"; }}; COMP_WORDS=({" ".join(words[:-1])} "{words[-1]}"); ' \
             f'COMP_CWORD={len(words) - 1}; _carrel; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script], env=terminal.environment, stdout=subprocess.PIPE, text=True, check=True)
    return set(done.stdout.split("\n")) - {""}


def test_completion(terminal):
    terminal.do("desktop", "create", "Anna’s desk", "64M", "1")
    terminal.do("desktop", "create", "Bert", "64M", "1")
    assert completed(terminal, "carrel des") == {"desktop"}
    assert {"start", "stop", "create"} <= completed(terminal, "carrel desktop ")
    assert completed(terminal, "carrel desktop sn") == {"snapshot", "snapshots"}
    assert completed(terminal, "carrel desktop start B") == {"Bert"}
    assert completed(terminal, "carrel desktop start A") == {"Anna’s\\ desk"}
    assert completed(terminal, "carrel network create --type v") == {"vlan"}
    assert "--guest-os" in completed(terminal, "carrel desktop change Bert --")
    assert completed(terminal, "carrel teapot ") == set()


def test_the_doctor(terminal):
    answer = terminal.run("doctor", "--json")
    findings = {each["what"]: each for each in answer.json}
    assert {"processors", "KVM", "memory", "disk", "port 443", "clock"} <= findings.keys()
    assert all(each["grade"] == "fine" or each["remedy"] for each in findings.values())
    assert answer.status == (FAILED if any(each["grade"] == "bad" for each in findings.values()) else DONE)
    if os.path.exists("/dev/kvm"):
        assert findings["KVM"]["found"] == "a guest ran"
    text = terminal.run("doctor").text
    assert all(each["found"] in text for each in findings.values() if "GiB" not in each["found"])


def test_the_doctor_sees_who_has_the_port(terminal):
    script = "import socket, subprocess, sys; s = socket.create_server(('', 443)); subprocess.run([sys.argv[1], 'doctor', '--json'])"
    done = subprocess.run(["unshare", "--net", "python3", "-c", script, PROGRAM], stdout=subprocess.PIPE, text=True, timeout=60)
    findings = {each["what"]: each for each in json.loads(done.stdout)}
    assert findings["port 443"]["grade"] == "bad" and "python3" in findings["port 443"]["found"]
