# SPDX-License-Identifier: Apache-2.0
"""
usage: image-build/enter env PYTHONPATH=tests python3 -m rig [COMMAND]

Boots (or restores) the host and runs COMMAND in it with a shell, or waits for Ctrl-C after saying how to get in.
"""

import sys
import time

from . import process, rooms


def main():
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    process.raise_on_signals()
    with rooms.host() as host:
        if sys.argv[1:]:
            print(host.run(" ".join(sys.argv[1:]), timeout=600), end="")
            return 0
        print("a shell in it:", *host.command("bash -li"), flush=True)
        while host.machine.alive():
            time.sleep(1)
    return 0


try:
    sys.exit(main())
except KeyboardInterrupt:
    sys.exit(130)
