# SPDX-License-Identifier: Apache-2.0
"""Holds carrel-desktop.conf(5) against the table of keys: each key is documented in its group, and nothing else is."""
import re
import sys


def table():
    text = open("vmm/config/keys.c").read()
    keys = {name: re.findall(r'\{"([^"]+)",\s*KEY_', body)
            for name, body in re.findall(r"static const Key (\w+)_keys\[\] = \{(.*?)\n\};", text, re.S)}
    groups = re.search(r"static const KeyGroup groups\[\] = \{(.*?)\n\};", text, re.S)[1]
    return {name: sorted(keys[variable]) for name, variable in re.findall(r'\{"(\w+)",\s*(\w+)_keys', groups)}


def manual():
    sections = re.split(r"^\.Ss \[(\w+)[^\]]*\]\n", open("vmm/carrel-desktop.conf.5").read(), flags=re.M)[1:]
    return {name: sorted(re.findall(r"^\.It Cm (\S+)", body, re.M))
            for name, body in zip(sections[::2], sections[1::2])}


def main():
    wanted, found = table(), manual()
    for group in sorted(set(wanted) | set(found)):
        if wanted.get(group) != found.get(group):
            print(f"[{group}]: the table has {wanted.get(group)}, the manual {found.get(group)}")
    return wanted != found or not wanted


sys.exit(main())
