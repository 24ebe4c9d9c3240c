# SPDX-License-Identifier: Apache-2.0
"""Wipe: a tree goes back to its factory manifest; a real machine's hook is called only where its owner enabled it."""
import os
import stat
import subprocess
from pathlib import Path

import harness
from harness import Tree, compare, every_kind, has, same, server, snapshot, test, true, write


def factory(t):
    """What the manifest says, in the form of a snapshot without times and owners."""
    return {p: (v[0], v[1], v[5] if stat.S_ISREG(v[0]) else v[4] if stat.S_ISLNK(v[0]) else None)
            for p, v in snapshot(f"{t.root}.factory/content").items()}


def now(t):
    return {p: (v[0], v[1], v[5] if stat.S_ISREG(v[0]) else v[4] if stat.S_ISLNK(v[0]) else None) for p, v in snapshot(t.root).items()}


def devastate(t):
    """What people do to a system."""
    t.path("etc/os-release").unlink()
    t.path("etc/os-release").mkdir()
    write(t.path("etc/os-release/x"), "x")
    t.path("etc/passwd").write_text("changed")
    t.path("usr/local/bin/hello").chmod(0o4777)
    t.path("etc/os-release.link").unlink()
    t.path("etc/os-release.link").symlink_to("/etc/shadow")
    subprocess.run(["rm", "-r", t.path("etc/acme")], check=True)
    t.path("etc/acme").symlink_to(t.base)
    t.path("tmp").rmdir()
    os.mkfifo(t.path("var/fifo"))
    t.path("home/alice/link-out").symlink_to(t.base)
    os.link(t.path("etc/hostname"), t.path("home/alice/hard"))
    t.path("home/alice/locked").mkdir(mode=0)


@test
def wipe_brings_back_the_factory_state():
    srv = server()
    t = Tree(srv, "company")
    every_kind(t.device, srv)
    t.sync()
    devastate(t)
    write(t.base / "beside", "not in the tree")
    around = snapshot(t.base, skip=("tree",))
    true(now(t) != factory(t), "nothing to do")
    wipe = t.device.act("wipe")
    result = t.sync()
    same((result["enrolled"], t.device.results[wipe]["state"]), (False, "done"))
    compare(now(t), factory(t), "after the wipe")
    compare(snapshot(t.base, skip=("tree",)), around, "what is beside the tree")
    t.agent("sync", check=65)
    t.enrol(check=0)  # the next person gets a working machine
    t.sync()


@test
def the_key_stays_until_the_wipe_is_reported():
    srv = server()
    t = Tree(srv, "company")
    t.sync()
    wipe = t.device.act("wipe")
    srv.fail["/linux/report"] = [(503, "later")]
    t.sync(check=75)
    true((t.state / "key.pem").exists(), "the key is needed to report")
    true(not t.path("home/alice").exists(), "the wipe was not done")
    same(t.sync()["enrolled"], False)
    same(t.device.results[wipe]["state"], "done")
    compare(now(t), factory(t), "after the wipe")


@test
def a_damaged_factory_destroys_nothing():
    for damage in ("content", "manifest", "missing", "escape"):
        srv = server()
        t = Tree(srv, "company")
        place = Path(f"{t.root}.factory")
        if damage == "content":
            (place / "content/etc/passwd").write_text("damaged")
        elif damage == "missing":
            (place / "content/etc/passwd").unlink()
        elif damage == "manifest":
            (place / "factory.manifest").write_text("f 0644 nonsense\n")
        else:
            with (place / "factory.manifest").open("a") as f:
                f.write("d 0755 - ../outside\n")
        wipe = t.device.act("wipe")
        same(t.sync()["enrolled"], True)
        same(t.device.results[wipe]["state"], "failed", damage)
        compare(t.now(), t.before, f"after the refused wipe ({damage})")


@test
def a_personal_device_is_never_wiped():
    """Whatever the server says."""
    for conf in ("", "wipe = luks\nwipeCommand = HOOK\n"):
        srv = server()
        t = Tree(srv, "personal", prepare=lambda root: conf and write(root / "etc/reeve-agent.conf", conf))
        wipe = t.device.act("wipe")
        same(t.sync()["enrolled"], True)
        same(t.device.results[wipe]["state"], "notSupported")
        compare(t.now(), t.before, "after the refused wipe")


@test
def without_a_factory_wipe_is_not_supported():
    srv = server()
    t = Tree(srv, "company")
    Path(f"{t.root}.factory").rename(t.base / "away")
    wipe = t.device.act("wipe")
    t.sync()
    same(t.device.results[wipe]["state"], "notSupported")
    compare(t.now(), t.before, "after the refused wipe")


def with_config(text, mode=0o644):
    srv = server()
    t = Tree(srv, "company", prepare=lambda root: write(root / "etc/reeve-agent.conf", text.replace("HOOK", str(root.parent / "hook")), mode))
    write(t.base / "hook", f"""#!/bin/sh
echo "$1 $REEVE_WIPE_CONFIRM $REEVE_WIPE_METHOD $REEVE_WIPE_ACTION HOME=$HOME" >>{t.base}/called
[ ! -e {t.base}/refuse-$1 ] || {{ echo first; echo "because of this"; exit 3; }}
""", 0o755)
    return srv, t


def calls(t):
    called = t.base / "called"
    return called.read_text().splitlines() if called.exists() else []


@test
def a_wipe_that_is_off_is_refused():
    for text in ("wipe = off\n", "wipe = luks\n", "wipe = reinstall\n", "# nothing\nwipe=off\nwipeCommand = HOOK\n"):
        srv, t = with_config(text)
        wipe = t.device.act("wipe")
        same(t.sync()["enrolled"], True)
        same((t.device.results[wipe]["state"], calls(t)), ("notSupported", []), text)
        compare(t.now(), t.before, "after the refused wipe")


@test
def the_configured_command_is_called():
    srv, t = with_config("wipe = luks\nwipeCommand = HOOK\n")
    wipe = t.device.act("wipe")
    result = t.sync()
    same((result["enrolled"], t.device.results[wipe]["state"]), (False, "done"))
    confirm = f"destroy-everything-on-this-machine luks {wipe} HOME="
    same(calls(t), [f"check {confirm}", f"wipe {confirm}"], "a tree has no machine to end")


@test
def a_command_that_fails_is_told():
    for step, count in (("check", 1), ("wipe", 2)):
        srv, t = with_config("wipe = reinstall\nwipeCommand = HOOK\n")
        (t.base / f"refuse-{step}").touch()
        wipe = t.device.act("wipe")
        same(t.sync()["enrolled"], True)
        same((t.device.results[wipe]["state"], len(calls(t))), ("failed", count))
        has(t.device.results[wipe]["error"], "because of this")


@test
def a_configuration_that_others_may_write_is_refused():
    for text, mode in (("wipe = luks\nwipeCommand = HOOK\n", 0o666), ("wipe = yes\n", 0o644), ("wype = off\n", 0o644), ("wipe\n", 0o644),
                       ("wipe = luks\nwipeCommand = relative\n", 0o644)):
        srv, t = with_config(text, mode)
        wipe = t.device.act("wipe")
        t.sync()
        same((t.device.results[wipe]["state"], calls(t)), ("failed", []), text)
        compare(t.now(), t.before, "after the refused wipe")


@test
def config_can_be_given():
    srv = server()
    t = Tree(srv, "company")
    write(t.base / "conf", "wipe = off\n")
    wipe = t.device.act("wipe")
    t.agent("sync", "--config", t.base / "conf", check=0)
    same(t.device.results[wipe]["state"], "notSupported")
    wipe = t.device.act("wipe")
    t.agent("sync", "--config", t.base / "none", check=0)
    same(t.device.results[wipe]["state"], "failed", "a configuration that was named must be there")
    compare(t.now(), t.before, "after the refused wipes")


@test
def the_shipped_hooks_want_to_be_asked():
    """They are never run for real here: without their confirmation, or without their step, they must refuse."""
    hooks = harness.HERE.parent.parent / "agent/hooks"
    for name in ("wipe-reinstall.sh", "wipe-luks.sh"):
        for args, env in (([], {}), (["wipe"], {}), (["check"], {}), (["finish"], {}), (["wipe"], {"REEVE_WIPE_CONFIRM": "yes"}),
                          ([], {"REEVE_WIPE_CONFIRM": "destroy-everything-on-this-machine"})):
            # a PATH without programs: even a broken guard could not do anything
            done = subprocess.run(["/bin/sh", hooks / name, *args], env={"PATH": "/nonexistent", **env}, capture_output=True, text=True,
                                  check=False)
            same(done.returncode, 64, f"{name} {args} {env}: {done.stderr}")
