# SPDX-License-Identifier: Apache-2.0
"""A real OpenLDAP server with a small office in it."""
import os
import socket
import subprocess
import time

BASE = "dc=example,dc=org"
PEOPLE = f"ou=people,{BASE}"
SERVICE = f"cn=carrel,{BASE}", "service secret"
ROOT = f"cn=root,{BASE}", "root secret"

CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile {folder}/slapd.pid
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
security simple_bind=128
referral {referral}
database mdb
maxsize 10485760
suffix "{base}"
rootdn "{root[0]}"
rootpw "{root[1]}"
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="{people}" by dn.exact="{service[0]}" read by self read by * none
access to * by dn.exact="{service[0]}" read by * none
overlay memberof
overlay ppolicy
ppolicy_default "cn=policy,{base}"
ppolicy_use_lockout
"""

# Users are loaded before the server runs, since policies' own attributes cannot be set later.
USERS = f"""
dn: {BASE}
objectClass: domain
dc: example

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{BASE}
objectClass: organizationalUnit
ou: groups

dn: cn=policy,{BASE}
objectClass: applicationProcess
objectClass: pwdPolicy
cn: policy
pwdAttribute: userPassword
pwdMaxAge: 31536000
pwdMustChange: TRUE
pwdLockout: TRUE

dn: {SERVICE[0]}
objectClass: person
cn: carrel
sn: carrel
userPassword: {SERVICE[1]}
"""


def user(name, password="right", cn=None, **more):
    """One user as LDIF; `cn` is what the entry is called by."""
    lines = [f"dn: cn={cn or name},{PEOPLE}", "objectClass: inetOrgPerson", "sn: x", f"userPassword: {password}"]
    lines += [f"uid: {name}"] + [f"{key}: {value}" for key, value in more.items()]
    return "\n".join(lines) + "\n\n"


OFFICE = "".join([
    user("anna", "anna's password", displayName="Anna Meyer"),
    user("bert", displayName="Bert"),
    user("carl", cn="Carl \\22C\\22 \\2B \\C3\\A4\\2C (or \\2A) \\5C #1"),
    user("a*b", cn="star"),
    user("twin", cn="one"), user("twin", cn="two"),
    user("locked", pwdAccountLockedTime="000001010000Z"),
    user("expired", pwdChangedTime="20000101000000Z"),
    user("reset", pwdReset="TRUE"),
])

GROUPS = {"staff": ["anna", "bert"], "admins": ["anna"], "help (desk)": ["bert"], "others": ["locked"]}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Slapd:
    """Listens on .ldap (StartTLS) and .ldaps; `referral` is where it sends those who ask for what it has not."""

    def __init__(self, folder, certificate, key, referral="ldap://127.0.0.1:9"):
        self.folder = folder
        (folder / "data").mkdir()
        self.ldap, self.ldaps = (f"{scheme}://127.0.0.1:{free_port()}" for scheme in ("ldap", "ldaps"))
        self.config = folder / "slapd.conf"
        self.config.write_text(CONFIG.format(folder=folder, certificate=certificate, key=key, base=BASE, people=PEOPLE,
                                             service=SERVICE, root=ROOT, referral=referral))
        self._run("slapadd", "-f", self.config, input=USERS + "\n" + OFFICE)
        self.process = None

    def _run(self, *command, input=None, **environment):
        done = subprocess.run(command, input=input, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, **environment})
        assert done.returncode == 0, done.stdout

    def start(self):
        self.process = subprocess.Popen(["slapd", "-h", f"{self.ldap} {self.ldaps}", "-f", self.config, "-d", "0"],
                                        stdout=subprocess.DEVNULL, stderr=(self.folder / "log").open("w"))
        for address in (self.ldap, self.ldaps):
            self._wait(int(address.rpartition(":")[2]))
        return self

    def _wait(self, port):
        until = time.monotonic() + 30
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                assert self.process.poll() is None and time.monotonic() < until, (self.folder / "log").read_text()
                time.sleep(0.05)

    def add_groups(self, authority):
        """Over the wire, so that the overlay gives their members memberOf."""
        ldif = ""
        for name, members in GROUPS.items():
            ldif += f"dn: cn={name},ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: {name}\n"
            ldif += "".join(f"member: cn={member},{PEOPLE}\n" for member in members) + "\n"
        self._run("ldapadd", "-x", "-H", self.ldaps, "-D", ROOT[0], "-w", ROOT[1], input=ldif,
                  LDAPTLS_CACERT=str(authority.path))

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None
