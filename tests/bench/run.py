# SPDX-License-Identifier: Apache-2.0
"""
Measures carrel-vmm beside QEMU: the same guests, the same /dev/kvm, in turn. Prints a table and writes bench.json.

A missed target is told in the table and does not fail the run; a figure that cannot be had does.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "guest"), str(HERE.parent / "usb-peer")]

import figures  # noqa: E402
import office  # noqa: E402
import vmm  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(prog="tests/run bench", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="only figures and measurements whose name contains NAME")
    parser.add_argument("--out", metavar="DIR", type=pathlib.Path, default=pathlib.Path("tests/out"))
    parser.add_argument("--vmm", choices=["both", "qemu", "carrel"], default="both")
    parser.add_argument("--runs", type=int, help="instead of each measurement's own number of runs")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(os.environ.get("CARREL_BUILD", "build")))
    return parser.parse_args()


def wanted(only, measurement, its_figures):
    return not only or only in measurement.__name__ or any(only in figure.name for figure in its_figures)


def measure(measurement, runs, its_figures, adapters):
    """{figure name: {adapter name: samples}}, the adapters taking turns and changing who goes first."""
    samples = {figure.name: {name: [] for name in adapters} for figure in its_figures}
    for turn in range(runs):
        for name in sorted(adapters, reverse=turn % 2 == 1):
            with tempfile.TemporaryDirectory(prefix="carrel-bench-") as folder:
                got = measurement(adapters[name], pathlib.Path(folder))
            if not isinstance(got, dict):
                got = {its_figures[0].name: got}
            for figure in its_figures:
                value = got[figure.name]
                samples[figure.name][name] += value if isinstance(value, list) else [value]
    return samples


def measure_host(measurement, runs, its_figures):
    """The same of a host, which has nobody beside it."""
    samples = {figure.name: {"carrel": [], "qemu": []} for figure in its_figures}
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="carrel-bench-") as folder:
            for name, more in measurement(pathlib.Path(folder)).items():
                samples[name]["carrel"] += more
    return samples


def judge(figure, samples):
    """One entry of bench.json."""
    value = {name: figure.reduce(numbers) for name, numbers in samples.items() if numbers}
    carrel, qemu = value.get("carrel"), value.get("qemu")
    both = carrel is not None and qemu is not None
    return {"name": figure.name, "unit": figure.unit, "carrel": carrel, "qemu": qemu,
            "ratio": carrel / qemu if both and qemu else None, "target": figure.target,
            "met": figure.met(carrel, qemu) if figure.met and (both or figure.alone and carrel is not None) else None}


def shown(value):
    return "–" if value is None else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def line(entry):
    met = {True: "yes", False: "no", None: "–"}[entry["met"]]
    return (f"| {entry['name']} | {entry['unit']} | {shown(entry['carrel'])} | {shown(entry['qemu'])} "
            f"| {shown(entry['ratio'])} | {entry['target'] or '–'} | {met} |")


def main():
    options = arguments()
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("no access to /dev/kvm on this machine: nothing can be measured")
        return 1
    os.environ.setdefault("CARREL_BUILD", str(options.build.resolve()))
    names = ["carrel", "qemu"] if options.vmm == "both" else [options.vmm]
    adapters = {name: vmm.ADAPTERS[name](options.build.resolve()) for name in names}
    for adapter in adapters.values():
        if reason := adapter.missing():
            print(reason)
            return 1

    results, failed = [], []
    print("| figure | unit | carrel | QEMU | ratio | target | met |\n|---|---|---|---|---|---|---|", flush=True)
    for measurement, runs, its_figures in figures.MEASUREMENTS + figures.OF_A_HOST:
        if not wanted(options.only, measurement, its_figures):
            continue
        began = time.monotonic()
        try:
            if measurement.__module__ in ("office", "port"):
                samples = measure_host(measurement, options.runs or runs, its_figures)
            else:
                samples = measure(measurement, options.runs or runs, its_figures, adapters)
        except Exception:
            traceback.print_exc()
            failed.append(measurement.__name__)
            continue
        for figure in its_figures:
            results.append(judge(figure, samples[figure.name]))
            print(line(results[-1]), flush=True)
        print(f"{measurement.__name__}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    for name in failed:
        print(f"could not be measured: {name}")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
