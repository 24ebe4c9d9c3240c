# SPDX-License-Identifier: Apache-2.0
"""Paths and links that lead astray; what the agent opens and what it never does."""
import os
import re
import shutil
import stat

import harness
from harness import Failed, Tree, compare, every_kind, personal, same, server, snapshot, test, true, write

OUTSIDE = ["/../outside", "/etc/../../outside", "/etc/./x", "etc/x", "", "/", "//etc/x", "/etc//x", "/etc/x/", "/etc/x\n", "/etc/\x01x",
           "/home/alice/x", "/home/alice/.bashrc", "/root/x", "/tmp/x", "/dev/x", "/proc/x", "/sys/x", "/boot/x", "/bin/sh", "/x", "/etc",
           "/etc/passwd", "/etc/shadow-", "/etc/sudoers.d/x", "/etc/pam.d/sshd", "/etc/ld.so.preload", "/var/spool/cron/crontabs/root",
           "/var/mail/alice", "/var/lib/dpkg/status", "/var/home/alice/x", "/usr/bin", "/var/lib", "/etc/reeve-agent.conf", "/var/lib/reeve-agent/key.pem", "/usr/lib/reeve-agent/wipe-luks.sh",
           "/etc/systemd/system/reeve-agent.service.d/x.conf", "/etc/" + "x" * 300, "/etc" + "/x" * 600]
DATA = ["/", "/var", "/var/lib", "/etc", "/home", "/home/alice", "/root", "/usr", "/opt", "~", "~/", "~/.config", "~/.local/share", "~/Documents", "~/Documents/acme", "~/.bashrc", "~/.mozilla/firefox",
        "~/.ssh", "~/.ssh/keys", "~/../bob", "~alice/x", "/var/lib/../lib", "/var/lib/dpkg", "/var/lib/reeve-agent",
        "/var/lib/reeve-agent/items", "/usr/bin", "relative", 7]


@test
def paths_out_of_bounds_are_refused():
    srv = server()
    t = Tree(srv)
    (t.base / "outside").write_text("untouched")
    around = snapshot(t.base, skip=("tree",))
    ids = [t.device.desire("settings", {"path": p, "content": "evil"}) for p in OUTSIDE]
    ids += [t.device.desire("app", {"package": "evil", "files": [{"path": p, "content": "evil"}]}) for p in OUTSIDE]
    ids += [t.device.desire("app", {"package": "evil", "files": [], "dataPaths": [p]}) for p in DATA]
    result = t.sync()
    wrong = [i["payload"] for i in t.device.items if t.device.reported[i["id"]]["state"] != "failed"]
    same(wrong, [], "not refused")
    same((result["applied"], result["failed"]), (0, len(ids)))
    compare(t.now(), t.before, "the tree")
    compare(snapshot(t.base, skip=("tree",)), around, "what is beside the tree")
    t.device.items = []
    t.sync()
    compare(t.now(), t.before, "after taking back what was refused")


def links(root):
    outside = root.parent / "outside"
    write(outside / "secret.conf", "not in the tree")
    (root / "etc/out").symlink_to(outside)
    (root / "etc/up").symlink_to("../..")
    (root / "etc/inside").symlink_to("acme")
    (root / "etc/file.conf").symlink_to(outside / "secret.conf")
    (root / "etc/dangling.conf").symlink_to(outside / "new.conf")
    os.mkfifo(root / "etc/fifo.conf")


@test
def links_are_not_followed():
    srv = server()
    t = Tree(srv, prepare=links)
    around = snapshot(t.base, skip=("tree",))
    for path in ("out/secret.conf", "out/new.conf", "up/x.conf", "inside/agent.conf", "file.conf", "dangling.conf", "fifo.conf"):
        t.device.desire("settings", {"path": f"/etc/{path}", "content": "evil"})
    same(t.sync()["applied"], 0)
    same({i["state"] for i in t.device.reported.values()}, {"failed"})
    compare(t.now(), t.before, "the tree")
    compare(snapshot(t.base, skip=("tree",)), around, "what is beside the tree")


@test
def links_that_appear_later_are_not_followed():
    """Between applying and taking back, the directories on the way are exchanged for links."""
    srv = server()
    t = Tree(srv)
    outside = t.base / "outside"
    write(outside / "policy.conf", "not in the tree")
    write(outside / "acme/keep", "not in the tree")
    new = t.device.desire("settings", {"path": "/etc/acme.d/policy.conf", "content": "x"})
    old = t.device.desire("settings", {"path": "/etc/acme/agent.conf", "content": "x"})
    app = t.device.desire("app", {"package": "acme", "files": [], "dataPaths": ["/var/lib/tool/acme", "~/.config/acme", "/var/lib/linked"]})
    t.sync()
    around = snapshot(t.base, skip=("tree",))
    shutil.rmtree(t.path("etc/acme.d"))
    t.path("etc/acme.d").symlink_to(outside)
    t.path("etc/acme").rename(t.path("etc/acme.away"))
    t.path("etc/acme").symlink_to(outside)
    t.path("var/lib/tool").symlink_to(outside)
    shutil.rmtree(t.path("home/alice/.config"))
    t.path("home/alice/.config").symlink_to(outside)
    t.path("var/lib/linked").symlink_to(outside)
    t.device.items = []
    t.sync()
    compare(snapshot(t.base, skip=("tree",)), around, "what is beside the tree")
    true(not t.path("var/lib/linked").is_symlink(), "a data path that is a link: the link goes")
    same(t.device.reported[app]["state"], "removed")
    harness.has(t.device.reported[app]["error"], "~/.config/acme is behind a link and was left")
    harness.has(t.device.reported[app]["error"], "/var/lib/tool/acme is behind a link and was left")
    same({t.device.reported[i]["state"] for i in (new, old)}, {"failed"}, "unreachable: said so, and tried again")
    t.path("etc/acme.d").unlink()
    t.path("etc/acme").unlink()
    t.path("etc/acme.away").rename(t.path("etc/acme"))
    t.sync()
    same({t.device.reported[i]["state"] for i in (new, old)}, {"removed"})
    same(t.path("etc/acme/agent.conf").read_text(), "# factory settings\ntimeout = 30\n")


@test
def the_state_directory_is_not_reached_through_a_link():
    srv = server()
    t = Tree(srv, enrol=False)
    outside = t.base / "outside"
    outside.mkdir()
    t.path("var/lib/reeve-agent").symlink_to(outside)
    t.enrol(check=73)
    same(list(outside.iterdir()), [])


@test
def a_tree_below_home_links_nowhere():
    """/home itself is a link out of the tree."""
    srv = server()
    t = Tree(srv)
    outside = t.base / "people"
    write(outside / "zoe/.config/acme/x", "not in the tree")
    app = t.device.desire("app", {"package": "acme", "files": [], "dataPaths": ["~/.config/acme"]})
    t.sync()
    t.path("home").rename(t.path("homes"))
    t.path("home").symlink_to(outside)
    t.device.undesire(app)
    t.sync()
    true((outside / "zoe/.config/acme/x").exists(), "removed through a link")


def opened_below(log, root, tops):
    """Paths that were opened for more than passing through them."""
    bad = []
    for line in log.read_text(errors="replace").splitlines():
        m = re.search(r'open(?:at2?)?\((?:(AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"([^"]*)", (.*)\) = (\d+)(?:<([^>]*)>)?', line)
        if not m or "O_PATH" in m[4]:
            continue
        path = m[6] or os.path.normpath(os.path.join(m[2] or "/", m[3]))
        rel = os.path.relpath(path, root)
        if rel.split("/")[0] in tops and rel not in tops:
            bad.append(rel)
    return bad


@test
def personal_files_are_never_opened():
    if shutil.which("strace") is None:
        raise Failed("strace is needed for this test")
    srv = server()
    t = Tree(srv)
    every_kind(t.device, srv)
    log = t.base / "trace"
    wrap = ("strace", "-f", "-y", "-s", "4096", "-e", "trace=open,openat,openat2,creat,execve", "-o", str(log))
    env = {"ASAN_OPTIONS": "detect_leaks=0"}
    t.device.collect = {"packages": False, "addresses": True, "disks": True}
    seen = []
    for step in ("sync", "sync", "leave"):
        t.agent(step, check=0, wrap=wrap, env=env)
        true("reeve-agent" in log.read_text(), "nothing was traced")
        seen += opened_below(log, t.root, ("home", "root"))
        if step == "sync":
            write(t.path("home/alice/.config/acme/x/y"), "the app's")
    same(sorted(p for p in seen if not p.startswith("home/alice/.config/acme")), [], "opened")
    true(any(p.startswith("home/alice/.config/acme") for p in seen), "the trace would not have seen it")
    compare(snapshot(t.root), t.before, "after leaving")
    same(personal(snapshot(t.root)), personal(t.before))


@test
def nothing_runs_and_nothing_outside_is_written_for_a_tree():
    srv = server()
    t = Tree(srv)
    every_kind(t.device, srv)
    log = t.base / "trace"
    wrap = ("strace", "-f", "-y", "-e", "trace=execve,openat,openat2,unlinkat,renameat,mkdirat,rename,unlink,mkdir", "-o", str(log))
    t.agent("sync", check=0, wrap=wrap, env={"ASAN_OPTIONS": "detect_leaks=0"})
    t.agent("leave", check=0, wrap=(*wrap[:-1], str(log) + "2"), env={"ASAN_OPTIONS": "detect_leaks=0"})
    text = log.read_text() + (t.base / "trace2").read_text()
    same(len(re.findall(r"execve\(", text)), 2, "programs that were run, the agent itself included")
    for line in text.splitlines():
        if re.search(r"O_CREAT|O_WRONLY|O_RDWR|unlinkat|renameat|mkdirat|(rename|unlink|mkdir)\(", line) and "openat2" not in line:
            place = re.search(r"<([^>]*)>", line)
            true(place and (place[1] + "/").startswith(str(t.root) + "/"), f"outside the tree: {line}")


@test
def deep_and_strange_app_data():
    srv = server()
    t = Tree(srv)
    app = t.device.desire("app", {"package": "acme", "files": [], "dataPaths": ["/var/lib/acme"]})
    t.sync()
    place = t.path("var/lib/acme")
    place.mkdir()
    os.mkfifo(place / "fifo")
    (place / "loop").symlink_to(".")
    (place / "home").symlink_to(t.path("home/alice"))
    (place / "na\nme \xff").mkdir()
    (place / "locked").mkdir(mode=0)
    for i in range(3000):
        (place / f"f{i}").touch()
    deep = place
    for i in range(150):
        deep = deep / "d"
    deep.mkdir(parents=True)
    t.device.undesire(app)
    t.sync()
    compare(t.now(), t.before, "after taking back")


@test
def modes_are_what_was_asked_for_whatever_the_umask():
    srv = server()
    t = Tree(srv)
    t.device.desire("settings", {"path": "/etc/new.d/x.conf", "content": "x", "mode": "0666"})
    old = os.umask(0o077)
    try:
        t.sync()
    finally:
        os.umask(old)
    same(stat.S_IMODE(t.path("etc/new.d/x.conf").stat().st_mode), 0o666)
    same(stat.S_IMODE(t.path("etc/new.d").stat().st_mode), 0o755)
    harness.has(t.agent("status", check=0).stdout, "etc/new.d/x.conf")
