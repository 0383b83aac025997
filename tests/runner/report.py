# SPDX-License-Identifier: Apache-2.0
"""What passed, failed and was skipped, added up over every part; and where the time went."""
import contextlib
import time
import xml.etree.ElementTree as xml

SLOWEST = 10  # that a part shows
SLOW = 2  # seconds, below which nobody asks


def times(suite):
    """(seconds, what) of a JUnit suite. Of a program that tells of several tests Meson knows only the whole's."""
    timed = [case for case in suite.iter("testcase") if case.get("time")]
    if not timed:
        return [(float(suite.get("time", 0)), suite.get("name", "").rpartition(" / ")[2])]
    return [(float(case.get("time")), f"{case.get('classname', '')} {case.get('name', '')}") for case in timed]


class Report:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []
        self._seconds = {}  # of each part
        self._took = []  # (seconds, what) within the part that runs

    @contextlib.contextmanager
    def part(self, name):
        """Around all of a part: says how long it took, and what in it took longest."""
        print(f"==> {name}", flush=True)
        started, self._took = time.monotonic(), []
        yield
        self._seconds[name] = time.monotonic() - started
        print(f"==> {name}: {self._seconds[name]:.0f} s", flush=True)
        for seconds, what in sorted(self._took, reverse=True)[:SLOWEST]:
            if seconds >= SLOW:
                print(f"{seconds:8.1f} s  {what}", flush=True)

    def one(self, name, ok, detail="", seconds=0):
        self._took.append((seconds, name))
        if ok:
            self.passed += 1
        else:
            self.failed.append(name)
            print(f"FAILED {name}\n{detail}", flush=True)

    def junit(self, part, path, exit_status):
        """Adds a JUnit file, as meson and pytest write it. A runner that failed without naming a test is a failure."""
        try:
            suites = list(xml.parse(path).getroot().iter("testsuite"))
        except (OSError, xml.ParseError) as error:
            return self.one(part, False, f"no results: {error}")
        self._took += [(seconds, f"{part}: {what}") for suite in suites for seconds, what in times(suite)]
        cases = [case for suite in suites for case in suite.iter("testcase")]
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
        if len(self._seconds) > 1:
            for name, seconds in self._seconds.items():
                print(f"{seconds:8.0f} s  {name}")
        print(f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped")
        return 1 if self.failed or not self.passed else 0
