# SPDX-License-Identifier: Apache-2.0
"""Applying what the organisation provisions, changing it, taking it back."""
import configparser
import os
import stat

import harness
from harness import Tree, compare, every_kind, has, lacks, personal, same, server, snapshot, test, true, write


def text(t, rel):
    return t.path(rel).read_text()


def mode(t, rel):
    return stat.S_IMODE(t.path(rel).lstat().st_mode)


@test
def every_kind_is_applied():
    srv = server()
    t = Tree(srv)
    ids = every_kind(t.device, srv)
    result = t.sync()
    same((result["applied"], result["failed"]), (6, 0))
    same({i["state"] for i in t.device.reported.values()}, {"installed"})
    same((text(t, "etc/limits.conf"), mode(t, "etc/limits.conf")), ("# Acme\nmax = 5\n", 0o600))
    same(text(t, "etc/acme.d/deep/er/policy.conf"), "on\n")
    wifi = f"etc/NetworkManager/system-connections/reeve-{ids['wifi']}.nmconnection"
    same((mode(t, wifi), t.device.reported[ids["wifi"]]["identifier"]), (0o600, wifi))
    ini = configparser.RawConfigParser(delimiters="=")
    ini.read_string(text(t, wifi))
    same((ini["wifi"]["ssid"], ini["wifi"]["hidden"]), ("Acme Office", "true"))
    same(ini["wifi-security"]["psk"], "correct horse \\\\ battery", "keyfiles double a backslash")
    same(ini["connection"]["uuid"], ids["wifi"])
    ini.read_string(text(t, f"etc/reeve/email/{ids['email']}.conf"))
    same((ini["account"]["emailAddress"], ini["account"]["incomingPort"]), ("alice@acme.example", "993"))
    same(text(t, f"usr/local/share/ca-certificates/reeve-{ids['ca']}.crt"), srv.ca.cert.read_text())
    same((text(t, "usr/bin/acme"), mode(t, "usr/bin/acme")), ("#!/bin/sh\necho acme\n", 0o755))
    same(t.device.reported[ids["app"]]["identifier"], "package/acme-tools")
    again = t.sync()
    same((again["applied"], again["unchanged"]), (0, 6), "a second sync changes nothing")
    same(personal(t.now()), personal(t.before), "personal files")


@test
def change_remove_and_retire():
    srv = server()
    t = Tree(srv)
    ids = every_kind(t.device, srv)
    t.sync()
    t.device.desire("settings", {"path": "/etc/limits.conf", "content": "# Acme 2\n"}, version=2, ident=ids["settings"])
    t.device.desire("settings", {"path": "/etc/other/place.conf", "content": "moved\n"}, version=2, ident=ids["new"])
    t.device.undesire(ids["wifi"])
    t.device.desire("app", {"package": "acme-tools", "version": "2.0", "dataPaths": ["/var/lib/acme-tools", "~/.config/acme"],
                            "files": [{"path": "/usr/bin/acme", "content": "#!/bin/sh\necho two\n", "mode": "0755"}]},
                    version=2, ident=ids["app"])
    write(t.path("home/alice/.config/acme/settings"), "made by the app")
    result = t.sync()
    same((result["applied"], result["takenBack"], result["failed"]), (3, 1, 0))
    same((text(t, "etc/limits.conf"), mode(t, "etc/limits.conf")), ("# Acme 2\n", 0o644))
    same(text(t, "etc/other/place.conf"), "moved\n")
    true(not t.path("etc/acme.d/deep/er/policy.conf").exists(), "the file of the old version")
    true(not t.path("etc/NetworkManager").exists(), "the profile that was taken back, and its directories")
    same(t.device.reported[ids["wifi"]]["state"], "removed")
    same((text(t, "usr/bin/acme"), t.path("usr/share/acme/data").exists()), ("#!/bin/sh\necho two\n", False))
    same(text(t, "home/alice/.config/acme/settings"), "made by the app", "an update keeps the app's data")
    retire = t.device.act("retire")
    result = t.sync()
    same((result["enrolled"], t.device.results[retire]["state"]), (False, "done"))
    compare(snapshot(t.root), t.before, "after retire")


@test
def replaced_files_come_back_exactly():
    def prepare(root):
        p = root / "etc/binary.conf"
        p.write_bytes(bytes(range(256)) * 40)
        p.chmod(0o4751)
        os.utime(p, ns=(1, 1234567890123456789))
        if os.geteuid() == 0:
            os.chown(p, 1000, 1001)
            p.chmod(0o4751)
        try:
            os.setxattr(p, "user.note", b"mine")
        except OSError:
            pass
        (root / "etc/empty.conf").touch()

    srv = server()
    t = Tree(srv, prepare=prepare)
    for name in ("binary", "empty", "limits"):
        t.device.desire("settings", {"path": f"/etc/{name}.conf", "content": "theirs"})
    same(t.sync()["applied"], 3)
    same({text(t, f"etc/{n}.conf") for n in ("binary", "empty", "limits")}, {"theirs"})
    t.device.items = []
    same(t.sync()["takenBack"], 3)
    compare(t.now(), t.before, "after taking back")
    same(list((t.state / "items").iterdir()), [], "records and backups that are left")


@test
def changed_files_are_taken_back_all_the_same():
    srv = server()
    t = Tree(srv)
    mine = t.device.desire("settings", {"path": "/etc/new.conf", "content": "theirs"})
    replaced = t.device.desire("settings", {"path": "/etc/limits.conf", "content": "theirs"})
    directory = t.device.desire("settings", {"path": "/etc/dir.conf", "content": "theirs"})
    t.sync()
    t.path("etc/new.conf").write_text("changed")
    t.path("etc/limits.conf").write_text("changed")
    t.path("etc/dir.conf").unlink()
    write(t.path("etc/dir.conf/inside"), "a person's")
    t.device.act("retire")
    t.sync()
    has(t.device.reported[mine]["error"], "changed on the device; removed")
    has(t.device.reported[replaced]["error"], "changed on the device; restored")
    has(t.device.reported[directory]["error"], "directory and was left")
    after = snapshot(t.root)
    true(after.pop("etc/dir.conf") and after.pop("etc/dir.conf/inside"), "what a person put there")
    compare(after, t.before, "after retire")


@test
def what_drifts_is_put_right():
    srv = server()
    t = Tree(srv)
    t.device.desire("settings", {"path": "/etc/limits.conf", "content": "theirs", "mode": "0644"})
    t.sync()
    t.path("etc/limits.conf").write_text("changed")
    same(t.sync()["applied"], 1)
    same(text(t, "etc/limits.conf"), "theirs")
    t.path("etc/limits.conf").unlink()
    t.sync()
    t.path("etc/limits.conf").chmod(0o666)
    t.sync()
    same(mode(t, "etc/limits.conf"), 0o644)
    t.device.items = []
    t.sync()
    compare(t.now(), t.before, "the first original, not what came between")


@test
def data_of_an_app_goes_and_a_persons_stays():
    def prepare(root):
        write(root / "home/bob/.config/acme/mine.txt", "bob used it before")
        write(root / "var/lib/other/data", "another program's")

    srv = server()
    t = Tree(srv, prepare=prepare)
    app = t.device.desire("app", {"package": "acme", "files": [],
                                  "dataPaths": ["/var/lib/acme", "~/.config/acme", "/var/lib/other", "~/.acmerc", "/opt/acme/logs"]})
    t.sync()
    write(t.path("var/lib/acme/db/deep/file"), "x")
    t.path("var/lib/acme/link").symlink_to("../../../home/alice/Documents")
    write(t.path("home/alice/.config/acme/a"), "x")
    write(t.path("home/bob/.config/acme/b"), "the app's, among bob's")
    write(t.path("home/alice/.acmerc"), "x")
    write(t.path("root/.acmerc"), "x")
    write(t.path("home/carol/.config/acme/c"), "x")  # a person who came later
    write(t.path("home/carol/diary"), "carol's")
    t.path("home/dave").symlink_to("alice")
    t.device.undesire(app)
    t.sync()
    for gone in ("var/lib/acme", "home/alice/.config/acme", "home/alice/.acmerc", "root/.acmerc", "home/carol/.config/acme"):
        true(not t.path(gone).exists(), f"{gone} is still there")
    for kept in ("home/bob/.config/acme/mine.txt", "var/lib/other/data", "home/carol/diary", "home/carol/.config"):
        true(t.path(kept).exists(), f"{kept} is gone")
    has(t.device.reported[app]["error"], "~/.config/acme was there before")
    lacks(srv.bodies().decode(), "bob", "a person's name was sent")
    same({p: v for p, v in personal(t.now()).items() if p in t.before}, personal(t.before), "personal files")


@test
def shared_data_stays_with_the_other_app():
    srv = server()
    t = Tree(srv)
    first = t.device.desire("app", {"package": "one", "files": [], "dataPaths": ["/var/lib/suite"]})
    second = t.device.desire("app", {"package": "two", "files": [], "dataPaths": ["/var/lib/suite/two"]})
    t.sync()
    write(t.path("var/lib/suite/two/x"), "x")
    t.device.undesire(first)
    t.sync()
    true(t.path("var/lib/suite/two/x").exists(), "the other app's data")
    t.device.undesire(second)
    t.sync()
    true(not t.path("var/lib/suite/two").exists(), "the second app's data")


@test
def two_items_do_not_share_a_path():
    srv = server()
    t = Tree(srv)
    first = t.device.desire("settings", {"path": "/etc/limits.conf", "content": "first"})
    second = t.device.desire("settings", {"path": "/etc/limits.conf", "content": "second"})
    same((t.sync()["applied"], t.device.reported[second]["state"]), (1, "failed"))
    has(t.device.reported[second]["error"], "another item")
    same(text(t, "etc/limits.conf"), "first")
    t.device.undesire(first)
    same(t.sync()["applied"], 1, "the second takes the place of the first at once")
    same((text(t, "etc/limits.conf"), t.device.reported[second]["state"]), ("second", "installed"))
    t.device.undesire(second)
    t.sync()
    compare(t.now(), t.before, "the device's own file")


@test
def a_bad_payload_fails_alone():
    srv = server()
    t = Tree(srv)
    bad = [t.device.desire(kind, payload) for kind, payload in (
        ("settings", {}), ("settings", {"path": "/etc/a", "content": 5}), ("settings", {"path": "/etc/a", "content": "x", "mode": "4755"}),
        ("settings", {"path": "/etc/a", "content": "x", "mode": "0888"}), ("settings", {"path": "/etc/a", "content": "x", "mode": 420}),
        ("settings", {"path": "/etc/acme", "content": "a directory is there"}),
        ("settings", {"path": "/etc/hostname/x", "content": "a file is in the way"}),
        ("wifi", {"ssid": "x\nautoconnect=false", "security": "open"}), ("wifi", {"ssid": "x", "security": "wpaPersonal", "passphrase": "short"}),
        ("wifi", {"ssid": "x", "security": "wep"}), ("wifi", {"ssid": "", "security": "open"}), ("wifi", {"ssid": "x" * 33, "security": "open"}),
        ("email", {"accountName": "a", "emailAddress": "a\n[evil]", "incomingServer": "s"}),
        ("email", {"accountName": "a", "emailAddress": "a@b", "incomingServer": "s", "incomingPort": 70000}),
        ("caCertificate", {"certificate": "no PEM"}), ("caCertificate", {"certificate": srv.ca.cert.read_text() + srv.ca.key.read_text()}),
        ("app", {"package": "-o=Evil"}), ("app", {"package": "a/../b"}), ("app", {"package": "x" * 200}),
        ("app", {"package": "ok", "version": "1 2"}), ("app", {"package": "ok", "dataPaths": "x"}), ("teleport", {}))]
    good = t.device.desire("settings", {"path": "/etc/good.conf", "content": "x"})
    result = t.sync()
    same((result["applied"], result["failed"]), (1, len(bad)))
    for ident in bad:
        same(t.device.reported[ident]["state"], "failed", str([i["payload"] for i in t.device.items if i["id"] == ident]))
        true(t.device.reported[ident]["error"], "without a reason")
    same(t.device.reported[good]["state"], "installed")
    t.device.items = []
    t.sync()
    compare(t.now(), t.before, "after taking back what failed")


@test
def odd_network_names_go_in_as_bytes():
    srv = server()
    t = Tree(srv)
    for ssid, want in (("Caf\u00e9; bar", "67;97;102;195;169;59;32;98;97;114;"), ("Caf\u00e9", "67;97;102;195;169;"), (" x", "32;120;"), ("a\\b", "97;92;98;")):
        ident = t.device.desire("wifi", {"ssid": ssid, "security": "open"})
        t.sync()
        content = text(t, f"etc/NetworkManager/system-connections/reeve-{ident}.nmconnection")
        has(content, f"\nssid={want}\n")
        lacks(content, "wifi-security")


@test
def a_new_version_that_fails_leaves_the_old_one():
    srv = server()
    t = Tree(srv)
    ident = t.device.desire("settings", {"path": "/etc/limits.conf", "content": "one"})
    t.sync()
    t.device.desire("settings", {"path": "/etc/../evil", "content": "two"}, version=2, ident=ident)
    t.sync()
    same((t.device.reported[ident]["state"], t.device.reported[ident]["version"], text(t, "etc/limits.conf")), ("failed", 2, "one"))
    t.device.desire("settings", {"path": "/etc/limits.conf", "content": "three"}, version=3, ident=ident)
    t.sync()
    same((t.device.reported[ident]["state"], text(t, "etc/limits.conf")), ("installed", "three"))
    t.device.items = []
    t.sync()
    compare(t.now(), t.before, "after taking back")


@test
def removal_is_told_until_it_was_heard():
    srv = server()
    t = Tree(srv)
    ident = t.device.desire("settings", {"path": "/etc/new.conf", "content": "x"})
    t.sync()
    t.device.undesire(ident)
    srv.fail["/linux/report"] = [(503, "later")]
    t.sync(check=75)
    same(t.device.reported[ident]["state"], "installed")
    t.sync()
    same(t.device.reported[ident]["state"], "removed")
    same(list((t.state / "items").iterdir()), [], "told: the record goes")
    t.device.history.clear()
    t.sync()
    same(t.device.history, [])


@test
def an_item_can_come_back():
    srv = server()
    t = Tree(srv)
    ident = t.device.desire("settings", {"path": "/etc/limits.conf", "content": "x"})
    t.sync()
    kept = t.device.items
    for _ in range(2):
        t.device.items = []
        srv.fail["/linux/report"] = [(503, "later")]  # the record of the removal is still there when it comes back
        t.sync(check=75)
        compare(t.now(), t.before, "taken back")
        t.device.items = kept
        t.sync()
        same((text(t, "etc/limits.conf"), t.device.reported[ident]["state"]), ("x", "installed"))
    t.device.act("retire")
    t.sync()
    compare(snapshot(t.root), t.before, "after retire")


@test
def retire_is_reported_before_the_state_goes():
    srv = server()
    t = Tree(srv)
    every_kind(t.device, srv)
    t.sync()
    retire = t.device.act("retire")
    srv.fail["/linux/report"] = [(503, "later"), "drop"]
    t.sync(check=75)
    compare(t.now(), t.before, "taken back before the report")
    true((t.state / "key.pem").exists(), "the key is needed to report")
    t.sync(check=69)  # the server has it, the agent does not know
    same(t.device.results[retire]["state"], "done")
    same(t.sync()["enrolled"], False)
    compare(snapshot(t.root), t.before, "after retire")


@test
def retire_where_the_server_no_longer_knows_the_device():
    srv = server()
    t = Tree(srv)
    every_kind(t.device, srv)
    t.sync()
    t.device.act("retire")
    srv.fail["/linux/report"] = [(401, "gone")]
    same(t.sync()["enrolled"], False)
    compare(snapshot(t.root), t.before, "after retire")
    t.agent("sync", check=65)


@test
def an_unknown_action_is_not_supported():
    srv = server()
    t = Tree(srv)
    act = t.device.act("explode")
    t.sync()
    same(t.device.results[act]["state"], "notSupported")
    compare(t.now(), t.before, "what it did")


@test
def status_says_what_is_provisioned():
    srv = server()
    t = Tree(srv)
    ident = t.device.desire("settings", {"path": "/etc/limits.conf", "content": "x"}, name="Limits")
    t.sync()
    same(t.status()["items"], [{"id": ident, "kind": "settings", "name": "Limits", "version": 1, "state": "installed",
                                "identifier": "etc/limits.conf", "error": None}])
    has(harness.Tree.agent(t, "status", check=0).stdout, "etc/limits.conf")
