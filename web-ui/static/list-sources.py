#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints what the page is made of, so that Meson packs it anew when one of these changes."""
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
SUFFIXES = {".js", ".mjs", ".css", ".html", ".svg"}

for path in sorted(HERE.rglob("*")):
    if path.suffix in SUFFIXES:
        print(path.relative_to(HERE))
