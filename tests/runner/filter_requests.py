# SPDX-License-Identifier: Apache-2.0
"""
Holds the ioctl() requests in the sources against the sandbox's filters: one that no list names ends the desktop, perhaps
only on a host with hardware that the tests' has not. KVM's own are left out, which making a desktop may all use.
"""
import glob
import re
import sys

BEFORE_THE_SANDBOX = {"TUNGETIFF", "TUNSETIFF", "TUNSETVNETHDRSZ", "TUNSETVNETLE"}

filters = set(re.findall(r"IOCTL\((\w+)\)", open("vmm/sandbox/filters.c").read()))
missing = []
for path in glob.glob("vmm/**/*.c", recursive=True) + glob.glob("display/**/*.c", recursive=True) + glob.glob("usb/**/*.c", recursive=True):
    for number, line in enumerate(open(path), 1):
        for request in re.findall(r"ioctl\([^,]+, ([A-Z]\w+)", line):
            if not request.startswith("KVM_") and request not in filters | BEFORE_THE_SANDBOX:
                missing.append(f"{path}:{number}: {request} is in no list of vmm/sandbox/filters.c")
print("\n".join(missing))
sys.exit(bool(missing))
