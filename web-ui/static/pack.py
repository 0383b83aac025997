#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pack.py ESBUILD SOURCE OUT: the page as browsers get it.

One script and one style sheet, minified, each beside its gzip; index.html names them by a digest of what they hold, so that a
browser may keep them for good and still sees every change at once.
"""
import gzip
import hashlib
import pathlib
import subprocess
import sys

NAMES = {"preact": "preact.mjs", "preact/hooks": "preact-hooks.mjs", "htm": "htm.mjs", "uqr": "uqr.mjs"}


def bundle(esbuild, entry, out, *more):
    subprocess.run([esbuild, str(entry), "--bundle", "--minify", f"--outfile={out}", "--log-level=warning",
                    "--legal-comments=none", "--charset=utf8", *more], check=True)


def main(esbuild, source, out):
    aliases = [f"--alias:{name}={source / 'vendor' / file}" for name, file in NAMES.items()]
    bundle(esbuild, source / "js/main.js", out / "page.js", "--format=esm", "--target=es2022", *aliases)
    bundle(esbuild, source / "css/page.css", out / "page.css", "--target=chrome110,firefox115,safari16")
    html = (source / "index.html").read_text()
    for name in ("page.js", "page.css"):
        digest = hashlib.sha256((out / name).read_bytes()).hexdigest()[:16]
        html = html.replace(f'"/{name}"', f'"/{name}?{digest}"')
    (out / "index.html").write_text(html)
    (out / "icon.svg").write_text((source / "icon.svg").read_text())
    for name in ("page.js", "page.css", "index.html", "icon.svg"):
        (out / f"{name}.gz").write_bytes(gzip.compress((out / name).read_bytes(), 9, mtime=0))


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
