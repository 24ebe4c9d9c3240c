# SPDX-License-Identifier: Apache-2.0
"""What is collected, when, and what never is."""
import json
import re
import subprocess

import harness
from harness import Tree, every_kind, has, lacks, same, server, test, true, write

COLLECTED = {"deviceName", "manufacturer", "model", "serialNumber", "chassisType", "osName", "osVersion", "osBuild", "kernel", "architecture",
             "processor", "processorCount", "physicalMemoryBytes", "totalStorageBytes", "freeStorageBytes", "encrypted", "networkInterfaces"}


@test
def the_tree_is_what_it_is():
    srv = server()
    t = Tree(srv, "company")
    t.sync()
    got = dict(t.device.inventory)
    interfaces = got.pop("networkInterfaces")
    true(0 < got.pop("freeStorageBytes") <= got["totalStorageBytes"], "free space")
    same(got, {"deviceName": "company-1", "manufacturer": "Reeve Test Works", "model": "Workbench 14", "serialNumber": "SN-1",
               "chassisType": "laptop", "osName": "Debian GNU/Linux", "osVersion": "12", "osBuild": "12.5", "kernel": "6.1.0-18-amd64",
               "architecture": "x86_64", "processor": "Reeve Test Processor 3000", "processorCount": 4,
               "physicalMemoryBytes": 16303428 * 1024, "totalStorageBytes": 1000215216 * 512, "encrypted": True})
    same([(i["name"], i["kind"]) for i in interfaces], [("eth0", "ethernet"), ("wlan0", "wifi")])


@test
def what_is_optional_is_sent_only_when_asked_for():
    srv = server()
    t = Tree(srv, "company")
    t.sync()
    same(set(t.device.inventory), COLLECTED)
    t.device.collect = {"packages": True, "addresses": True, "disks": True}
    t.sync()  # learns of it and sends it at once
    got = t.device.inventory
    same(got["packages"], [{"name": "base-files", "version": "12.4+deb12u5"}, {"name": "bash", "version": "5.2.15-2+b2"}])
    same(got["disks"], [{"name": "nvme0n1", "model": "Reeve Test SSD 512GB", "sizeBytes": 1000215216 * 512}])
    same(got["networkInterfaces"][0]["addresses"], ["192.0.2.17"])
    t.device.collect = {"packages": False, "addresses": False, "disks": False}
    sent = t.device.inventories
    write(t.path("etc/hostname"), "renamed\n")  # so that an inventory is due, which the server now refuses with packages
    t.sync()
    same((set(t.device.inventory), t.device.inventory["deviceName"]), (COLLECTED, "renamed"))
    true(t.device.inventories > sent, "nothing was sent")


@test
def packages_of_a_personal_device_are_never_sent():
    srv = server()
    t = Tree(srv, "personal")
    t.device.collect = {"packages": True, "addresses": False, "disks": False}  # a server that asks all the same
    t.sync()
    t.sync()
    lacks(srv.bodies().decode(), "base-files")
    lacks(srv.bodies().decode(), '"packages"')


@test
def the_inventory_is_sent_when_it_changed_or_is_old():
    srv = server()
    t = Tree(srv)
    t.sync()
    t.sync()
    same(t.device.inventories, 1, "unchanged")
    write(t.path("proc/sys/kernel/osrelease"), "6.1.0-19-amd64\n")
    t.sync()
    same(t.device.inventories, 2, "changed")
    record = t.state / "sync.json"
    said = json.loads(record.read_text())
    said["inventoryAt"] -= 8 * 86400 * 10**6
    record.write_text(json.dumps(said))
    t.sync()
    same(t.device.inventories, 3, "old")
    srv.fail["/linux/checkin"] = [(503, "later")]
    write(t.path("proc/sys/kernel/osrelease"), "6.1.0-20-amd64\n")
    t.sync(check=75)
    t.sync()
    same((t.device.inventories, t.device.inventory["kernel"]), (4, "6.1.0-20-amd64"), "a check-in that failed does not count")


@test
def a_machine_that_says_little_makes_nothing_up():
    def prepare(root):
        for name in ("etc/os-release", "etc/hostname", "etc/debian_version", "proc/cpuinfo", "proc/meminfo", "proc/sys/kernel/osrelease",
                     "proc/sys/kernel/arch"):
            (root / name).unlink()
        for name in ("sys_vendor", "product_name", "product_serial"):
            p = root / "sys/class/dmi/id" / name
            p.unlink()
            p.write_text("To Be Filled By O.E.M.\n")
        subprocess.run(["rm", "-r", root / "sys/block", root / "sys/class/net"], check=True)

    srv = server()
    t = Tree(srv, prepare=prepare)
    t.sync()
    same(t.device.inventory["deviceName"], "(unnamed)")
    same(set(t.device.inventory), {"deviceName", "chassisType", "encrypted", "networkInterfaces", "freeStorageBytes", "totalStorageBytes"})
    same((t.device.inventory["networkInterfaces"], t.device.inventory["encrypted"]), ([], False))


@test
def firmware_may_say_anything():
    def prepare(root):
        for name, text in (("product_name", b"Work\x1b[31mbook\x01\xff\xfe"), ("sys_vendor", b"x" * 3000), ("product_serial", b"\x00\x01")):
            p = root / "sys/class/dmi/id" / name
            p.unlink()
            p.write_bytes(text + b"\n")
        (root / "etc/os-release").write_bytes(b'NAME="De\tbian\x7f"\nVERSION_ID=\xc3\n')

    srv = server()
    t = Tree(srv, prepare=prepare)
    t.sync()
    true(t.device.inventory["model"].startswith("Work [31mbook"), t.device.inventory["model"])
    same(t.device.inventory["osName"], "De bian ")


@test
def nothing_of_the_real_machine_is_said_for_a_tree():
    """A link out of the tree is resolved inside it."""
    def prepare(root):
        (root / "etc/hostname").unlink()
        (root / "etc/hostname").symlink_to("/etc/hostname.real")
        (root / "etc/hostname.real").write_text("inside\n")
        (root / "etc/os-release").unlink()
        (root / "etc/os-release").symlink_to("../../../../../../../../../../etc/os-release.none")

    srv = server()
    t = Tree(srv, prepare=prepare)
    t.sync()
    same(t.device.inventory["deviceName"], "inside")
    true("osName" not in t.device.inventory, "the real machine's os-release")


CANARIES = {
    "home/alice/.bash_history": "CANARY-history-1", "root/.bash_history": "CANARY-history-2", "home/alice/.zsh_history": "CANARY-history-3",
    "home/alice/.mozilla/firefox/x.default/places.sqlite": "CANARY-browser-1",
    "home/alice/.config/google-chrome/Default/History": "CANARY-browser-2",
    "home/alice/.local/share/evolution/addressbook/system/contacts.db": "CANARY-contacts-1", "home/bob/contacts.vcf": "CANARY-contacts-2",
    "home/alice/.ssh/id_ed25519": "CANARY-key-1", "home/alice/.gnupg/private-keys-v1.d/k.key": "CANARY-key-2",
    "home/alice/.thunderbird/x/Mail/Inbox": "CANARY-mail-1", "var/mail/alice": "CANARY-mail-2", "home/alice/CANARY-name-1.jpg": "x",
    "home/CANARY-user/notes": "x", "home/alice/.config/acme/CANARY-data": "CANARY-data-2", "home/alice/Documents/diary": "CANARY-text-1",
    "var/log/auth.log": "CANARY-log-1", "var/log/wtmp": "CANARY-log-2", "etc/shadow": "alice:CANARY-shadow:1::::::",
    "etc/NetworkManager/system-connections/Home.nmconnection": "ssid=CANARY-wifi-1\npsk=CANARY-wifi-2",
    "var/lib/NetworkManager/timestamps": "CANARY-wifi-3", "etc/wpa_supplicant/wpa_supplicant.conf": "CANARY-wifi-4",
    "proc/1/cmdline": "CANARY-process", "proc/1/environ": "CANARY-environment", "etc/machine-id": "CANARY-machine-id",
    "sys/class/dmi/id/product_uuid": "CANARY-uuid", "sys/class/dmi/id/board_serial": "CANARY-board",
    "sys/class/dmi/id/chassis_asset_tag": "CANARY-asset", "etc/passwd": "CANARY-account:x:1000:1000:CANARY-real-name:/home/alice:/bin/sh",
    "sys/block/nvme0n1/device/serial": "CANARY-disk-serial", "var/cache/fontconfig/x": "CANARY-cache",
    "home/alice/.local/share/recently-used.xbel": "CANARY-recent", "var/lib/geoclue/x": "CANARY-place",
    "home/alice/.config/pulse/cookie": "CANARY-cookie", "etc/timezone": "CANARY-zone", "etc/resolv.conf": "CANARY-nameserver",
}


@test
def what_is_never_collected():
    def prepare(root):
        for rel, text in CANARIES.items():
            path = root / rel
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.write_text(text + "\n")

    for owner in ("personal", "company"):
        srv = server()
        t = Tree(srv, owner, prepare=prepare)
        every_kind(t.device, srv)
        t.device.desire("settings", {"path": "/etc/passwd", "content": "x"})
        t.device.desire("settings", {"path": "/home/zoe/x", "content": "x"})
        t.device.collect = {"packages": owner == "company", "addresses": True, "disks": True}
        t.sync()
        t.path("home/alice/CANARY-later").write_text("CANARY")
        t.path("etc/limits.conf").write_text("CANARY-changed by the owner")
        t.device.act("retire")
        t.sync()
        said = srv.bodies().decode()
        true(len(said) > 1000 and "Reeve Test Works" in said, "nothing was said at all")
        same(sorted(set(re.findall(r"CANARY[\w-]*", said))), [], f"collected on a {owner} device")
        for name in ("alice", "bob", "beach.jpg", "Documents"):
            lacks(said.replace("alice@acme.example", ""), name)


@test
def the_owner_can_look():
    srv = server()
    t = Tree(srv)
    t.sync()
    before = len(srv.requests)
    printed = json.loads(t.agent("inventory", check=0).stdout)
    sent = dict(t.device.inventory)
    for both in (printed, sent):
        both.pop("freeStorageBytes")
    same(printed, sent, "what is printed is what is sent")
    same(len(srv.requests), before, "printing sends nothing")


@test
def the_person_is_told_what_the_documentation_says():
    """The server's own lists (collects.def) are in the page, word for word."""
    root = harness.HERE.parent.parent
    page = (root / "docs/operating/agent.md").read_text()
    texts = re.findall(r'^(?:COLLECTS\(\w+, |NEVER\()"([^"]+)"\)', (root / "src/devices/collects.def").read_text(), re.M)
    true(len(texts) > 10, "collects.def was not read")
    for text in texts:
        has(page, f"- {text}\n", "docs/operating/agent.md")


@test
def the_documentation_lists_what_is_sent():
    page = (harness.HERE.parent.parent / "docs/operating/agent.md").read_text()
    for key in COLLECTED | {"packages", "addresses", "disks"}:
        has(page, f"`{key}`", "docs/operating/agent.md")
