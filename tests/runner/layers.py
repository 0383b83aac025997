# SPDX-License-Identifier: Apache-2.0
"""
Who may include whom, held against every #include: the folders by the table below, those within vmm/ by their order in
vmm/meson.build.
"""
import glob
import re
import sys

# A folder and the includes (regular expressions) it must never have.
FORBIDDEN = {
    "vmm": r'"(display|usb|ha|appliance|web-ui)/|<(spice|pixman|libusb)',
    "usb": r'"(display|ha|appliance|web-ui)/|"vmm/(control|config|sandbox|desktop|firmware|net|kvm/(?!memory))',
    "ha": r'"(vmm|display|usb|appliance|web-ui)/|<(spice|pixman|libusb)',
    "appliance": r'"(vmm|display|usb|web-ui)/',
    "appliance/sign-in": r'"(vmm|display|usb|ha|web-ui|appliance/(?!sign-in))/',
    "appliance/command": r'"(vmm|display|usb|web-ui|appliance/(?!command))/',
    "appliance/network": r'"(vmm|display|usb|ha|web-ui|appliance/(?!network))/',
    "appliance/desktops": r'"(vmm|display|usb|ha|web-ui|appliance/(?!(desktops|storage|network|apparmor)/|sign-in/secret\.h))',
    "appliance/storage": r'"(vmm|display|usb|ha|web-ui|appliance/(?!(storage|apparmor)/))',
    "web-ui": r'"(vmm|display|usb|ha|appliance)/|<sqlite',
    "display": r'"(usb|ha|appliance|web-ui)/|"vmm/(control|config|sandbox|kvm/(?!memory))',
}
GIO_FOLDERS = ("vmm/control/",)
WIRING = ("vmm/main.c", "vmm/desktop/")  # the places that know every device


def within_vmm():
    """The folders of vmm/, each of which may use those before it."""
    return re.findall(r"^subdir\('(\w+)'\)", open("vmm/meson.build").read(), re.M)


def upwards(path, included, order):
    """Whether a file of vmm/ includes what stands after its own folder."""
    target = re.match(r'"vmm/(\w+)/', included)
    own = path.split("/")[1]
    return target and order.index(target[1]) > order.index(own)


def main():
    order = within_vmm()
    wrong = []
    for folder, pattern in FORBIDDEN.items():
        for path in glob.glob(f"{folder}/**/*.[ch]", recursive=True):
            if path.startswith(WIRING):
                continue
            for number, line in enumerate(open(path), 1):
                included = re.match(r"\s*#\s*include\s+(.*)", line)
                if included and re.match(pattern, included[1]):
                    wrong.append(f"{path}:{number}: {folder}/ must not include {included[1]}")
                if included and folder == "vmm" and upwards(path, included[1], order):
                    wrong.append(f"{path}:{number}: stands before what it includes in vmm/meson.build: {included[1]}")
                if included and re.match(r"<gio/", included[1]) and not path.startswith(GIO_FOLDERS):
                    if folder == "vmm":
                        wrong.append(f"{path}:{number}: only vmm/control/ uses GIO")
    print("\n".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
