# SPDX-License-Identifier: Apache-2.0
"""The agent where its root is "/": in a chroot whose apt-get, update-ca-certificates, nmcli and wipe hooks are stand-ins that write
down how they were called.  Only here the parts for a real system run; the machine that runs the tests is out of reach."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import harness
from harness import Failed, Skipped, Tree, compare, has, personal, same, server, snapshot, test, true, write

APT = """#!/bin/sh
echo "apt-get $* [$DEBIAN_FRONTEND] [$HOME]" >>/calls
[ ! -e "/refuse-apt-$1" ] || { echo "E: first"; echo "E: because of this"; exit 100; }
for last; do :; done
case $1 in
install)
	version=9.9
	case $last in *=*) version=${last#*=} ;; esac
	printf 'Package: %s\\nStatus: install ok installed\\nVersion: %s\\n\\n' "${last%=*}" "$version" >>/var/lib/dpkg/status ;;
purge)
	while IFS= read -r line; do echo "$line"; done </status.before >/var/lib/dpkg/status ;;
esac
"""
NOTE = '#!/bin/sh\necho "${0##*/} $*" >>/calls\n'
HOOK = '#!/bin/sh\necho "${0##*/} $* $REEVE_WIPE_CONFIRM $REEVE_WIPE_METHOD" >>/calls\n'


def copy_program(program, root):
    """With the libraries that it needs, at the same places."""
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for path in [str(program), *re.findall(r"(/\S+) \(0x", listing)]:
        target = root / path.lstrip("/") if path != str(harness.AGENT) else root / "usr/bin/reeve-agent"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.path.realpath(path), target)
            target.chmod(0o755)


UNSHARE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user", "--pid", "--fork"])]


class Real(Tree):
    """A tree that the agent sees as "/"."""

    def __init__(self, srv, owner="company", conf=None):
        if subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode != 0:
            raise Skipped("no mount namespaces here")

        def prepare(root):
            copy_program(harness.AGENT, root)
            copy_program("/bin/sh", root)
            write(root / "usr/bin/apt-get", APT, 0o755)
            write(root / "usr/bin/nmcli", NOTE, 0o755)
            write(root / "usr/sbin/update-ca-certificates", NOTE, 0o755)
            for hook in ("wipe-luks.sh", "wipe-reinstall.sh"):  # stand-ins: the real ones are never here
                write(root / "usr/lib/reeve-agent" / hook, HOOK, 0o755)
            shutil.copy(root / "var/lib/dpkg/status", root / "status.before")
            shutil.copy(srv.ca.cert, root / "ca.pem")
            (root / "dev").mkdir()
            (root / "dev/null").touch(mode=0o666)
            (root / "dev/urandom").write_bytes(os.urandom(4096))
            if conf:
                write(root / "etc/reeve-agent.conf", conf)

        super().__init__(srv, owner, prepare=prepare, enrol=False)
        shutil.rmtree(f"{self.root}.factory")
        known = set(srv.devices)
        self.agent("enroll", "--url", srv.url, "--ca", "/ca.pem", "--token", srv.token(owner), "--accept-terms", check=0)
        self.device = srv.devices[(set(srv.devices) - known).pop()]

    def agent(self, *args, check=None, **_):
        # a mount namespace of its own, so that there is a /proc in the chroot and nothing of it outside
        script = f'mount -t proc proc "{self.root}/proc" && exec chroot "{self.root}" /usr/bin/reeve-agent "$@"'
        inside = [*UNSHARE, "/bin/sh", "-c", script, "sh", *map(str, args)]
        done = subprocess.run(inside, capture_output=True, text=True, timeout=120, env={**harness.ENV, "ASAN_OPTIONS": "detect_leaks=0"},
                              stdin=subprocess.DEVNULL, check=False)
        if check is not None and done.returncode != check:
            raise Failed(f"{args[0]}: exit {done.returncode}, not {check}: {done.stdout}{done.stderr}")
        return done

    def calls(self):
        called = self.path("calls")
        lines = called.read_text().splitlines() if called.exists() else []
        called.unlink(missing_ok=True)
        return lines


INSTALL = ("apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -- "
           "{} [noninteractive] []")


@test
def a_real_app_is_a_debian_package():
    srv = server()
    t = Real(srv)
    app = t.device.desire("app", {"package": "acme-tools", "version": "1.2-3", "dataPaths": ["/var/lib/acme"],
                                  "files": [{"path": "/usr/bin/evil", "content": "only for trees"}]})
    mine = t.device.desire("app", {"package": "bash"})
    same(t.sync()["applied"], 2)
    same(t.calls(), [INSTALL.format("acme-tools=1.2-3")], "bash was there before")
    same(t.sync()["unchanged"], 2)
    same(t.calls(), [])
    true(not t.path("usr/bin/evil").exists(), "a file of the payload")
    t.device.desire("app", {"package": "acme-tools", "dataPaths": ["/var/lib/acme"]}, version=2, ident=app)
    t.sync()
    same(t.calls(), [], "any version will do, and one is there")
    write(t.path("var/lib/acme/data"), "x")
    t.device.undesire(app)
    t.device.undesire(mine)
    same(t.sync()["takenBack"], 2)
    same(t.calls(), ["apt-get purge -y -- acme-tools [noninteractive] []"], "bash was there before")
    true(not t.path("var/lib/acme").exists(), "the app's data")


@test
def apt_that_fails_is_told_and_tried_again():
    srv = server()
    t = Real(srv)
    app = t.device.desire("app", {"package": "acme-tools"})
    t.path("refuse-apt-install").touch()
    same(t.sync()["failed"], 1)
    has(t.device.reported[app]["error"], "because of this")
    same([c.split()[1] for c in t.calls()], ["install", "update", "install"], "once more with new lists")
    t.path("refuse-apt-install").unlink()
    same(t.sync()["applied"], 1)
    t.path("refuse-apt-purge").touch()
    retire = t.device.act("retire")
    same(t.sync()["enrolled"], True, "what was not taken back keeps the device in service")
    same((t.device.results[retire]["state"], t.device.reported[app]["state"]), ("failed", "failed"))
    t.path("refuse-apt-purge").unlink()
    retire = t.device.act("retire")
    same(t.sync()["enrolled"], False)
    same(t.device.results[retire]["state"], "done")


@test
def the_systems_programs_are_told():
    srv = server()
    t = Real(srv, "personal")
    t.device.desire("caCertificate", {"certificate": srv.ca.cert.read_text()})
    t.device.desire("wifi", {"ssid": "x", "security": "open"})
    t.device.desire("settings", {"path": "/etc/limits.conf", "content": "theirs"})
    same(t.sync()["applied"], 3)
    same(sorted(t.calls()), ["nmcli connection reload", "update-ca-certificates "])
    same(t.agent("leave", check=0).returncode, 0)
    same(sorted(t.calls()), ["nmcli connection reload", "update-ca-certificates --fresh"])
    compare(snapshot(t.root), t.before, "after leaving")


@test
def a_real_machine_is_not_wiped_unless_its_owner_enabled_it():
    for conf in (None, "wipe = off\n", "# wipe = luks\n"):
        srv = server()
        t = Real(srv, conf=conf)
        wipe = t.device.act("wipe")
        same(t.sync()["enrolled"], True)
        same((t.device.results[wipe]["state"], t.calls()), ("notSupported", []))
        t.device.desire("settings", {"path": "/etc/reeve-agent.conf", "content": "wipe = luks\n"})
        t.device.desire("app", {"package": "evil", "dataPaths": ["/etc/reeve-agent.conf"]})
        t.device.act("wipe")
        t.sync()
        same([r["state"] for r in t.device.results.values()], ["notSupported"] * 2)
        same([i["state"] for i in t.device.reported.values()], ["failed"] * 2)
        same(t.calls(), [], "a hook or apt was run")
        compare({p: v for p, v in t.now().items() if p != "calls"}, t.before, "after the refused wipes")


@test
def a_real_machine_is_wiped_by_its_hook():
    confirm = "destroy-everything-on-this-machine"
    for method in ("luks", "reinstall"):
        srv = server()
        t = Real(srv, conf=f"wipe = {method}\n")
        wipe = t.device.act("wipe")
        srv.fail["/linux/report"] = [(503, "later")]
        same(t.agent("sync").returncode, 75)
        same(t.calls(), [f"wipe-{method}.sh {step} {confirm} {method}" for step in ("check", "wipe")])
        same(t.sync()["enrolled"], False)
        same(t.device.results[wipe]["state"], "done")
        same(t.calls(), [f"wipe-{method}.sh finish {confirm} {method}"], "the machine ends after the report")
        same(personal(t.now()), personal(t.before), "what a stand-in leaves; the agent itself removes no file of a machine")


@test
def a_wiped_machine_ends_without_its_server_too():
    srv = server()
    t = Real(srv, conf="wipe = luks\n")
    t.device.act("wipe")
    srv.fail["/linux/report"] = [(503, "later")] * 5
    for _ in range(5):
        same(t.agent("sync").returncode, 75)
    same([c.split()[1] for c in t.calls()], ["check", "wipe", "finish"])


@test
def the_real_inventory_makes_sense():
    """Of the machine that runs the tests; reads, prints, sends nothing."""
    done = subprocess.run([str(harness.AGENT), "inventory"], capture_output=True, text=True, env=harness.ENV, timeout=60, check=True)
    got = json.loads(done.stdout)
    memory = int(re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())[1]) * 1024
    uname = os.uname()
    same((got["deviceName"], got["kernel"], got["architecture"], got["physicalMemoryBytes"]),
         (uname.nodename, uname.release, uname.machine, memory))
    same(got["processorCount"], len(re.findall(r"^processor\s*:", Path("/proc/cpuinfo").read_text(), re.M)))
    true("totalStorageBytes" not in got or 0 <= got["freeStorageBytes"] <= got["totalStorageBytes"], "storage")
    true(not {"packages", "disks"} & set(got), "what nobody asked for")
