# SPDX-License-Identifier: Apache-2.0
"""Authorities and certificates, made with openssl for one run of the tests."""
import subprocess


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Authority:
    """One that signs servers' certificates; .path is its own."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.path, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.path)

    def sign(self, name, alternative, begin="20250101000000Z", end="20991231235959Z"):
        """A certificate for `alternative` ("IP:127.0.0.1"), and its key: two paths."""
        request, key, path = (self.folder / f"{self.name}-{name}.{ending}" for ending in ("csr", "key", "pem"))
        extensions = self.folder / f"{self.name}-{name}.cnf"
        extensions.write_text(f"subjectAltName={alternative}\nextendedKeyUsage=serverAuth\n")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                 "-keyout", key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.path, "-CAkey", self.key, "-CAcreateserial",
                 "-not_before", begin, "-not_after", end, "-extfile", extensions, "-out", path)
        return path, key
