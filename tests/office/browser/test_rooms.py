# SPDX-License-Identifier: Apache-2.0
"""The rooms for what desktops are made of, and the first steps of an empty host."""


def test_an_empty_host_says_what_comes_first(sign_in_at_page):
    page = sign_in_at_page("ada", "admin")
    page.go("overview")
    page.sees("Four steps to the first user's desktop")
    page.look("first-steps")
    page.press("Upload")
    page.sees("Drop a file here, or choose one")
    page.look("upload")


def test_the_steps_go_on(sign_in_at_page, console):
    console.make("template", name="Debian", memory=512, vcpus=1)
    page = sign_in_at_page("ada", "admin")
    page.go("overview")
    page.until("return document.querySelector('.step.done')?.innerText.includes('template')", what="the second step to be done")


def test_a_template_with_disks_and_cards(sign_in_at_page, console):
    page = sign_in_at_page("ada", "admin")
    page.go("templates")
    page.look("templates-empty")
    page.press("New template")
    page.fill("Name", "Debian office")
    page.press("Disk")
    page.fill("Size of Disk 1 in GiB", "12")
    page.press("CD drive")
    page.press("Network card")
    page.press("More settings")
    page.tick("TPM 2.0")
    page.look("template-new")
    page.press("Make it")
    page.no_dialog()
    page.sees("Debian office")
    page.look("templates")
    made = console.find("template", "Debian office")
    assert made["memory"] == 4096 and made["tpm"] and made["firmware"] == "uefi"
    assert made["disks"] == [{"type": "disk", "size": 12 << 30}, {"type": "cdrom"}]
    assert len(made["nics"]) == 1
    page.press("Debian office")
    page.fill("Memory", "2.5")
    page.press("Save")
    page.no_dialog()
    page.sees("2.5 GiB")
    assert console.find("template", "Debian office")["disks"] == made["disks"]


def test_a_pool(sign_in_at_page, console):
    console.make("template", name="Debian", memory=512, vcpus=1)
    page = sign_in_at_page("ada", "admin")
    page.go("pools")
    page.press("New pool")
    page.fill("Name", "Kiosk")
    page.choose("Made from", "Debian")
    page.press("Fresh each time")
    page.fill("At most so many desktops", "3")
    page.fill("Of these, started ahead", "5")
    page.press("Make it")
    page.until("return document.getElementById('field-spares').getAttribute('aria-invalid') === 'true'", what="the spares to be marked")
    page.look("pool-wrong")
    page.fill("Of these, started ahead", "0")
    page.press("Make it")
    page.no_dialog()
    page.sees("Fresh each time")
    page.look("pools")
    assert console.find("pool", "Kiosk")["type"] == "disposable"


def test_networks(sign_in_at_page, console):
    page = sign_in_at_page("ada", "admin")
    page.go("networks")
    page.press("New network")
    page.fill("Name", "Sales")
    page.press("In a VLAN")
    page.fill("The host's bridge", "br0")
    page.fill("VLAN", "17")
    page.look("network-new")
    page.press("Make it")
    page.no_dialog()
    page.sees("VLAN 17")
    page.look("networks")
    assert console.find("network", "Sales")["vlan"] == 17


def test_policies(sign_in_at_page, console):
    page = sign_in_at_page("ada", "admin")
    page.go("policies")
    page.press("New policy")
    page.fill("Name", "Open")
    page.choose("USB devices of their own", "Every device")
    page.choose("Moving files", "Both ways")
    page.press("Make it")
    page.no_dialog()
    page.sees("Every device")
    assert console.find("policy", "Open")["usb"] == "-1,-1,-1,-1,1"
    page.press("Open")
    page.choose("USB devices of their own", "By rules of one's own")
    page.fill("Rules", "nonsense")
    page.press("Save")
    page.until("return document.querySelector('dialog [role=alert]') || !document.querySelector('dialog')", what="an answer")


def test_a_template_is_deleted(sign_in_at_page, console):
    console.make("template", name="Old", memory=512, vcpus=1)
    page = sign_in_at_page("ada", "admin")
    page.go("templates")
    page.menu("What to do with Old", "Delete")
    page.sees("Delete the template “Old”?")
    page.look("delete")
    page.press("Delete")
    page.sees("No templates yet")


def value_of(console, setting):
    return console.Get("setting", setting)["value"]


def test_settings(sign_in_at_page, console):
    page = sign_in_at_page("ada", "admin")
    page.go("settings")
    page.sees("How long a desktop that is fresh each time waits for its user")
    page.look("settings")
    page.fill("Time to come back", "25")
    page.press("Save")
    page.sees("“Time to come back” is saved.")
    assert value_of(console, "pools.left-minutes") == 25
    page.press("Back to 10")
    page.sees_no("Back to 10")
    assert value_of(console, "pools.left-minutes") == 10


def test_a_setting_that_cannot_be(sign_in_at_page, console):
    page = sign_in_at_page("ada", "admin")
    page.go("settings")
    for wrong, says in (("401", "It goes from 100 to 400 percent"), ("12.5", ""), ("", "It is missing")):
        page.fill("Memory that may be promised", wrong)
        page.press("Save")
        page.until("return document.getElementById('field-memory.overcommit-percent-value').getAttribute('aria-invalid') === 'true'", what="the field to be marked")
        page.sees(says)
        if wrong == "401":
            page.look("setting-wrong")
    assert value_of(console, "memory.overcommit-percent") == 100


def test_a_setting_that_somebody_else_changes(sign_in_at_page, console):
    page = sign_in_at_page("ada", "admin")
    page.go("settings")
    page.sees("Time to shut down")
    console.do("setting.change", setting="pools.left-minutes", value=7)
    page.sees("Back to 10")  # seen without a reload, while nobody types there
    page.fill("Time to shut down", "30")
    console.do("setting.change", setting="desktops.shut-down-seconds", value=45)
    console.do("setting.change", setting="pools.left-minutes", value=10)
    page.sees_no("Back to 10")
    page.press("Save")
    page.sees("has changed the setting")
    page.look("setting-second")
    assert value_of(console, "desktops.shut-down-seconds") == 45
    page.fill("Time to shut down", "30")
    page.press("Save")
    page.sees("is saved")
    assert value_of(console, "desktops.shut-down-seconds") == 30


def test_the_host(sign_in_at_page):
    page = sign_in_at_page("ada", "admin")
    page.go("overview")
    page.sees("Processors of")
    page.look("overview")
    page.go("house")
    page.sees("This host")
    page.look("house")
    page.press("Begin maintenance")
    page.sees("In maintenance")
    page.press("End maintenance")
    page.sees_no("In maintenance")
