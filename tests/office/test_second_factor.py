# SPDX-License-Identifier: Apache-2.0
"""A second factor over HTTPS, from setting it up to an administrator's help for whoever lost their phone."""
import hashlib
import hmac
import struct
import time
from base64 import b32decode

import pytest
from carreld import PASSWORD


class App:
    """An authenticator app (RFC 6238: SHA-1, 30 s, 6 digits), which shows each code once."""

    def __init__(self, secret):
        self.secret = b32decode(secret)
        self.shown = 0

    def code(self):
        """A host takes the codes before and after the present one too; when those are used up, the next has to be waited for."""
        self.shown = max(self.shown + 1, self.now() - 1)
        while self.shown > self.now() + 1:
            time.sleep(0.2)
        digest = hmac.digest(self.secret, struct.pack(">Q", self.shown), hashlib.sha1)
        at = digest[-1] & 15
        return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1_000_000:06}"

    @staticmethod
    def now():
        return int(time.time()) // 30


class Anna:
    """Who has set up a second factor, and signed out again."""

    def __init__(self, web, caller):
        self.web = web
        self.user = caller.get("/session").json()["user"]
        begun = caller.post("/session/totp", json={"password": PASSWORD}).json()
        assert f"secret={begun['secret']}" in begun["uri"]
        self.app = App(begun["secret"])
        self.first = self.app.code()
        answer = caller.put("/session/totp", json={"secret": begun["secret"], "code": self.first})
        assert answer.status_code == 200, answer.text
        self.recovery = answer.json()["recovery"]
        assert caller.get("/session").json()["second_step"] is True
        assert caller.delete("/session").status_code == 204

    def password(self):
        """A browser that has given the right password, and its challenge."""
        browser = self.web.browser()
        answer = browser.post("/session", json={"name": "anna", "password": PASSWORD})
        assert answer.status_code == 200 and answer.json()["step"] == "code" and not browser.cookies
        return browser, answer.json()["challenge"]

    def sign_in(self, code):
        browser, challenge = self.password()
        return browser, browser.post("/session/code", json={"challenge": challenge, "code": code})

    def is_let_in(self, code):
        browser, answer = self.sign_in(code)
        if answer.status_code != 201:
            assert answer.status_code == 401 and answer.json()["error"]["code"] == "sign-in" and not browser.cookies
            return False
        assert "HttpOnly" in answer.headers["Set-Cookie"] and browser.get("/session").json()["name"] == "anna"
        return True


def web_answer(anna):
    """To the right password, from where the guesses came."""
    return anna.web.browser().post("/session", json={"name": "anna", "password": PASSWORD})


@pytest.fixture
def anna(web, visit):
    return Anna(web, visit("anna"))


def test_password_and_code_let_in(anna):
    assert anna.is_let_in(anna.app.code())


def test_the_password_alone_does_not(anna):
    browser, challenge = anna.password()
    assert browser.get("/session").status_code == 401
    assert browser.get("/my", headers={"Authorization": f"Bearer {challenge}"}).status_code == 401


def test_a_code_opens_once(anna):
    """Also the one that it was set up with, which somebody may have seen on the screen."""
    assert not anna.is_let_in(anna.first)
    code = anna.app.code()
    assert anna.is_let_in(code)
    assert not anna.is_let_in(code)


def test_each_recovery_code_opens_once(anna):
    assert len(set(anna.recovery)) == 10
    for code in anna.recovery:
        assert anna.is_let_in(code)
    assert not anna.is_let_in(anna.recovery[0])
    assert anna.is_let_in(anna.app.code())


def test_wrong_codes_are_guesses(anna):
    """Each counts as a wrong password does, and the right one has to wait like any other."""
    early = [anna.password() for _ in range(2)]
    statuses = []
    while 429 not in statuses and len(statuses) < 20:
        browser, challenge = early[len(statuses) // 4 % 2]
        answer = browser.post("/session/code", json={"challenge": challenge, "code": "000000"})
        statuses.append(answer.status_code)
    assert statuses[0] == 401 and statuses[-1] == 429 and int(answer.headers["Retry-After"]) > 0
    assert browser.post("/session/code", json={"challenge": challenge, "code": anna.app.code()}).status_code == 429
    assert web_answer(anna).status_code == 429


def test_only_who_knows_the_password_sets_one_up(visit):
    bert = visit("bert")
    assert bert.post("/session/totp", json={"password": "not this one"}).json()["error"]["code"] == "sign-in"
    secret = bert.post("/session/totp", json={"password": PASSWORD}).json()["secret"]
    wrong = bert.put("/session/totp", json={"secret": secret, "code": "000000"})
    assert (wrong.status_code, wrong.json()["error"]["field"]) == (400, "code")
    assert bert.get("/session").json()["second_step"] is False


def test_an_administrator_helps_who_lost_their_phone(anna, web, visit):
    path = f"/users/{anna.user}/totp"
    assert visit("bert").delete(path, json={}).status_code == 404
    assert visit("olga", "operator").delete(path, json={}).status_code == 403
    _, challenge = anna.password()
    assert visit("ada", "admin").delete(path, json={}).status_code == 204
    late = web.browser().post("/session/code", json={"challenge": challenge, "code": anna.app.code()})
    assert late.status_code == 401, "the challenge was of the factor that is gone"
    web.signed_in("anna", PASSWORD)
