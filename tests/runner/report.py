# SPDX-License-Identifier: Apache-2.0
"""What passed, failed and was skipped, added up over every part."""
import xml.etree.ElementTree as xml


class Report:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def one(self, name, ok, detail=""):
        if ok:
            self.passed += 1
        else:
            self.failed.append(name)
            print(f"FAILED {name}\n{detail}", flush=True)

    def junit(self, part, path, exit_status):
        """Adds a JUnit file, as meson and pytest write it. A runner that failed without naming a test is a failure."""
        try:
            cases = list(xml.parse(path).getroot().iter("testcase"))
        except (OSError, xml.ParseError) as error:
            return self.one(part, False, f"no results: {error}")
        failures = 0
        for case in cases:
            name = f"{part}: {case.get('classname', '')} {case.get('name', '')}"
            if case.find("failure") is not None or case.find("error") is not None:
                failures += 1
                self.failed.append(name)
            elif case.find("skipped") is not None:
                self.skipped.append(f"{name}: {case.find('skipped').get('message', '')}")
            else:
                self.passed += 1
        if exit_status and not failures:
            self.one(part, False, f"ended with status {exit_status}")
        if not cases:
            self.one(part, False, "ran no test")

    def close(self):
        for name in self.skipped:
            print(f"skipped {name}")
        for name in self.failed:
            print(f"failed {name}")
        print(f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped")
        return 1 if self.failed or not self.passed else 0
