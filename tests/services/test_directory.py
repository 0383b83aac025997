# SPDX-License-Identifier: Apache-2.0
"""Signing in by a real directory: who gets in, as whom, and who does not."""
import pytest

from slapd import BASE, PEOPLE

RIGHT = "anna's password"
USER, OPERATOR, ADMIN = 0, 1, 2
RULES = [("Admins", ADMIN, ""), (f"cn=STAFF,ou=Groups,{BASE}", USER, "office"), ("help (desk)", OPERATOR, "support")]
MEMBER_OF, SEARCH = 0, 1


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_who_it_is(sign_in, slapd, scheme):
    anna = sign_in("ANNA", RIGHT, rules=RULES, servers=getattr(slapd, scheme))
    assert anna.error is None, anna.message
    assert anna["dn"] == f"cn=anna,{PEOPLE}"
    assert anna["name"] == "anna"
    assert anna["display_name"] == "Anna Meyer"
    assert len(anna["id"]) == 36
    assert anna["role"] == "admin"
    assert anna.groups == {"office"}


def test_id_is_one_users_own(sign_in):
    assert sign_in("anna", RIGHT)["id"] == sign_in("anna", RIGHT)["id"] != sign_in("bert", "right")["id"]


@pytest.mark.parametrize("groups", [MEMBER_OF, SEARCH])
def test_groups(sign_in, groups):
    bert = sign_in("bert", "right", rules=RULES, groups=groups)
    assert bert["role"] == "operator" and bert.groups == {"office", "support"}
    assert sign_in("carl", "right", rules=RULES, groups=groups)["role"] == "user"


def test_only_by_rule(sign_in):
    assert sign_in("carl", "right", rules=RULES, only_by_rule="true").error == "no-group"
    assert sign_in("bert", "right", rules=RULES, only_by_rule="true").error is None


def test_wrong_password_and_unknown_name_look_alike(sign_in):
    wrong, unknown = sign_in("anna", "anna's Password"), sign_in("nobody", RIGHT)
    assert wrong.error == unknown.error == "wrong"
    assert wrong.message == unknown.message


@pytest.mark.parametrize("name", ["*", "a*", "anna)(uid=*", "*)(|(uid=*", "anna\\", "\\61nna", "", "anna\n", "x" * 257, "anna)",
                                  "(uid=anna)", "#", " ", "annä"])
def test_hostile_names(sign_in, name):
    assert sign_in(name, RIGHT).error == "wrong"


def test_odd_but_real_names(sign_in):
    assert sign_in("a*b", "right")["name"] == "a*b"
    carl = sign_in("carl", "right", groups=SEARCH)
    assert carl.error is None, carl.message


def test_two_of_a_name(sign_in):
    assert sign_in("twin", "right").error == "ambiguous"


class TestTemplate:
    """The user's own account searches; there is no other."""

    TEMPLATE = {"service_dn": None, "service_password": None, "user_template": f"cn=%u,{PEOPLE}"}

    def test_in(self, sign_in):
        anna = sign_in("Anna", RIGHT, rules=RULES, **self.TEMPLATE)
        assert anna.error is None, anna.message
        assert anna["name"] == "anna" and anna["role"] == "admin"

    @pytest.mark.parametrize("name", [f"anna,{PEOPLE}", "anna+uid=anna", "nobody", "*", "anna\\", "", " anna\\20"])
    def test_out(self, sign_in, name):
        assert sign_in(name, RIGHT, **self.TEMPLATE).error == "wrong"

    @pytest.mark.parametrize("name", ["CORP\\anna", f"cn=anna,{PEOPLE}", "anna@elsewhere", "anna/admin"])
    def test_one_that_makes_no_dn(self, sign_in, name):
        settings = {**self.TEMPLATE, "user_template": "%u@example.org"}
        assert sign_in(name, RIGHT, **settings).error == "wrong"


@pytest.mark.parametrize("name, error", [("locked", "locked"), ("expired", "password-expired"), ("reset", "password-expired")])
def test_policies(sign_in, name, error):
    assert sign_in(name, "right").error == error


def test_settings_that_are_wrong(sign_in):
    assert sign_in("anna", RIGHT, service_password="wrong").error == "service"
    assert sign_in("anna", RIGHT, base=f"ou=nowhere,{BASE}").error == "config"
    assert sign_in("anna", RIGHT, service_password="").error == "config"


def test_trying_a_server(sign_in, slapd):
    servers = f"{slapd.ldaps};ldaps://127.0.0.1:1"
    assert sign_in("", server=0, servers=servers).error is None
    assert sign_in("", server=1, servers=servers).error == "unreachable"
    assert sign_in("", server=0, service_password="wrong").error == "service"
    assert sign_in("", server=0, base=f"ou=nowhere,{BASE}").error == "config"
