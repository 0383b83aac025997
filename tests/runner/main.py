# SPDX-License-Identifier: Apache-2.0
"""tests/run: builds every configuration it needs, runs the parts asked for, and counts honestly.

A part is a function below, in the order of the table PARTS; a missing tool or a failed build is a failure of that part.
"""
import argparse
import os
import signal
import sys

import parts
from report import Report

PARTS = {
    "lint": parts.lint,
    "unit": parts.unit,
    "guest": parts.guest,
    "spice": parts.spice,
    "services": parts.services,
    "office": parts.office,
    "fuzz": parts.fuzz,
    "e2e": parts.e2e,
    "bench": parts.bench,
}
DEFAULT = [name for name in PARTS if name != "bench"]


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/run",
        description="Build Carrel and run its tests. Without a part: all but bench.",
    )
    parser.add_argument("part", nargs="?", choices=PARTS, help="run this part alone")
    parser.add_argument("--only", metavar="NAME", help="within the part, only what matches NAME")
    parser.add_argument("--failed", action="store_true", help="only what failed in the part's last run (those run by pytest)")
    parser.add_argument("--out", metavar="DIR", help="where bench.json and pictures go (default tests/out)")
    parser.add_argument("--seconds", type=int, default=30, help="fresh fuzzing a target (default 30)")
    options = parser.parse_args()
    options.source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    options.out = os.path.abspath(options.out or os.path.join(options.source, "tests", "out"))
    return options


def hear_signals():
    """
    A shell that starts us in the background has SIGINT ignored, nohup SIGHUP. Programs under test would inherit it, and rightly
    go on ignoring what the tests send them.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def main():
    hear_signals()
    options = arguments()
    os.makedirs(options.out, exist_ok=True)
    os.chdir(options.source)
    report = Report()
    for name in [options.part] if options.part else DEFAULT:
        with report.part(name):
            PARTS[name](options, report)
    return report.close()


sys.exit(main())
