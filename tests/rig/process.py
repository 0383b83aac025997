# SPDX-License-Identifier: Apache-2.0
"""
Children that cannot outlive us, and signals that become exceptions, so that every `finally` runs.

A child runs in a session of its own (the terminal's Ctrl-C reaches only us, and we end the child in order), and the kernel
kills it should we die without a chance to. That promise is tied to the thread that starts the child: start from the main one.
"""

import ctypes
import os
import signal
import subprocess

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def _die_with_parent(parent):
    def prepare():
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was gone before we asked
            os._exit(127)

    return prepare


def spawn(arguments, log, **more):
    """Starts a program with its output appended to the file `log`."""
    with open(log, "ab") as output:
        return subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                start_new_session=True, preexec_fn=_die_with_parent(os.getpid()), **more)


def end(child, patience=5):
    """Ends a child and whatever it started: first politely, then at once. Ended already is fine."""
    if child is None:
        return
    for last in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, last)
        except ProcessLookupError:
            pass
        try:
            child.wait(patience)
            break
        except subprocess.TimeoutExpired:
            continue
    try:
        os.killpg(child.pid, signal.SIGKILL)  # what it may have left in its group
    except ProcessLookupError:
        pass


class Ended(KeyboardInterrupt):
    """SIGTERM or SIGHUP reached us: to everybody the same as Ctrl-C. (pytest takes a SystemExit for a failed test.)"""


def raise_on_signals():
    """From here on SIGTERM and SIGHUP unwind the stack as Ctrl-C does. Call once, from the main thread."""

    def handler(number, _frame):
        raise Ended(signal.strsignal(number))

    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGHUP, handler)
