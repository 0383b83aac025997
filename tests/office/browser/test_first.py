# SPDX-License-Identifier: Apache-2.0
"""Somebody who has never seen the page: the first screens, what it says when something is wrong, and what to do then."""
from conftest import PASSWORD
from selenium.webdriver.common.keys import Keys


def hash_of(page):
    return page.run("return location.hash")


def test_the_first_administrator_is_told_what_to_do(page, carreld):
    page.sign_in("admin", carreld.first_password())
    page.sees("Four steps to the first user's desktop")
    page.sees("sign in as “admin” and change it")
    page.go("")
    page.sees("No desktop has been given to you yet")


def test_who_asked_for_a_room_gets_it(page, carreld):
    page.open("users")
    page.sign_in("admin", carreld.first_password())
    page.sees("People who may sign in.")
    assert hash_of(page) == "#/users"


def test_an_address_that_is_none(page, console):
    console.make("user", name="anna", password=PASSWORD)
    page.open("%E0%A4%A")
    page.sign_in("anna", PASSWORD)
    page.sees("My desktops")


def test_a_wrong_password_is_typed_anew(page, console):
    console.make("user", name="anna", password=PASSWORD)
    page.sign_in("anna", "not this one")
    page.until("return document.querySelector('[role=alert]')", what="a complaint")
    page.until("return document.activeElement.id === 'field-password' && !document.activeElement.value", what="the field for another try")
    page.keys(*PASSWORD, "\n")
    page.sees("My desktops")


def test_empty_rooms_can_be_read(sign_in_at_page):
    """Each says what to do, on a button that can be seen."""
    page = sign_in_at_page("ada", "admin")
    for room in ("desktops", "pools", "templates", "images", "groups", "assignments"):
        page.go(room)
        page.until("return document.querySelector('.empty button')", what=f"what to do in {room}")
        page.look(f"empty-{room}")


def test_what_is_no_image(sign_in_at_page, tmp_path):
    """It is not called uploaded; the first step is not taken."""
    page = sign_in_at_page("ada", "admin")
    page.go("images")
    page.press("Upload")
    letter = tmp_path / "letter.docx"
    letter.write_bytes(b"PK\x03\x04" + bytes(5000))
    page.until("return document.querySelector('dialog input[type=file]')", what="the place for a file").send_keys(str(letter))
    page.press("Upload")
    page.sees("“letter.docx” cannot be used. It is a zip file")
    page.sees("What did not work")
    page.go("overview")
    page.until("return [...document.querySelectorAll('.step.now')].some((step) => step.innerText.includes('Upload an image'))", what="the first step to be the next still")


def test_long_names_break_no_other_words(sign_in_at_page, console):
    """Not in tables, and on a phone there is room for a heading beside its buttons, or above them."""
    console.make("user", name="anna", full_name="x" * 120)
    desktop = console.make("desktop", name="W" * 60, memory=64, vcpus=1, firmware="bios", disks=[{"type": "disk", "size": 1 << 20}])
    page = sign_in_at_page("ada", "admin")
    page.go("users")
    page.sees("Administrator")
    page.look("users-long")
    lines = "const range = document.createRange(); const cell = [...document.querySelectorAll('td')].find((td) => td.innerText === arguments[0]);" \
            "range.selectNodeContents(document.createTreeWalker(cell, NodeFilter.SHOW_TEXT).nextNode()); return range.getClientRects().length"
    for word in ("admin", "Administrator"):
        assert page.run(lines, word) == 1, f"{word} is broken"
    page.go(f"desktops/{desktop}")
    page.sees("What it is")
    page.look("desktop-long")
    page.look_like("light", (390, 844))
    assert page.run("return document.querySelector('h1').getBoundingClientRect().width") > 300


def test_the_daemon_is_away_when_the_page_is_loaded(sign_in_at_page, carreld):
    page = sign_in_at_page("anna")
    carreld.stop()
    page.driver.refresh()
    page.sees("The server does not answer. This page goes on by itself when it is back.")
    page.shot("lost-at-the-beginning")
    assert not page.run("return document.querySelector('.toast')")
    carreld.start()
    page.sees("No desktop has been given to you yet")


def test_why_somebody_is_out(sign_in_at_page, console):
    page = sign_in_at_page("anna")
    page.sees("No desktop has been given to you yet")
    for session in console.ListSessions():
        console.EndSession(session["id"])
    page.sees("You were signed out from somewhere else.")


def focused(page):
    return page.run("const one = document.activeElement; return (one.getAttribute('aria-label') || one.innerText || one.id || one.tagName).trim()")


def test_by_keyboard_alone(page, console):
    """From the door into a room, a dialog and a menu, and back to where one was."""
    console.make("user", name="ada", role="admin", password=PASSWORD)
    page.open("users")
    page.until("return document.activeElement.id === 'field-name'", what="the field for the name")
    page.keys("ada", Keys.TAB, PASSWORD, Keys.ENTER)
    page.sees("Administrator")
    page.keys(Keys.TAB)
    assert focused(page) == "To the content"
    page.keys(Keys.ENTER)
    page.until("return document.activeElement.tagName === 'H1'", what="the room's heading")
    page.keys(Keys.TAB)
    assert focused(page) == "New user"
    page.keys(Keys.ENTER)
    page.until("return document.activeElement.closest('dialog') && document.activeElement.matches('input')", what="the dialog's first field")
    page.look("keyboard-dialog")
    page.keys(Keys.ESCAPE)
    page.no_dialog()
    assert focused(page) == "New user"
    for wanted in ("Search by name", "Which", "ada", "What to do with ada"):
        page.keys(Keys.TAB)
        assert focused(page) == wanted
    page.keys(Keys.ENTER)
    page.until("return document.activeElement.closest('[role=menu]')", what="the menu's first entry")
    first = focused(page)
    page.keys(Keys.ARROW_DOWN)
    assert focused(page) != first
    page.keys(Keys.ARROW_UP, Keys.ENTER)
    page.until("return document.activeElement.closest('dialog')", what="the entry's dialog")
    page.keys(Keys.ESCAPE)
    page.no_dialog()
    assert focused(page) == "What to do with ada"
    page.keys(Keys.ENTER)
    page.until("return document.activeElement.closest('[role=menu]')", what="the menu again")
    page.keys(Keys.ESCAPE)
    page.until("return !document.activeElement.closest('[role=menu]')", what="the menu's end")
    assert focused(page) == "What to do with ada"
