# SPDX-License-Identifier: Apache-2.0
"""Who may include whom: the table of the architecture, held against every #include."""
import glob
import re
import sys

# A folder and the includes (regular expressions) it must never have.
FORBIDDEN = {
    "vmm": r'"(display|usb|ha|appliance|web-ui)/|<(spice|pixman|libusb)',
    "usb": r'"(display|ha|appliance|web-ui)/|"vmm/(control|config|sandbox|desktop|firmware|net|kvm/(?!memory))',
    "display": r'"(usb|ha|appliance|web-ui)/|"vmm/(control|config|sandbox|kvm/(?!memory))',
}
GIO_FOLDERS = ("vmm/control/",)
WIRING = ("vmm/main.c", "vmm/desktop/")  # the places that know every device


def main():
    wrong = []
    for folder, pattern in FORBIDDEN.items():
        for path in glob.glob(f"{folder}/**/*.[ch]", recursive=True):
            if path.startswith(WIRING):
                continue
            for number, line in enumerate(open(path), 1):
                included = re.match(r"\s*#\s*include\s+(.*)", line)
                if included and re.match(pattern, included[1]):
                    wrong.append(f"{path}:{number}: {folder}/ must not include {included[1]}")
                if included and re.match(r"<gio/", included[1]) and not path.startswith(GIO_FOLDERS):
                    if folder == "vmm":
                        wrong.append(f"{path}:{number}: only vmm/control/ uses GIO")
    print("\n".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
