# SPDX-License-Identifier: Apache-2.0
"""A browser at a host: `page` is a window nobody is signed in at; `sign_in_at_page(NAME, ROLE)` is one with somebody."""
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from host import HostError  # noqa: E402
from page import Page, start_chromium  # noqa: E402

PASSWORD = "a carrel of one's own"


@pytest.fixture(scope="session")
def chromium():
    driver = start_chromium()
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium, web):
    page = Page(chromium, web.url)
    page.open()
    yield page
    complaints = page.complaints()
    chromium.delete_all_cookies()
    chromium.get("about:blank")
    assert complaints == []


@pytest.fixture
def sign_in_at_page(page, console):
    def signed_in(name, role="user", **more):
        try:
            console.find("user", name)
        except HostError:
            console.make("user", name=name, role=role, password=PASSWORD, **more)
        page.sign_in(name, PASSWORD)
        page.until("return document.querySelector('.top')", what="the page behind the door")
        return page
    return signed_in
