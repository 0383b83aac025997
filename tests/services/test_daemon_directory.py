# SPDX-License-Identifier: Apache-2.0
"""People of a real directory at a real carreld: known once they have signed in, and kept as the directory has them."""
import pathlib
import signal
import sys

import pytest

from slapd import BASE, PEOPLE, ROOT, SERVICE

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "office"))

from carreld import Carreld  # noqa: E402
from host import HostError, Session  # noqa: E402

RIGHT = "anna's password"
CLIENT = {"address": "192.0.2.7", "kind": "web"}


@pytest.fixture
def carreld(tmp_path, slapd, authority, with_names):
    daemon = Carreld(tmp_path / "host")
    daemon.folder.mkdir()
    secret = tmp_path / "secret"
    secret.write_text(SERVICE[1] + "\n")
    daemon.behind = with_names
    daemon.groups["directory"] = {
        "name": "office", "servers": slapd.ldaps, "ca-file": authority.path, "base": BASE,
        "service-dn": SERVICE[0], "service-password-file": secret}
    daemon.groups["directory-rule admins"] = {"group": "Admins", "role": "admin"}
    daemon.groups["directory-rule staff"] = {"group": "staff", "becomes": "Staff"}
    daemon.groups["directory-rule desk"] = {"group": "help (desk)", "role": "operator"}
    yield daemon.start()
    daemon.end()


def refused(call, *arguments):
    with pytest.raises(HostError) as failure:
        call(*arguments)
    return failure.value.code


def test_who_comes_is_known(carreld):
    console = carreld.console()
    staff = console.make("group", name="Staff")
    anna = carreld.signed_in("ANNA", RIGHT)
    who = anna.GetSession()
    assert (who["name"], who["full_name"], who["role"], who["source"]) == ("anna", "Anna Meyer", "admin", "office")
    assert {member["user"] for member in console.Get("group", staff)["members"]} == {who["user"]}
    assert carreld.signed_in("anna", RIGHT).GetSession()["user"] == who["user"]
    assert carreld.signed_in("bert", "right").GetSession()["role"] == "operator"


def test_who_does_not_come(carreld):
    connection = carreld.connect()
    for name, password in (("anna", "wrong"), ("nobody", RIGHT), ("locked", "right"), ("anna", "")):
        assert refused(connection.SignIn, name, password, CLIENT) == "SignIn"
    assert {user["name"] for user in carreld.console().list("user")} == {"admin"}
    assert RIGHT not in carreld.log()


def test_local_users_stay_local(carreld):
    """A directory's user of the same name is another, and is not let in as the local one."""
    console = carreld.console()
    console.make("user", name="bert", password="a carrel of one's own")
    assert carreld.signed_in("bert").GetSession()["source"] == "local"
    assert refused(carreld.connect().SignIn, "bert", "right", CLIENT) == "SignIn"


def test_password_is_the_directorys(carreld):
    anna = carreld.signed_in("anna", RIGHT)
    user = anna.GetSession()["user"]
    assert refused(anna.SetPassword, user, RIGHT, "another one, quite long") == "Invalid"
    assert refused(carreld.console().SetPassword, user, "", "another one, quite long") == "Invalid"


def test_second_step_is_carrels(carreld):
    anna = carreld.signed_in("anna", RIGHT)
    assert refused(anna.BeginTotp, "wrong") == "SignIn"
    secret, _ = anna.BeginTotp(RIGHT)
    assert len(secret) == 32


def test_role_that_is_taken_away(carreld, slapd, authority):
    """The next time she comes, she is what the directory says; and what she was before is over."""
    before = carreld.signed_in("anna", RIGHT)
    change = f"dn: cn=admins,ou=groups,{BASE}\nchangetype: modify\n{{}}: member\nmember: cn=anna,{PEOPLE}\n"
    other = f"dn: cn=admins,ou=groups,{BASE}\nchangetype: modify\n{{}}: member\nmember: cn=bert,{PEOPLE}\n"
    modify = ("ldapmodify", "-x", "-H", slapd.ldaps, "-D", ROOT[0], "-w", ROOT[1])
    trust = {"LDAPTLS_CACERT": str(authority.path)}
    slapd._run(*modify, input=other.format("add") + "\n" + change.format("delete"), **trust)
    try:
        assert carreld.signed_in("anna", RIGHT).GetSession()["role"] == "user"
        assert refused(before.GetSession) == "NotSignedIn"
    finally:
        slapd._run(*modify, input=change.format("add") + "\n" + other.format("delete"), **trust)


def test_directory_that_is_gone(carreld):
    """Those who are known stay signed in, local people come in; the others are told why not."""
    anna = carreld.signed_in("anna", RIGHT)
    carreld.console().make("user", name="carla", password="a carrel of one's own")
    carreld.groups["directory"]["servers"] = "ldaps://127.0.0.1:9"
    carreld.write_config()
    carreld.process.send_signal(signal.SIGHUP)
    carreld.connect().wait(lambda: "the directory is office" in carreld.log(), "the new directory")
    assert refused(carreld.connect().SignIn, "anna", RIGHT, CLIENT) == "Unavailable"
    assert Session(carreld.connect(), anna.token).GetSession()["name"] == "anna"
    carreld.signed_in("carla")


def test_settings_that_are_wrong(carreld):
    carreld.groups["directory"]["servers"] = "http://nonsense"
    carreld.write_config()
    carreld.process.send_signal(signal.SIGHUP)
    carreld.connect().wait(lambda: "the directory stays as it was" in carreld.log(), "a word about it")
    assert carreld.signed_in("anna", RIGHT).GetSession()["name"] == "anna"
    assert carreld.stop() == 0
    carreld.start_only()
    assert carreld.process.wait(60) == 1 and "[directory] servers: " in carreld.log()
