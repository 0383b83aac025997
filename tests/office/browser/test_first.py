# SPDX-License-Identifier: Apache-2.0
"""Somebody who has never seen the page: the first screens, what it says when something is wrong, and what to do then."""
from conftest import PASSWORD


def hash_of(page):
    return page.run("return location.hash")


def test_empty_rooms_can_be_read(sign_in_at_page):
    """Each says what to do, on a button that can be seen."""
    page = sign_in_at_page("ada", "admin")
    for room in ("desktops", "pools", "templates", "images", "groups", "assignments"):
        page.go(room)
        page.until("return document.querySelector('.empty button')", what=f"what to do in {room}")
        page.look(f"empty-{room}")


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
