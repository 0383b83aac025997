# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser, as a person uses it: by what is written on buttons and beside fields."""
import os
import pathlib
import time

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

HERE = pathlib.Path(__file__).resolve().parent
OUT = pathlib.Path(os.environ.get("CARREL_OUT", HERE.parents[1] / "out")) / "office" / "browser"
CHECKS = (HERE / "accessible.js").read_text()
TIMEOUT = 30
WIDE, PHONE = (1280, 860), (390, 844)

# Whatever is seen: in the dialog, if there is one, else on the page.
FIND = """
const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length;
const dialogs = [...document.querySelectorAll("dialog[open]")];
const root = dialogs.at(-1) || document.body;
const said = (element) => (element.getAttribute("aria-label") || element.innerText || element.textContent || "").trim().replace(/\\s+/g, " ");
"""
BUTTON = FIND + """
const all = [...root.querySelectorAll("button, a[href], summary, [role=menuitem], label.choice")].filter(shown);
return all.find((one) => said(one) === arguments[0]) || all.find((one) => said(one).startsWith(arguments[0])) || null;
"""
FIELD = FIND + """
const label = [...root.querySelectorAll("label")].filter(shown).find((one) => said(one) === arguments[0]);
return label ? document.getElementById(label.htmlFor) : [...root.querySelectorAll("[aria-label]")].filter(shown).find((one) => said(one) === arguments[0]) || null;
"""
SAYS = FIND + "return (arguments[1] ? root : document.body).innerText.replace(/\\s+/g, ' ').includes(arguments[0])"


def start_chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--ignore-certificate-errors",
                     "--disable-dev-shm-usage", f"--window-size={WIDE[0]},{WIDE[1]}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))


class Page:
    """A window at a host's page. What it does waits until what it needs is there."""

    def __init__(self, driver, url):
        self.driver, self.url = driver, url
        self.look_like("light", WIDE)

    def look_like(self, scheme, size):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme},
                                                                               {"name": "prefers-reduced-motion", "value": "reduce"}]})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE})

    def open(self, place=""):
        self.driver.get(f"{self.url}/#/{place}")

    def go(self, place):
        """To another place of the page, which stays loaded."""
        self.run("location.hash = '#/' + arguments[0]", place)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def until(self, script, *arguments, what=None):
        try:
            return WebDriverWait(self.driver, TIMEOUT, 0.05).until(lambda driver: driver.execute_script(script, *arguments))
        except TimeoutException:
            self.shot("failed")
            text = self.run("return document.body.innerText")
            raise AssertionError(f"{what or script} does not come; the page says:\n{text[-2000:]}") from None

    # ---- as a person does ----

    def press(self, words):
        element = self.until(BUTTON, words, what=f"“{words}”")
        self.until("return !arguments[0].disabled", element, what=f"“{words}” to be allowed")
        self.run("arguments[0].scrollIntoView({ block: 'center' })", element)
        element.click()

    def fill(self, label, text):
        field = self.until(FIELD, label, what=f"the field “{label}”")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(Keys.BACKSPACE)
        field.send_keys(text)

    def choose(self, label, option):
        field = self.until(FIELD, label, what=f"the list “{label}”")
        self.until("const o = [...arguments[0].options].find((one) => one.text === arguments[1]); if (!o) return false;"
                   "arguments[0].value = o.value; arguments[0].dispatchEvent(new Event('change', { bubbles: true })); return true",
                   field, option, what=f"“{option}” in “{label}”")

    def pick(self, label, name):
        """One of many, by some of its name."""
        self.fill(label, name)
        self.until(FIND + "const o = [...root.querySelectorAll('[role=option]')].find((one) => one.innerText.startsWith(arguments[0]));"
                          "o?.dispatchEvent(new MouseEvent('mousedown', { bubbles: true, cancelable: true })); return Boolean(o)", name, what=f"{name} among what is found")

    def tick(self, label):
        self.until(FIELD, label, what=f"“{label}”").click()

    def menu(self, of, words):
        self.press(of)
        self.press(words)

    def sees(self, text, inside=False):
        """Waits until it is written somewhere: inside: in the dialog that is open."""
        self.until(SAYS, text, inside, what=f"“{text}”")

    def sees_no(self, text):
        self.until("return !document.body.innerText.replace(/\\s+/g, ' ').includes(arguments[0])", text, what=f"the end of “{text}”")

    def says(self, text):
        return self.run(SAYS, text, False)

    def no_dialog(self):
        self.until("return !document.querySelector('dialog[open]')", what="the dialog's end")

    def sign_in(self, name, password):
        self.fill("Name", name)
        self.fill("Password", password)
        self.press("Sign in")

    # ---- what administrators do, each from any place ----

    def make_pool(self, name, template, size, spares=0):
        self.go("pools")
        self.press("New pool")
        self.until("return [...document.querySelectorAll('#field-template option')].some((one) => one.text === arguments[0])", template, what="the template")
        self.fill("Name", name)
        self.choose("Made from", template)
        self.fill("At most so many desktops", str(size))
        self.fill("Of these, started ahead", str(spares))
        self.press("Make it")
        self.no_dialog()

    def make_user(self, name, password):
        self.go("users")
        self.press("New user")
        self.fill("Name to sign in with", name)
        self.fill("Password", password)
        self.press("Make it")
        self.no_dialog()

    def give_pool(self, person, pool):
        self.go("assignments")
        self.press("Give something")
        self.pick("Person", person)
        self.choose("Pool", pool)
        self.press("Give")
        self.no_dialog()

    def keys(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    # ---- looking ----

    def settle(self):
        """Until nothing is being read and every picture is there."""
        self.until("return !document.querySelector('.waiting') && [...document.images].every((one) => one.complete)", what="rest")
        time.sleep(0.1)  # for a frame to be drawn: nothing tells of it

    def shot(self, name):
        OUT.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(OUT / f"{name}.png"))

    def look(self, name):
        """Pictures in light, dark and at a phone's width, each held to what everybody must be able to read and reach."""
        self.settle()
        faults = []
        for suffix, scheme, size in (("", "light", WIDE), ("-dark", "dark", WIDE), ("-phone", "light", PHONE)):
            self.look_like(scheme, size)
            self.until("return innerWidth === arguments[0]", size[0])
            self.settle()
            self.shot(name + suffix)
            faults += [f"{name}{suffix}: {fault}" for fault in self.run(CHECKS)]
        self.look_like("light", WIDE)
        assert not faults, "\n".join(faults)

    def complaints(self):
        """What the browser's console complains of, but for answers that say no, which tests ask for."""
        return [line["message"] for line in self.driver.get_log("browser")
                if line["level"] == "SEVERE" and "Failed to load resource" not in line["message"]]
