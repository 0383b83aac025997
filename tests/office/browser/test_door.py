# SPDX-License-Identifier: Apache-2.0
"""Coming in and going out, and one's own account."""
import re
import time

from conftest import PASSWORD


def test_the_door(page):
    page.sees("Sign in to get to your desktop.")
    page.look("door")


def test_a_wrong_password(page, console):
    console.make("user", name="anna", password=PASSWORD)
    page.sign_in("anna", "not this one")
    page.until("return document.querySelector('[role=alert]')?.innerText", what="a complaint")
    page.look("door-wrong")


def test_in_and_out(sign_in_at_page):
    page = sign_in_at_page("anna", full_name="Anna Blume")
    page.sees("My desktops")
    page.look("my-empty")
    page.menu("Your account", "Sign out")
    page.sees("Sign in to get to your desktop.")


def test_it_stays_signed_in_when_it_is_loaded_again(sign_in_at_page):
    page = sign_in_at_page("anna")
    page.driver.refresh()
    page.sees("My desktops")


def test_all_tabs_are_signed_out_together(sign_in_at_page):
    page = sign_in_at_page("anna")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.open()
    page.sees("My desktops")
    page.menu("Your account", "Sign out")
    page.sees("Sign in to get to your desktop.")
    page.driver.close()
    page.driver.switch_to.window(first)
    page.sees("Sign in to get to your desktop.")


def test_many_tabs(sign_in_at_page):
    """More than a browser has connections to one host."""
    page = sign_in_at_page("anna")
    first = page.driver.current_window_handle
    for _ in range(7):
        page.driver.switch_to.new_window("tab")
        page.open()
        page.sees("My desktops")
        page.sees("No desktop has been given to you yet")
    for tab in page.driver.window_handles:
        if tab != first:
            page.driver.switch_to.window(tab)
            page.driver.close()
    page.driver.switch_to.window(first)
    page.sees("My desktops")


def test_a_session_that_is_ended_elsewhere(sign_in_at_page, console):
    page = sign_in_at_page("anna")
    page.sees("My desktops")
    for session in console.ListSessions():
        console.EndSession(session["id"])
    page.sees("You were signed out")


def test_another_password(sign_in_at_page):
    page = sign_in_at_page("anna")
    page.go("account")
    page.fill("The one you have", PASSWORD)
    page.fill("The new one", "another carrel of one's own")
    page.fill("The new one again", "something else")
    page.press("Change password")
    page.sees("The two are not the same.")
    page.look("account-password-wrong")
    page.fill("The new one again", "another carrel of one's own")
    page.press("Change password")
    page.sees("Your password is changed.")
    page.menu("Your account", "Sign out")
    page.sign_in("anna", "another carrel of one's own")
    page.sees("My desktops")


def totp(secret, steps=0):
    """The code of this moment (RFC 6238), or some 30 s later."""
    import base64
    import hashlib
    import hmac
    digest = hmac.new(base64.b32decode(secret), int(time.time() // 30 + steps).to_bytes(8, "big"), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at:at + 4], 'big') & 0x7fffffff) % 10**6:06}"


def test_a_second_factor(sign_in_at_page):
    page = sign_in_at_page("anna")
    page.go("account")
    page.press("Set it up")
    page.fill("Your password", PASSWORD)
    page.press("Go on")
    page.sees("Scan this with your app")
    page.look("account-scan")
    secret = re.sub(r"\s", "", page.run("return document.querySelector('dialog code').innerText"))
    page.fill("The code that the app shows now", "000000")
    page.press("Switch on")
    page.until("return document.querySelector('dialog [role=alert]')", what="a complaint of the code")
    page.fill("The code that the app shows now", totp(secret))
    page.press("Switch on")
    page.sees("Keep these codes")
    page.look("account-recovery")
    codes = page.run("return [...document.querySelectorAll('.recovery li')].map((one) => one.innerText)")
    assert codes
    page.press("I have kept them")
    page.menu("Your account", "Sign out")

    page.sign_in("anna", PASSWORD)
    page.sees("From your authenticator app")
    page.look("door-code")
    page.fill("Code", codes[0])
    page.press("Go on")
    page.sees("My desktops")
    page.menu("Your account", "Sign out")

    page.sign_in("anna", PASSWORD)
    page.sees("From your authenticator app")
    page.fill("Code", "000000")
    page.press("Go on")
    page.until("return document.querySelector('[role=alert]') && document.activeElement.id === 'field-code' && !document.activeElement.value",
               what="a complaint, and the field for another try")
    page.keys(*totp(secret, 1), "\n")
    page.sees("My desktops")
    page.menu("Your account", "Sign out")


def test_an_administrator_takes_a_lost_one_away(sign_in_at_page, console, carreld):
    page = sign_in_at_page("ada", "admin")
    console.make("user", name="anna", password=PASSWORD)
    anna = carreld.signed_in("anna")
    secret, _ = anna.BeginTotp(PASSWORD)
    anna.ConfirmTotp(secret, totp(secret))
    page.go("users")
    page.menu("What to do with anna", "Take second factor away")
    page.press("Take away")
    page.sees("Their second factor is off.")
    page.menu("Your account", "Sign out")
    page.sign_in("anna", PASSWORD)
    page.sees("No desktop has been given to you yet")
