# SPDX-License-Identifier: Apache-2.0
"""The parts of tests/run: what each builds and how it is run."""
import concurrent.futures
import glob
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

SOURCES = ["vmm", "display", "usb", "ha", "appliance", "web-ui", "tests"]

# Build folders and their Meson options. Unit tests run under the sanitizers; guests and clients meet the release build.
BUILDS = {
    "build": ["--buildtype=debugoptimized"],
    "build-asan": ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dguests=false"],
    "build-clang": ["-Dguests=false"],
    "build-fuzz": ["-Dfuzzers=true", "-Dguests=false", "-Db_sanitize=address,undefined", "-Db_lundef=false",
                   "-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined"],
}
CLANG = {"build-clang", "build-fuzz"}


def run(*command, **more):
    return subprocess.run(command, **more).returncode


def tool(report, name, *command):
    """A command that is itself the test: it passes when it exits 0; its output is shown only when it does not."""
    started = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    report.one(name, done.returncode == 0, done.stdout, time.monotonic() - started)
    return done.returncode == 0


def build(report, folder, *targets):
    environment = dict(os.environ)
    if folder in CLANG:
        environment["CC"] = "clang"
    if not os.path.exists(f"{folder}/build.ninja"):
        done = subprocess.run(
            ["meson", "setup", "--fatal-meson-warnings", folder, *BUILDS[folder]],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            report.one(f"setup {folder}", False, done.stdout[-4000:])
            return False
    return tool(report, f"build {folder}", "meson", "compile", "-C", folder, *targets)


def failed_before(results):
    """The tests that failed in the run whose results these are, as pytest wants to hear of them."""
    cases = xml.parse(results).getroot().iter("testcase")
    return [f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}" for case in cases
            if case.find("failure") is not None or case.find("error") is not None]


def processors():
    return len(os.sched_getaffinity(0))


# Tests that mostly wait, and have nothing in common: as many at once as there are processors, four at most.
SIDE_BY_SIDE = ["-n", str(min(processors(), 4)), "--dist=worksteal"]


def pytest(options, report, part, folder, *more):
    results = os.path.join(options.out, f"{part}.xml")
    only = ["-k", options.only] if options.only else []
    if options.failed and os.path.exists(results):
        folder, *only = failed_before(results) or [folder]
    status = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={results}",
                 *only, *more, folder, env={**os.environ, "CARREL_BUILD": os.path.abspath("build"),
                                            "CARREL_OUT": options.out,
                                            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})
    report.junit(part, results, status)


def lint(options, report):
    """Formatting, layers, man pages, AppArmor profiles."""
    files = [f for top in SOURCES for f in glob.glob(f"{top}/**/*.[ch]", recursive=True)]
    tool(report, "clang-format", "clang-format", "--dry-run", "-Werror", *files)
    tool(report, "layers", sys.executable, "tests/runner/layers.py")
    tool(report, "manual has every key", sys.executable, "tests/runner/man_keys.py")
    tool(report, "filters have every request", sys.executable, "tests/runner/filter_requests.py")
    tool(report, "AppArmor profiles", "apparmor_parser", "--skip-kernel-load", "--skip-cache", "appliance/apparmor/carrel")
    for page in glob.glob("*/*.[1-8]"):
        tool(report, f"man page {page}", "mandoc", "-T", "lint", "-W", "warning", page)


def meson_test(report, folder, *more):
    for old in glob.glob(f"{folder}/meson-logs/*.xml"):
        os.unlink(old)
    status = run("meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs", "--quiet", "-j2", *more)
    report.junit(folder, f"{folder}/meson-logs/testlog.junit.xml", status)


def unit_tests(folder, part):
    """The names of those unit tests that have `part` in them."""
    listed = subprocess.run(["meson", "test", "-C", folder, "--no-rebuild", "--suite", "unit", "--list"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    return [name for name in (line.rpartition(" / ")[2] for line in listed.splitlines()) if part in name]


def unit(options, report):
    """gcc with the sanitizers, then clang without."""
    for folder in ("build-asan", "build-clang"):
        if not build(report, folder):
            continue
        names = unit_tests(folder, options.only) if options.only else []
        if options.only and not names:
            report.one(f"no unit test has “{options.only}” in its name", False)
        else:
            meson_test(report, folder, "--suite", "unit", *names)


def guest(options, report):
    """Bare-metal guests on the real /dev/kvm; the hostile ones once more against a VMM with the sanitizers in it."""
    if not build(report, "build"):
        return
    pytest(options, report, "guest", "tests/guest", *SIDE_BY_SIDE)
    if (not options.only or "hostile" in options.only) and build(report, "build-asan", "carrel-vmm"):
        pytest(options, report, "guest-sanitized", "tests/guest/test_hostile.py", "--program=build-asan/carrel-vmm",
               "--no-sandbox")


def spice(options, report):
    """Real SPICE clients against the display code alone."""
    if build(report, "build"):
        pytest(options, report, "spice", "tests/spice", *SIDE_BY_SIDE)


def services(options, report):
    """Real services that Carrel depends on, started for the test; and false ones."""
    if build(report, "build"):
        pytest(options, report, "services", "tests/services")


def fuzz_target(options, name):
    """A target on its own; what it prints, once it has ended."""
    fresh = os.path.join(options.out, "corpus", name)
    os.makedirs(fresh, exist_ok=True)
    return subprocess.run(
        [f"build-fuzz/tests/fuzz/{name}", f"-max_total_time={options.seconds}", f"-artifact_prefix={fresh}/crash-",
         "-rss_limit_mb=1024", "-timeout=10", "-verbosity=0", fresh, f"tests/fuzz/corpus/{name.removeprefix('fuzz-')}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def office(options, report):
    """A whole host in a temporary folder, and who comes to it."""
    if build(report, "build"):
        pytest(options, report, "office", "tests/office", *SIDE_BY_SIDE)


def fuzz(options, report):
    """Replays every corpus, then fuzzes each target afresh, on each processor one."""
    if not build(report, "build-fuzz", "fuzz"):
        return
    meson_test(report, "build-fuzz", "--suite", "fuzz")
    names = sorted(os.path.basename(target) for target in glob.glob("build-fuzz/tests/fuzz/fuzz-*")
                   if os.path.isfile(target) and os.access(target, os.X_OK))
    names = [name for name in names if not options.only or options.only in name]
    with concurrent.futures.ThreadPoolExecutor(max_workers=processors()) as workers:
        for name, done in zip(names, workers.map(lambda name: fuzz_target(options, name), names)):
            report.one(f"{name} for {options.seconds} s", done.returncode == 0, done.stdout)


def e2e(options, report):
    """A Linux desktop in the rig, and real clients."""
    if build(report, "build"):
        pytest(options, report, "e2e", "tests/e2e")


def bench(options, report):
    """Side by side with QEMU. A missed target is in the table, not a failure; a figure that cannot be had is."""
    if build(report, "build"):
        only = ["--only", options.only] if options.only else []
        report.one("bench", run(sys.executable, "tests/bench/run.py", "--out", options.out, *only) == 0)
