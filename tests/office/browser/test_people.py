# SPDX-License-Identifier: Apache-2.0
"""An administrator's rooms for people: users, groups, who has what, the log; and what forms do with a no."""
from conftest import PASSWORD


def test_a_user_is_made_and_signs_in(sign_in_at_page):
    page = sign_in_at_page("ada", "admin")
    page.go("users")
    page.press("New user")
    page.fill("Name to sign in with", "anna")
    page.fill("Full name", "Anna Blume")
    page.fill("Password", PASSWORD)
    page.look("user-new")
    page.press("Make it")
    page.no_dialog()
    page.sees("Anna Blume")
    page.look("users")
    page.menu("Your account", "Sign out")
    page.sign_in("anna", PASSWORD)
    page.sees("My desktops")
    assert not page.says("Overview")


def test_what_is_wrong_stands_beside_its_field(sign_in_at_page, console):
    console.make("user", name="anna", password=PASSWORD)
    page = sign_in_at_page("ada", "admin")
    page.go("users")
    page.press("New user")
    page.fill("Name to sign in with", "anna")
    page.press("Make it")
    page.until("return document.getElementById('field-name').getAttribute('aria-invalid') === 'true'", what="the name to be marked")
    page.look("user-wrong")
    page.fill("Name to sign in with", "berta")
    page.press("Make it")
    page.no_dialog()
    page.sees("berta")


def test_somebody_else_was_first(sign_in_at_page, console):
    console.make("group", name="Staff")
    page = sign_in_at_page("ada", "admin")
    page.go("groups")
    page.menu("What to do with Staff", "Change")
    page.sees("A line about it", inside=True)
    console.Submit("", "group.change", 0, {"group": console.find("group", "Staff")["id"], "description": "By somebody else"})
    page.fill("Name", "Crew")
    page.press("Save")
    page.sees("What you see here is now as they left it", inside=True)
    page.until("return document.getElementById('field-description').value === 'By somebody else'", what="what they made of it")
    page.look("changed-meanwhile")
    page.fill("Name", "Crew")
    page.press("Save")
    page.no_dialog()
    page.sees("Crew")
    assert console.find("group", "Crew")["description"] == "By somebody else"


def test_a_group_and_its_people(sign_in_at_page, console):
    for name in ("anna", "berta", "carl"):
        console.make("user", name=name, password=PASSWORD)
    page = sign_in_at_page("ada", "admin")
    page.go("groups")
    page.press("New group")
    page.fill("Name", "Office")
    page.press("Make it")
    page.sees("Who is in “Office”")
    page.pick("Somebody more", "berta")
    page.press("Add")
    page.until("return [...document.querySelectorAll('dialog .members li')].some((one) => one.innerText.includes('berta'))", what="berta among them")
    page.look("group-members")
    page.press("Take out")
    page.sees("Nobody yet.")


def test_what_others_change_is_seen_at_once(sign_in_at_page, console):
    page = sign_in_at_page("ada", "admin")
    page.go("groups")
    page.sees("No groups yet")
    page.look("groups-empty")
    console.make("group", name="Made elsewhere")
    page.sees("Made elsewhere")


def test_what_is_in_use_is_not_deleted(sign_in_at_page, console):
    group = console.make("group", name="Office")
    policy = console.make("policy", name="Open")
    template = console.make("template", name="Debian", memory=512, vcpus=1)
    pool = console.make("pool", name="Desks", template=template, type="persistent", size=3, policy=policy)
    console.make("assignment", group=group, pool=pool)
    page = sign_in_at_page("ada", "admin")
    page.go("policies")
    page.menu("What to do with Open", "Delete")
    page.press("Delete")
    page.until("return document.querySelector('.toast.bad')?.innerText.includes('Desks')", what="by whom it is used")
    page.look("in-use")


def test_something_is_given_and_taken_back(sign_in_at_page, console):
    console.make("user", name="anna", password=PASSWORD)
    template = console.make("template", name="Debian", memory=512, vcpus=1)
    console.make("pool", name="Desks", template=template, type="persistent", size=3)
    page = sign_in_at_page("ada", "admin")
    page.go("assignments")
    page.look("assignments-empty")
    page.press("Give something")
    page.pick("Person", "anna")
    page.choose("Pool", "Desks")
    page.look("give")
    page.press("Give")
    page.no_dialog()
    page.sees("One of Desks")
    page.look("assignments")
    page.press("Take back")
    page.press("Take back")
    page.sees("Nobody has been given anything yet")


def test_the_log(sign_in_at_page, console):
    console.make("group", name="Office")
    page = sign_in_at_page("ada", "admin")
    page.go("audit")
    page.sees("made the group “Office”")
    page.sees("signed in")
    page.look("log")


def test_a_password_for_somebody(sign_in_at_page, console):
    console.make("user", name="anna", password=PASSWORD)
    page = sign_in_at_page("ada", "admin")
    page.go("users")
    page.menu("What to do with anna", "New password")
    page.fill("New password", "quite another one")
    page.press("Set it")
    page.sees("anna has a new password")
    page.menu("Your account", "Sign out")
    page.sign_in("anna", "quite another one")
    page.sees("My desktops")


def test_an_operator_sees_no_people(sign_in_at_page):
    page = sign_in_at_page("olga", "operator")
    page.sees("Overview")
    page.go("users")
    page.sees("My desktops")
    assert not page.says("New user")


def test_thousands_of_users(sign_in_at_page, console):
    for n in range(250):
        console.make("user", name=f"user{n:04}")
    page = sign_in_at_page("ada", "admin")
    page.go("users")
    page.sees("1 to 100 of 252 users")
    page.press("Next")
    page.sees("101 to 200 of 252 users")
    page.fill("Search by name", "0242")
    page.sees("user0242")
    page.until("return document.querySelectorAll('tbody tr').length === 1", what="one row")
    page.sees("1 user")
    page.fill("Search by name", "USER01")
    page.sees("100 users")
    page.fill("Search by name", "nobody")
    page.sees("Nothing found.")
    page.look("search-nothing")
    page.fill("Search by name", "")
    page.sees("1 to 100 of 252 users")
    assert page.run("return document.activeElement.type") == "search"


def test_the_menu_by_keyboard(sign_in_at_page):
    page = sign_in_at_page("ada", "admin")
    page.run("document.querySelector('[aria-label=\"Your account\"]').focus()")
    page.keys("\n")
    page.until("return document.activeElement.getAttribute('role') === 'menuitem'", what="the first entry")
    page.keys("\ue015", "\ue015", "\n")  # down to “Sign out”
    page.sees("Sign in to get to your desktop.")


def test_the_focus_stays_in_a_dialog_and_comes_back(sign_in_at_page):
    page = sign_in_at_page("ada", "admin")
    page.go("groups")
    page.press("New group")
    page.until("return document.activeElement.id === 'field-name'", what="the focus in the first field")
    for _ in range(12):
        page.keys("\ue004")
        assert page.run("return document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))")
    page.keys("\ue00c")
    page.no_dialog()
    page.until("return document.activeElement.innerText.includes('New group')", what="the focus back at the button")


def test_a_lost_server_comes_back(sign_in_at_page, web, console):
    page = sign_in_at_page("ada", "admin")
    page.go("groups")
    page.sees("No groups yet")
    port = web.port
    web.stop()
    page.sees("The server does not answer.")
    page.look("lost")
    web.keys["listen"] = f"127.0.0.1:{port}"
    web.start()
    page.sees_no("The server does not answer.")
    console.make("group", name="Made meanwhile")
    page.sees("Made meanwhile")


def test_nothing_comes_from_elsewhere(page, web):
    """All that a first visit loads: from this host alone, 200 kB compressed at most."""
    import json
    page.driver.get_log("performance")
    page.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    page.driver.refresh()
    page.sees("Sign in to get to your desktop.")
    events = [json.loads(line["message"])["message"] for line in page.driver.get_log("performance")]
    addresses = {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}
    assert addresses and all(address.startswith((web.url, "data:", "blob:")) for address in addresses)
    loaded = sum(event["params"]["encodedDataLength"] for event in events if event["method"] == "Network.loadingFinished")
    print(f"a first visit loads {loaded / 1000:.0f} kB")
    assert 10_000 < loaded <= 200_000


def test_names_of_every_kind(sign_in_at_page, console):
    names = ["W" * 64, "<img src=x onerror=alert(1)>", "${7*7} {{7*7}}", "مجموعة المكتب", "名前" * 30]
    for name in names:
        console.make("group", name=name, description="d" * 256)
    page = sign_in_at_page("ada", "admin")
    page.go("groups")
    for name in names:
        page.sees(name)
    page.look("names")
    assert not page.run("return document.querySelector('td img')")
    page.menu(f"What to do with {names[0]}", "Delete")
    page.look("names-delete")
