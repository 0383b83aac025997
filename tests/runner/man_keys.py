# SPDX-License-Identifier: Apache-2.0
"""
Holds the manuals against the tables in the sources: carrel-desktop.conf(5), carreld.conf(5) and carrel-web.conf(5) have each key in
its group, with its default and the words it may be, and nothing else; carrel-vmm(1) has each verb of ctl.
"""
import re
import sys


def default(kind, rest, words):
    """What a key is when it is not given, as the manual would say it; None where that needs more than a word."""
    given = re.search(r'"([^"]*)"', rest)
    if given:
        return given[1]
    if kind == "BOOL":
        return "false"
    return words[0] if kind == "CHOICE" else None


def keys_in(text):
    """{variable: {key: (default, words)}}: the tables of keys in a source."""
    words = {name: re.findall(r'"([^"]+)"', body)
             for name, body in re.findall(r"(\w+_words)\[\] = \{(.*?)\}", text, re.S)}
    keys = {}
    for variable, body in re.findall(r"static const (?:Daemon)?Key (\w+)_keys\[\] = \{(.*?)\n\};", text, re.S):
        keys[variable] = {}
        for name, kind, rest in re.findall(r'\{"([^"]+)",\s*(?:DAEMON_)?KEY_(\w+),(.*?)\}', body):
            choices = re.search(r"\.words = (\w+)", rest)
            choices = words[choices[1]] if choices else []
            keys[variable][name] = default(kind, rest, choices), choices
    return keys


def desktop_table():
    """{group: {key: (default, words)}}"""
    text = open("vmm/config/keys.c").read()
    keys = keys_in(text)
    groups = re.search(r"static const KeyGroup groups\[\] = \{(.*?)\n\};", text, re.S)[1]
    return {name: keys[variable] for name, variable in re.findall(r'\{"([\w-]+)",\s*(\w+)_keys', groups)}


def daemon_table():
    """The same of carreld, whose tables are called as their groups."""
    sources = ("appliance/daemon/config.c", "appliance/daemon/directory_config.c")
    return {variable.replace("_", "-"): keys for source in sources for variable, keys in keys_in(open(source).read()).items()}


def web_table():
    """The same of carrel-web: one group."""
    text = open("web-ui/server/config.c").read()
    return {"web": {name: (value or None, []) for name, value in
                    re.findall(r'\{"([\w-]+)", KEY_\w+, offsetof\([^)]*\), (?:"([^"]*)"|NULL)', text)}}


def manual(page):
    """{group: {key: paragraph}}"""
    sections = re.split(r"^\.Ss \[([\w-]+)[^\]]*\]\n", open(page).read(), flags=re.M)[1:]
    found = {}
    for name, body in zip(sections[::2], sections[1::2]):
        items = re.split(r"^\.It Cm (\S+).*\n", body, flags=re.M)[1:]
        found[name] = dict(zip(items[::2], items[1::2]))
    return found


def mistakes_of_keys(wanted, found):
    if not wanted:
        yield "a table was not found"
    for group in sorted(set(wanted) | set(found)):
        keys, paragraphs = wanted.get(group, {}), found.get(group, {})
        for key in sorted(set(keys) ^ set(paragraphs)):
            yield f"[{group}] {key} is {'not in the manual' if key in keys else 'in the manual alone'}"
        for key in set(keys) & set(paragraphs):
            value, words = keys[key]
            text = paragraphs[key].replace("\n.Ar ", " ").replace("\\-", "-")
            if value is not None and not re.search(rf"Default:? {re.escape(value)}\b", text):
                yield f"[{group}] {key}: the manual does not say “Default {value}”"
            for word in words:
                if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text):
                    yield f"[{group}] {key}: the manual does not say what “{word}” is"


def mistakes():
    yield from mistakes_of_keys(desktop_table(), manual("vmm/carrel-desktop.conf.5"))
    yield from mistakes_of_keys(daemon_table(), manual("appliance/carreld.conf.5"))
    yield from mistakes_of_keys(web_table(), manual("web-ui/carrel-web.conf.5"))
    verbs = re.search(r"\} verbs\[\] = \{(.*?)\n\};", open("vmm/control/ctl.c").read(), re.S)[1]
    page = open("vmm/carrel-vmm.1").read()
    for verb in re.findall(r'\{"([^"]+)"', verbs):
        if not re.search(rf"^\.It Cm {verb}\b", page, re.M):
            yield f"the verb {verb} is not in carrel-vmm(1)"
    if not verbs:
        yield "a table was not found"


found = list(mistakes())
print("\n".join(found))
sys.exit(bool(found))
