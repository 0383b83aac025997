# SPDX-License-Identifier: Apache-2.0
"""Somebody comes to the host: the first time, by password, by code; and what ends their session."""
import hashlib
import hmac
import stat
import struct
import time
from base64 import b32decode

import pytest
from carreld import PASSWORD
from host import HostError, Session

CLIENT = {"address": "192.0.2.7", "kind": "web"}
OTHER = "quite another carrel"


def code(secret, steps=0):
    """RFC 6238 with SHA-1, 30 s and 6 digits."""
    digest = hmac.digest(b32decode(secret), struct.pack(">Q", int(time.time()) // 30 + steps), hashlib.sha1)
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1_000_000:06}"


def refused(call, *arguments):
    with pytest.raises(HostError) as failure:
        call(*arguments)
    return failure.value.code


def test_first_start(carreld):
    """A new host makes an administrator, and the file with the password goes when it is changed."""
    file = carreld.state / "first-password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in carreld.log()
    assert carreld.first_password() not in carreld.log()
    admin = carreld.signed_in("admin", carreld.first_password())
    who = admin.GetSession()
    assert (who["name"], who["role"], who["source"], who["second_step"]) == ("admin", "admin", "local", False)
    assert [host["id"] for host in admin.list("host")] == ["desk1"]
    admin.SetPassword(who["user"], carreld.first_password(), OTHER)
    assert not file.exists()
    assert carreld.signed_in("admin", OTHER).GetSession()["role"] == "admin"


def test_second_start_makes_nobody(carreld):
    before = carreld.console().list("user")
    carreld.restart()
    assert carreld.console().list("user") == before


def test_wrong_password_and_unknown_name_sound_alike(carreld, sign_in):
    sign_in("anna")
    said = []
    for name in ("anna", "nobody-of-that-name"):
        with pytest.raises(HostError) as failure:
            carreld.connect().SignIn(name, "wrong, all of it", CLIENT)
        assert failure.value.code == "SignIn"
        said.append(str(failure.value))
    assert said[0] == said[1]


def test_guessing_has_to_wait(carreld, sign_in):
    sign_in("anna")
    connection = carreld.connect()
    codes = [refused(connection.SignIn, "anna", f"guess {i}", {"address": "192.0.2.66", "kind": "web"}) for i in range(8)]
    assert codes[0] == "SignIn" and codes[-1] == "Busy"
    carreld.signed_in("anna")  # at her own desk


def test_passwords_are_nowhere(carreld, sign_in, console):
    sign_in("anna")
    refused(carreld.connect().SignIn, "anna", "a wrong one to look for", CLIENT)
    refused(carreld.connect().SignIn, "a wrong one in the name's field", "x", CLIENT)
    carreld.stop()
    kept = b"".join(file.read_bytes() for file in carreld.state.rglob("*") if file.is_file()) + carreld.log().encode()
    for secret in (PASSWORD, "a wrong one to look for", "a wrong one in the name's field"):
        assert secret.encode() not in kept


def test_sessions_outlive_the_daemon(carreld, sign_in):
    anna = sign_in("anna")
    before = anna.GetSession()
    carreld.restart()
    assert Session(carreld.connect(), anna.token).GetSession() == before


def test_sessions_outlive_a_killed_daemon(carreld, sign_in):
    anna = sign_in("anna")
    saved = carreld.state / "sessions"
    anna.connection.wait(lambda: saved.exists() and anna.GetSession()["id"].encode() in saved.read_bytes(),
                         "her session in the file")
    carreld.kill()
    carreld.start()
    assert Session(carreld.connect(), anna.token).GetSession()["name"] == "anna"


def test_saved_sessions_hold_no_token(carreld, sign_in):
    anna = sign_in("anna")
    carreld.stop()
    assert anna.token.encode() not in (carreld.state / "sessions").read_bytes()


def test_damaged_sessions_are_none(carreld, sign_in):
    anna = sign_in("anna")
    carreld.stop()
    file = carreld.state / "sessions"
    file.write_bytes(file.read_bytes()[:-7])
    carreld.start()
    assert refused(Session(carreld.connect(), anna.token).GetSession) == "NotSignedIn"


def test_sign_out(carreld, sign_in):
    anna = sign_in("anna")
    anna.SignOut()
    assert refused(anna.GetSession) == "NotSignedIn"


@pytest.mark.parametrize("change", [{"role": "operator"}, {"disabled": True}])
def test_a_changed_user_is_out(console, sign_in, change):
    anna = sign_in("anna")
    user = anna.GetSession()["user"]
    anna.Subscribe(0)
    console.do("user.change", user=user, full_name="Anna A.")
    assert anna.GetSession()["full_name"] == "Anna A."  # which changes nothing about who she is
    console.do("user.change", user=user, **change)
    assert anna.connection.wait_event("session")["ended"] == "changed"
    assert refused(anna.GetSession) == "NotSignedIn"


def test_a_new_password_ends_the_others(carreld, sign_in):
    here, there = sign_in("anna"), sign_in("anna")
    user = here.GetSession()["user"]
    assert refused(here.SetPassword, user, "not the old one", OTHER) == "SignIn"
    assert refused(here.SetPassword, user, PASSWORD, "short") == "Invalid"
    here.SetPassword(user, PASSWORD, OTHER)
    assert here.GetSession()["name"] == "anna"
    assert refused(there.GetSession) == "NotSignedIn"
    carreld.signed_in("anna", OTHER)


def test_an_admin_sets_anothers_password(carreld, sign_in):
    anna, ada, olga = sign_in("anna"), sign_in("ada", "admin"), sign_in("olga", "operator")
    user = anna.GetSession()["user"]
    assert refused(olga.SetPassword, user, "", OTHER) == "Forbidden"
    ada.SetPassword(user, "", OTHER)
    assert refused(anna.GetSession) == "NotSignedIn"
    carreld.signed_in("anna", OTHER)
    assert refused(ada.Submit, "", "user.set_password", 0,
                   {"user": ada.GetSession()["user"], "password": OTHER}) == "Forbidden"


def test_second_step(carreld, sign_in):
    anna, other = sign_in("anna"), sign_in("anna")
    user = anna.GetSession()["user"]
    assert refused(anna.BeginTotp, "not the password") == "SignIn"
    secret, uri = anna.BeginTotp(PASSWORD)
    assert uri.startswith("otpauth://totp/Carrel:anna?") and secret in uri
    assert refused(anna.ConfirmTotp, secret, "000000") == "Invalid"
    assert refused(anna.ConfirmTotp, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", code("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")) == "Invalid"
    recovery = anna.ConfirmTotp(secret, code(secret))
    assert len(recovery) == 10
    assert anna.GetSession()["second_step"] is True
    assert refused(other.GetSession) == "NotSignedIn"

    connection = carreld.connect()
    challenge, step = connection.SignIn("anna", PASSWORD, CLIENT)
    assert step == "code"
    assert refused(Session(connection, challenge).GetSession) == "NotSignedIn"
    assert refused(connection.SignInCode, challenge, "000000", CLIENT) == "SignIn"
    used = code(secret, 1)
    assert Session(connection, connection.SignInCode(challenge, used, CLIENT)).GetSession()["name"] == "anna"
    challenge, _ = connection.SignIn("anna", PASSWORD, CLIENT)
    assert refused(connection.SignInCode, challenge, used, CLIENT) == "SignIn"
    assert connection.SignInCode(challenge, recovery[3], CLIENT)
    challenge, _ = connection.SignIn("anna", PASSWORD, CLIENT)
    assert refused(connection.SignInCode, challenge, recovery[3], CLIENT) == "SignIn"

    anna.RemoveTotp(user, PASSWORD)
    carreld.signed_in("anna")


def test_a_dearer_hash_disturbs_nobody(carreld, sign_in):
    """Made at the first sign-in after the configuration asks for it; neither the session nor a code that is waited for ends by it."""
    def rehashed(times):
        console = carreld.console()
        console.connection.wait(lambda: len(console.ListAudit({"column": "command", "value": "user.rehash"})) == times, "a new hash")

    def ask_more(cost):
        carreld.stop()
        carreld.groups["sign-in"]["password-cost"] = cost
        carreld.start()

    sign_in("anna")
    ask_more(4)
    anna = carreld.signed_in("anna")
    rehashed(1)
    secret, _ = anna.BeginTotp(PASSWORD)
    anna.ConfirmTotp(secret, code(secret))
    anna.SignOut()
    ask_more(5)
    connection = carreld.connect()
    challenge, step = connection.SignIn("anna", PASSWORD, CLIENT)
    assert step == "code"
    rehashed(2)
    assert Session(connection, connection.SignInCode(challenge, code(secret, 1), CLIENT)).GetSession()["name"] == "anna"


def test_who_is_signed_in(sign_in):
    anna, bert, ada = sign_in("anna"), sign_in("bert"), sign_in("ada", "admin")
    assert {line["name"] for line in anna.ListSessions()} == {"anna"}
    assert {line["name"] for line in ada.ListSessions()} == {"anna", "bert", "ada"}
    berts = bert.GetSession()["id"]
    assert refused(anna.EndSession, berts) == "NotFound"
    ada.EndSession(berts)
    assert refused(bert.GetSession) == "NotSignedIn"


def test_every_attempt_is_written_down(carreld, sign_in, console):
    notes = {"column": "command", "value": "audit.note"}
    anna = sign_in("anna")
    refused(carreld.connect().SignIn, "anna", "wrong, all of it", CLIENT)
    anna.SignOut()
    console.connection.wait(lambda: len(console.ListAudit(notes)) == 3, "the third line")
    lines = console.ListAudit(notes)
    assert [line["details"].split('"')[3] for line in lines] == ["sign-out", "sign-in-failed", "sign-in"]
    assert all("192.0.2.7" in line["details"] for line in lines)
