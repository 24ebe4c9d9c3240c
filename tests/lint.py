#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that a program can check.  Prints each breach with its place, then `N passed, N failed`."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAYERS = ["base", "codec", "crypto", "tlog", "keeper", "db", "map", "audit", "resource", "notice", "duty", "directory", "devices", "privacy", "backup",
          "channels", "api", "jobs", "cmd"]
HTTP_MAY = {"base", "crypto"}
HTTP_USERS = {"channels", "api", "jobs", "cmd"}
# channels is entered through api's route table and uses api's call (api.h): the two stand side by side.
PEERS = {("channels", "api"), ("jobs", "api")}
LIBRARIES = {"openssl/": "crypto", "cjose/": "crypto", "argon2.h": "crypto", "seccomp.h": "keeper", "microhttpd.h": "http", "gnutls/": "http", "sqlite3.h": "db", "libpq-fe.h": "db", "archive.h": "codec"}
FILE_LINES, LINE_CHARS = 600, 160  # columns with tabs of eight


def sources():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "src", "agent", "tests", "bench"], cwd=ROOT, text=True,
                         capture_output=True, check=True).stdout.split()
    return [f for f in out if os.path.exists(os.path.join(ROOT, f))]


def layer_of(path):
    return path.split("/")[1] if path.startswith("src/") and path.count("/") > 1 else None


def includes(text):
    return re.findall(r'^#include [<"]([^>"]+)[>"]', text, re.M)


def check_layers(path, text):
    own = layer_of(path)
    if own is None:
        return
    for inc in includes(text):
        other = inc.split("/")[0]
        if inc.endswith((".def",)) and other == own or other == own:
            continue
        if other == "http":
            if own not in HTTP_USERS:
                yield f"{path}: {own}/ may not include {inc}"
        elif own == "http":
            if other in LAYERS and other not in HTTP_MAY:
                yield f"{path}: http/ stands on base and crypto, not on {inc}"
        elif other in LAYERS and own in LAYERS and LAYERS.index(other) > LAYERS.index(own) and (own, other) not in PEERS:
            yield f"{path}: {own}/ includes {inc}, which is above it"
        for lib, home in LIBRARIES.items():
            if inc.startswith(lib) and own != home:
                yield f"{path}: only {home}/ includes {inc}"


def check_file(path, text):
    if not path.endswith((".c", ".h", ".def")):
        return
    lines = text.split("\n")
    if "SPDX-License-Identifier: Apache-2.0" not in lines[0]:
        yield f"{path}: the first line carries no SPDX identifier"
    if len(lines) > FILE_LINES and not path.endswith(".def"):
        yield f"{path}: {len(lines)} lines (at most {FILE_LINES})"
    for number, line in enumerate(lines, 1):
        if len(line.expandtabs(8)) > LINE_CHARS and path.startswith(("src/", "agent/")) and not path.endswith(".def"):
            yield f"{path}:{number}: longer than {LINE_CHARS} columns"


def check_statements(path, text):
    """A tenant's statement compares tenant_id with ?1 (or inserts it); SQL stands at the head of its file as a declaration."""
    if path == "src/db/db.h":  # which defines them
        return
    for kind, name, sql in re.findall(r"DB_(TENANT|TENANT_PG)\((\w+),\s*((?:\"(?:[^\"\\]|\\.)*\"|[A-Z_]+|\s)+)", text):
        plain = "".join(re.findall(r"\"((?:[^\"\\]|\\.)*)\"", sql))
        good = re.search(r"tenant_id = \?1", plain) or re.search(r"VALUES \(\?1\b", plain) or re.search(r"SELECT \?1", plain)
        if not good:
            yield f"{path}: statement {name} is not bound to the tenant (tenant_id = ?1)"


def check_banned(path, text):
    if not path.startswith(("src/", "agent/")) or not path.endswith(".c"):
        return
    text = re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
    for word in ("strcpy", "strcat", "sprintf", "gets", "strtok", "system", "popen", "alloca"):
        if word == "strtok" and path.startswith("src/cmd/"):
            continue
        for m in re.finditer(rf"(?<![\w.>]){word}\s*\(", text):
            yield f"{path}:{text.count(chr(10), 0, m.start()) + 1}: {word}() is not used here"


def check_buffers(path, text):
    """A buffer that is released at its scope's end is made before anything can leave the scope."""
    for m in re.finditer(r"^\tauto_buf (\w+);|^\t+auto_buf (\w+);", text, re.M):
        name = m.group(1) or m.group(2)
        for line in text[m.end():].split("\n")[1:]:
            if f"buf_init(&{name}," in line or line.startswith("}"):
                break
            if re.search(r"\breturn\b|\bTRY\(|\bgoto\b", line):
                yield f"{path}:{text.count(chr(10), 0, m.start()) + 1}: {name} may be released before it is made"
                break


def check_formats(path, text):
    """A format that numbers its arguments and leaves one out ends the program where it was built for release (_FORTIFY_SOURCE)."""
    if path.startswith(("src/", "agent/")) and path.endswith(".c"):
        for m in re.finditer(r"%\d+\$", text):
            yield f"{path}:{text.count(chr(10), 0, m.start()) + 1}: a format does not number its arguments"


def check_headers(path, text):
    if path.startswith("src/") and path.endswith(".h") and text.split("\n")[1].startswith("#"):
        yield f"{path}: a header opens with what it is for"


CHECKS = [check_layers, check_file, check_statements, check_banned, check_buffers, check_formats, check_headers]


def main():
    breaches = {check.__name__: [] for check in CHECKS}
    for path in sources():
        if not path.endswith((".c", ".h", ".def")):
            continue
        with open(os.path.join(ROOT, path), encoding="utf-8") as f:
            text = f.read()
        for check in CHECKS:
            breaches[check.__name__] += list(check(path, text))
    for name, found in breaches.items():
        for line in found:
            print(f"{name}: {line}")
    failed = sum(1 for found in breaches.values() if found)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
