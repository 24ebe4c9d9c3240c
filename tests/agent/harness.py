# SPDX-License-Identifier: Apache-2.0
"""What the agent's tests share: test trees, running the agent, snapshots of a tree, assertions."""
import functools
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from fake_server import QuietServer

HERE = Path(__file__).resolve().parent
MAKE_TREE = HERE.parent.parent / "agent" / "make-tree.sh"
AGENT = None    # set by run.py
WORK = None
TESTS = []

ENV = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "NO_PROXY": "*", "HOME": "/nonexistent",
       "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""), "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


def test(fn):
    TESTS.append(fn)
    return fn


class Failed(Exception):
    pass


class Skipped(Exception):
    """This machine does not allow the test; counted as neither passed nor failed, and said."""


def same(got, want, what=""):
    if got != want:
        raise Failed(f"{what}: got {got!r}, want {want!r}")


def true(value, what):
    if not value:
        raise Failed(what)


def has(text, part, what=""):
    if part not in text:
        raise Failed(f"{what}: {part!r} is not in {text[:2000]!r}")


def lacks(text, part, what=""):
    if part in text:
        raise Failed(f"{what}: {part!r} is in it")


def new_dir(name):
    return Path(tempfile.mkdtemp(prefix=name + "-", dir=WORK))


def force_remove(path):
    for top, dirs, _ in os.walk(path):
        for d in dirs:
            p = os.path.join(top, d)
            if not os.path.islink(p):
                os.chmod(p, 0o700)
    shutil.rmtree(path, ignore_errors=True)


def snapshot(root, skip=()):
    """path -> what it is; the times of directories are left out: they change with what comes and goes in them."""
    out = {}
    root = str(root)
    for top, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(top, name)
            rel = os.path.relpath(path, root)
            if any(rel == s or rel.startswith(s + "/") for s in skip):
                continue
            st = os.lstat(path)
            row = [stat.S_IFMT(st.st_mode), stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid]
            if stat.S_ISLNK(st.st_mode):
                row += [os.readlink(path)]
            elif stat.S_ISREG(st.st_mode):
                row += [st.st_mtime_ns, hashlib.sha256(Path(path).read_bytes()).hexdigest()]
                row += [tuple(sorted((k, os.getxattr(path, k)) for k in os.listxattr(path)))]
            out[rel] = tuple(row)
    return out


def compare(got, want, what):
    wrong = [f"+{p}" for p in sorted(set(got) - set(want))] + [f"-{p}" for p in sorted(set(want) - set(got))]
    wrong += [f"~{p} {want[p]} -> {got[p]}" for p in sorted(set(got) & set(want)) if got[p] != want[p]]
    if wrong:
        raise Failed(f"{what}: " + "; ".join(wrong[:8]))


def personal(shot):
    return {p: v for p, v in shot.items() if p.startswith(("home/", "root/"))}


@functools.cache
def pattern_tree(owner):
    """Made once by make-tree.sh and copied: it runs a thousand small programs."""
    root = new_dir("pattern") / "tree"
    subprocess.run([MAKE_TREE, root, "--owner", owner, "--serial", "SN-1", "--name", f"{owner}-1"], check=True, stdout=subprocess.DEVNULL)
    return root


class Tree:
    """A test device.  `before` is what it was before it was enrolled."""

    def __init__(self, server, owner="personal", prepare=None, enrol=True, extra=()):
        self.server, self.owner = server, owner
        self.base = new_dir(owner)
        self.root = self.base / "tree"
        pattern = pattern_tree(owner)
        subprocess.run(["cp", "-a", pattern, self.root], check=True)
        subprocess.run(["cp", "-a", f"{pattern}.factory", f"{self.root}.factory"], check=True)
        if prepare:
            prepare(self.root)
        self.before = snapshot(self.root)
        self.device = None
        if enrol:
            done = self.enrol(*extra)
            if done.returncode != 0:
                raise Failed(f"enroll: {done.stderr}")

    state = property(lambda self: self.root / "var/lib/reeve-agent")

    def path(self, rel):
        return self.root / rel

    def agent(self, *args, check=None, wrap=(), timeout=120, env=None):
        done = subprocess.run([*wrap, str(AGENT), *map(str, args), "--root", str(self.root)], capture_output=True, text=True,
                              timeout=timeout, env={**ENV, **(env or {})}, stdin=subprocess.DEVNULL, check=False)
        if "Sanitizer" in done.stderr or "runtime error" in done.stderr:
            raise Failed(f"{args[0]}: {done.stderr}")
        if check is not None and done.returncode != check:
            raise Failed(f"{args[0]}: exit {done.returncode}, not {check}: {done.stdout}{done.stderr}")
        return done

    def enrol(self, *extra, token=None, check=None):
        known = set(self.server.devices)
        token_file = self.base / "token"
        token_file.write_text((token or self.server.token(self.owner)) + "\n")
        done = self.agent("enroll", "--url", self.server.url, "--ca", self.server.ca.cert, "--token-file", token_file, "--accept-terms",
                          *extra, check=check)
        new = set(self.server.devices) - known
        if new:
            self.device = self.server.devices[new.pop()]
        return done

    def sync(self, check=0, **kw):
        done = self.agent("sync", "--json", check=check, **kw)
        return json.loads(done.stdout) if done.returncode == 0 else done

    def status(self):
        return json.loads(self.agent("status", "--json", check=0).stdout)

    def now(self):
        return snapshot(self.root, skip=("var/lib/reeve-agent",))

    def copy(self, name):
        """The same device at another place: same state, own copy of the tree."""
        other = object.__new__(Tree)
        other.__dict__.update(self.__dict__)
        other.base = new_dir(name)
        other.root = other.base / "tree"
        subprocess.run(["cp", "-a", self.root, other.root], check=True)
        if Path(f"{self.root}.factory").exists():
            subprocess.run(["cp", "-a", f"{self.root}.factory", f"{other.root}.factory"], check=True)
        return other


def server():
    return QuietServer(new_dir("server"))


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def some_certificate(srv):
    return srv.ca.cert.read_text()


def every_kind(device, srv):
    """One item of each kind; the settings item replaces a file that the owner has edited."""
    return {
        "settings": device.desire("settings", {"path": "/etc/limits.conf", "content": "# Acme\nmax = 5\n", "mode": "0600"}),
        "new": device.desire("settings", {"path": "/etc/acme.d/deep/er/policy.conf", "content": "on\n", "mode": "0644"}),
        "wifi": device.desire("wifi", {"ssid": "Acme Office", "security": "wpaPersonal", "passphrase": "correct horse \\ battery",
                                       "hidden": True}),
        "email": device.desire("email", {"accountName": "Acme", "emailAddress": "alice@acme.example", "displayName": "Alice",
                                         "incomingServer": "imap.acme.example", "incomingPort": 993, "incomingProtocol": "imap",
                                         "outgoingServer": "smtp.acme.example", "outgoingPort": 587,
                                         "userName": "alice@acme.example"}),
        "ca": device.desire("caCertificate", {"certificate": some_certificate(srv)}),
        "app": device.desire("app", {"package": "acme-tools", "version": "1.0", "dataPaths": ["/var/lib/acme-tools", "~/.config/acme"],
                                     "files": [{"path": "/usr/bin/acme", "content": "#!/bin/sh\necho acme\n", "mode": "0755"},
                                               {"path": "/usr/share/acme/data", "content": "data\n", "mode": "0644"}]}),
    }


def run_all(names):
    passed, failed = 0, 0
    for fn in TESTS:
        if names and not any(n in fn.__name__ for n in names):
            continue
        try:
            fn()
            passed += 1
            print(f"ok   {fn.__name__}", flush=True)
        except Skipped as e:
            print(f"skip {fn.__name__}: {e}", flush=True)
        except Exception as e:  # noqa: BLE001: whatever goes wrong is this test's failure
            failed += 1
            where = traceback.extract_tb(sys.exc_info()[2])
            lines = [f"{os.path.basename(f.filename)}:{f.lineno}" for f in where if "harness" not in f.filename]
            print(f"FAIL {fn.__name__}: {type(e).__name__}: {e} ({' < '.join(reversed(lines[1:]))})", flush=True)
    return passed, failed
