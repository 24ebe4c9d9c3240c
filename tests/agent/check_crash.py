# SPDX-License-Identifier: Apache-2.0
"""kill -9 anywhere.  strace ends the agent at its N-th system call that changes something, for N over the whole run; afterwards a
run that is left alone must end what was begun, and retiring must leave the device as it was before it was enrolled."""
import os
import re
import shutil
from datetime import datetime, timedelta, timezone

import check_wipe
import harness
from harness import Failed, Tree, compare, every_kind, personal, same, server, snapshot, test, true, write

CALLS = "fsync,syncfs,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,fchmod,fchown,symlinkat,write,sendto"
POINTS = int(os.environ.get("REEVE_AGENT_CRASH_POINTS", "12"))


ENV = {"ASAN_OPTIONS": "detect_leaks=0"}


def strace(log, inject=()):
    if shutil.which("strace") is None:
        raise Failed("strace is needed for this test")
    return ("strace", "-f", "-o", str(log), "-e", f"trace={CALLS}", *inject)


def kill_at(point):
    name, nth = point
    return strace("/dev/null", ("-e", f"inject={name}:signal=KILL:when={nth}"))


def calls_of(t, command):
    """The calls that one whole run makes, as (name, how many-th of its name): on a copy, which is thrown away."""
    copy = t.copy("count")
    log = copy.base / "trace"
    copy.agent(command, wrap=strace(log), env=ENV, check=0)
    seen, points = {}, []
    for line in log.read_text().splitlines():
        m = re.match(r"\d+ +([a-z0-9]+)\(", line)
        if m:
            seen[m[1]] = seen.get(m[1], 0) + 1
            points.append((m[1], seen[m[1]]))
    harness.force_remove(copy.base)
    return points


def crash_points(t, command, after, most=POINTS):
    """Kills `command` at points spread over its run, each on its own copy, and lets `after` look at what a second run makes of it."""
    with t.server.lock:
        kept = (list(t.device.items), list(t.device.actions), t.device.renew_before)
    points = calls_of(t, command)
    true(len(points) > 20, f"only {len(points)} calls")
    chosen = points[:: max(1, len(points) // most)]
    killed = 0
    for point in chosen:
        t.device.items, t.device.actions, t.device.renew_before = list(kept[0]), list(kept[1]), kept[2]
        copy = t.copy("crash")
        done = copy.agent(command, wrap=kill_at(point), env=ENV)
        killed += done.returncode == -9
        try:
            after(copy, point)
        except Failed as e:
            raise Failed(f"killed at {point}, exit {done.returncode}: {e}") from e
        harness.force_remove(copy.base)
    true(killed >= len(chosen) - 2, f"only {killed} of {len(chosen)} runs were killed")


def retire_is_clean(t, before):
    t.device.actions = []
    t.device.act("retire")
    t.agent("sync")  # ends what a killed run began; that may be the retire itself
    if t.state.exists():
        t.sync()
    compare(snapshot(t.root), before, "after retire")


@test
def killed_while_applying():
    srv = server()
    t = Tree(srv)
    every_kind(t.device, srv)

    def after(copy, n):
        copy.sync()
        same({i["state"] for i in t.device.reported.values()}, {"installed"}, "converged")
        same(copy.path("etc/limits.conf").read_text(), "# Acme\nmax = 5\n")
        same(copy.sync()["unchanged"], 6)
        true(not [p for p in snapshot(copy.root) if p.endswith(".tmp")], "temporary files that are left")
        retire_is_clean(copy, t.before)

    crash_points(t, "sync", after)


@test
def killed_while_applying_then_nothing_is_wanted():
    """After the crash the organisation has changed its mind: whatever was there in part goes."""
    srv = server()
    t = Tree(srv)
    every_kind(t.device, srv)

    def after(copy, n):
        t.device.items = []
        copy.sync()
        compare(copy.now(), t.before, "after taking back")

    crash_points(t, "sync", after)


@test
def killed_while_changing_versions():
    srv = server()
    t = Tree(srv)
    ids = every_kind(t.device, srv)
    t.sync()
    t.device.desire("settings", {"path": "/etc/limits.conf", "content": "two"}, version=2, ident=ids["settings"])
    t.device.desire("settings", {"path": "/etc/acme/agent.conf", "content": "moved"}, version=2, ident=ids["new"])
    t.device.undesire(ids["wifi"])

    def after(copy, n):
        copy.sync()
        same((copy.path("etc/limits.conf").read_text(), copy.path("etc/acme/agent.conf").read_text()), ("two", "moved"))
        true(not copy.path("etc/acme.d").exists() or not any(p.is_file() for p in copy.path("etc/acme.d").rglob("*")), "the old file")
        true(not copy.path("etc/NetworkManager").exists(), "what was taken back")
        retire_is_clean(copy, t.before)

    crash_points(t, "sync", after)


@test
def killed_while_retiring():
    srv = server()
    t = Tree(srv)
    every_kind(t.device, srv)
    t.sync()
    write(t.path("home/alice/.config/acme/a/b"), "the app's")
    write(t.path("var/lib/acme-tools/db"), "the app's")
    t.device.act("retire")

    def after(copy, n):
        if copy.state.exists():
            done = copy.agent("sync", "--json")
            true(done.returncode in (0, 65), done.stderr)
        compare(snapshot(copy.root, skip=("var/lib/reeve-agent",)), t.before, "after retire")
        true(not copy.state.exists() or not list(copy.state.iterdir()), "state that is left")

    crash_points(t, "sync", after)


@test
def killed_while_leaving():
    srv = server()
    t = Tree(srv)
    every_kind(t.device, srv)
    t.sync()

    def after(copy, n):
        if copy.state.exists() and list(copy.state.iterdir()):
            copy.agent("leave", check=0)
        compare(snapshot(copy.root, skip=("var/lib/reeve-agent",)), t.before, "after leaving")

    crash_points(t, "leave", after)


@test
def killed_while_wiping():
    srv = server()
    t = Tree(srv, "company")
    every_kind(t.device, srv)
    t.sync()
    check_wipe.devastate(t)
    t.device.act("wipe")

    def after(copy, n):
        if copy.state.exists() and list(copy.state.iterdir()):
            copy.agent("sync", check=0)
        same({p: v for p, v in check_wipe.now(copy).items() if not p.startswith("var/lib/reeve-agent")}, check_wipe.factory(copy))

    crash_points(t, "sync", after)


@test
def killed_while_renewing():
    srv = server()
    t = Tree(srv)
    t.sync()

    def after(copy, n):
        copy.sync()  # with whichever pair it has
        same(sorted(p.name for p in copy.state.iterdir() if "next" in p.name), [], "what is left of the renewal")

    t.device.renew_before = datetime.now(timezone.utc) - timedelta(seconds=5)
    crash_points(t, "sync", after, most=40)


@test
def killed_at_random_times():
    """Without strace: a signal after a random time, twenty times on the same device."""
    import random
    import subprocess

    srv = server()
    t = Tree(srv)
    ids = every_kind(t.device, srv)
    draw = random.Random(20)
    for version in range(2, 22):
        t.device.desire("settings", {"path": "/etc/limits.conf", "content": f"v{version}"}, version=version, ident=ids["settings"])
        if version % 3 == 0:
            t.device.undesire(ids["app"])
        elif version % 3 == 1:
            ids["app"] = t.device.desire("app", {"package": "acme", "dataPaths": ["/var/lib/acme-tools"],
                                                 "files": [{"path": "/usr/bin/acme", "content": f"{version}"}]})
        with subprocess.Popen([str(harness.AGENT), "sync", "--root", str(t.root)], env=harness.ENV, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as child:
            try:
                child.wait(draw.uniform(0.01, 0.25))
            except subprocess.TimeoutExpired:
                child.kill()
        same(personal(t.now()), personal(t.before), "personal files")
    t.sync()
    same(t.path("etc/limits.conf").read_text(), "v21")
    retire_is_clean(t, t.before)
