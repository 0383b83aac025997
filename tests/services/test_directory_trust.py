# SPDX-License-Identifier: Apache-2.0
"""Directories that are not what they should be: no password reaches them, and the next one is asked."""
import pytest

import fake
from conftest import HOST
from slapd import BASE, PEOPLE

RIGHT = "anna's password"
TEMPLATE = {"service_dn": None, "service_password": None, "user_template": f"cn=%u,{PEOPLE}"}


@pytest.fixture
def listen():
    """listen(class, …): a listener that is closed with the test."""
    listeners = []

    def start(kind, *arguments):
        listeners.append(kind(*arguments))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
class TestAuthority:
    def test_another(self, sign_in, slapd, other_authority, scheme):
        answer = sign_in("anna", RIGHT, servers=getattr(slapd, scheme), ca=other_authority.path.read_text())
        assert answer.error == "not-trusted", answer.message

    def test_the_systems(self, sign_in, slapd, scheme):
        assert sign_in("anna", RIGHT, servers=getattr(slapd, scheme), ca=None).error == "not-trusted"

    def test_environment_does_not_weaken(self, sign_in, slapd, other_authority, tmp_path, scheme):
        (tmp_path / "ldaprc").write_text("TLS_REQCERT never\nREFERRALS on\n")
        environment = {"LDAPTLS_REQCERT": "never", "LDAPTLS_CACERT": "/dev/null", "LDAPCONF": str(tmp_path / "ldaprc")}
        answer = sign_in("anna", RIGHT, servers=getattr(slapd, scheme), ca=other_authority.path.read_text(),
                         environment=environment)
        assert answer.error == "not-trusted"

    def test_both_in_one_file(self, sign_in, slapd, authority, other_authority, scheme):
        both = other_authority.path.read_text() + authority.path.read_text()
        assert sign_in("anna", RIGHT, servers=getattr(slapd, scheme), ca=both).error is None


def test_authority_that_is_none(sign_in):
    assert sign_in("anna", RIGHT, ca="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").error == "config"


@pytest.mark.parametrize("what", [{"alternative": "DNS:other.example.org"},
                                  {"alternative": "IP:127.0.0.1", "end": "20250201000000Z"},
                                  {"alternative": "IP:127.0.0.1", "begin": "20980101000000Z"}],
                         ids=["another name", "over", "not yet"])
def test_certificates(sign_in, start_slapd, authority, what):
    server = start_slapd(*authority.sign("odd", **what))
    for url in (server.ldap, server.ldaps):
        answer = sign_in("anna", RIGHT, servers=url)
        assert answer.error == "not-trusted", answer.message


class TestStartTlsTakenAway:
    @pytest.mark.parametrize("code", [fake.PROTOCOL_ERROR, 52])
    def test_refused(self, sign_in, listen, code):
        between = listen(fake.NoStartTls, code)
        answer = sign_in("anna", RIGHT, servers=between.url, **TEMPLATE)
        assert answer.error == "no-tls", answer.message
        self.nothing_but_the_question(between)

    def test_success_without_tls(self, sign_in, listen):
        between = listen(fake.NoStartTls, fake.SUCCESS)
        answer = sign_in("anna", RIGHT, servers=between.url, time=2_000_000, **TEMPLATE)
        assert answer.error in ("no-tls", "unreachable"), answer.message
        self.nothing_but_the_question(between)

    @staticmethod
    def nothing_but_the_question(between):
        asked = [operation for operation, _ in between.requests]
        assert asked[0] == fake.EXTENDED
        assert fake.BIND not in asked
        assert not any(RIGHT.encode() in body for _, body in between.requests)


def test_empty_password_is_asked_of_nobody(sign_in, listen):
    server = listen(fake.Silent)
    for settings in ({}, TEMPLATE):
        assert sign_in("anna", "", servers=server.url, **settings).error == "wrong"
    assert server.connections == 0


def test_referrals_are_not_followed(sign_in, start_slapd, authority, listen):
    elsewhere = listen(fake.NoStartTls, fake.SUCCESS)
    server = start_slapd(*authority.sign("referring", "IP:127.0.0.1"), referral=elsewhere.url)
    answer = sign_in("anna", RIGHT, servers=server.ldaps, base="dc=elsewhere,dc=org")
    assert answer.error == "answer", answer.message
    assert elsewhere.connections == 0


def test_words_from_before_tls_do_not_count(sign_in, slapd, listen):
    between = listen(fake.Forger, slapd.ldap)
    answer = sign_in("anna", "not hers", servers=between.url, time=3_000_000, **TEMPLATE)
    assert answer.error in ("no-tls", "unreachable"), answer.message


def test_answer_without_end(sign_in, listen, authority):
    endless = listen(fake.Endless, *authority.sign("endless", "IP:127.0.0.1"))
    answer = sign_in("anna", RIGHT, servers=endless.url, time=50_000_000)
    assert answer.error in ("unreachable", "answer"), answer.message
    assert "Timed out" not in answer.message  # it was not waited for


def test_name_of_a_host(sign_in, start_slapd, authority):
    server = start_slapd(*authority.sign("named", f"DNS:{HOST}"))
    assert sign_in("anna", RIGHT, servers=server.ldaps).error == "not-trusted"
    for url in (server.ldaps, server.ldap):
        answer = sign_in("anna", RIGHT, servers=url.replace("127.0.0.1", HOST))
        assert answer.error is None, answer.message


class TestInTurn:
    def test_cut_at_bind(self, sign_in, slapd, listen):
        cut = listen(fake.CutAtBind, slapd.ldaps)
        assert sign_in("anna", RIGHT, servers=cut.url).error == "unreachable"
        assert sign_in("anna", RIGHT, servers=cut.url, **TEMPLATE).error == "unreachable"
        assert sign_in("anna", RIGHT, servers=f"{cut.url};{slapd.ldaps}").error is None
        assert cut.connections == 3

    def test_silent(self, sign_in, slapd, listen):
        silent = listen(fake.Silent)
        plain = silent.url.replace("ldaps", "ldap")
        for url in (silent.url, plain):
            assert sign_in("anna", RIGHT, servers=url, connect_time=300_000, time=600_000).error == "unreachable"
        answer = sign_in("anna", RIGHT, servers=f"{silent.url};{slapd.ldaps}", connect_time=300_000)
        assert answer.error is None, answer.message

    def test_stopped(self, sign_in, slapd, start_slapd, authority):
        server = start_slapd(*authority.sign("stopping", "IP:127.0.0.1"))
        assert sign_in("anna", RIGHT, servers=server.ldaps).error is None
        server.stop()
        assert sign_in("anna", RIGHT, servers=server.ldaps).error == "unreachable"
        assert sign_in("anna", RIGHT, servers=f"{server.ldaps};{slapd.ldaps}").error is None

    def test_nobody_there(self, sign_in, slapd):
        assert sign_in("anna", RIGHT, servers="ldaps://127.0.0.1:1;ldap://127.0.0.1:1").error == "unreachable"
        assert sign_in("anna", RIGHT, servers=f"ldaps://127.0.0.1:1;{slapd.ldap}").error is None

    def test_no_is_no(self, sign_in, slapd, listen):
        silent = listen(fake.Silent)
        assert sign_in("anna", "not hers", servers=f"{slapd.ldaps};{silent.url}").error == "wrong"
        assert silent.connections == 0

    def test_what_is_told_of_several(self, sign_in, slapd, other_authority):
        answer = sign_in("anna", RIGHT, servers=f"ldaps://127.0.0.1:1;{slapd.ldaps}", ca=other_authority.path.read_text())
        assert answer.error == "not-trusted"


class TestActiveDirectory:
    ACTIVE, NESTED = 1, 2

    @pytest.fixture
    def active(self, listen, authority):
        return listen(fake.ActiveDirectory, *authority.sign("active", "IP:127.0.0.1"))

    def ask(self, sign_in, active, name="anna"):
        return sign_in(name, RIGHT, servers=active.url, kind=self.ACTIVE, groups=self.NESTED,
                       rules=[(active.GROUP, 2, "deep")], base=BASE)

    def test_nested_groups(self, sign_in, active):
        anna = self.ask(sign_in, active)
        assert anna.error is None, anna.message
        assert anna["id"] == active.GUID.hex()
        assert anna["name"] == "Anna"
        assert anna["role"] == "admin" and anna.groups == {"deep"}
        searches = [body for operation, body in active.requests if operation == fake.SEARCH]
        # What ends the escape of the comma is libldap's; what it sends is the DN as it is.
        assert b"sAMAccountName" in searches[0] and b"userPrincipalName" in searches[0]
        assert active.USER.encode() in searches[1]

    def test_name_with_a_domain(self, sign_in, active):
        assert self.ask(sign_in, active, name="OFFICE\\anna")["name"] == "Anna"
        search = next(body for operation, body in active.requests if operation == fake.SEARCH)
        assert b"anna" in search and b"OFFICE" not in search
        assert self.ask(sign_in, active, name="OFFICE\\").error == "wrong"

    @pytest.mark.parametrize("data, error", [("52e", "wrong"), ("525", "wrong"), ("530", "not-now"), ("532", "password-expired"),
                                             ("533", "disabled"), ("701", "disabled"), ("773", "password-expired"),
                                             ("775", "locked")])
    def test_its_words(self, sign_in, active, data, error):
        active.bind_error = data
        assert self.ask(sign_in, active).error == error
