# SPDX-License-Identifier: Apache-2.0
"""Enrolling, leaving, status, the command line."""
import json
import os
import pty
import stat
import subprocess

import harness
from harness import Tree, compare, has, lacks, same, server, test, true

TERMS = [{"id": "0190aaaa-0000-7000-8000-000000000001", "version": 3, "displayName": "Use", "title": "Terms of use",
          "bodyText": "Be kind.\nBe \x1b[2Jcareful.", "acceptanceStatement": "I accept."}]


@test
def enrol_makes_an_identity_and_keeps_the_key():
    srv = server()
    srv.terms = TERMS
    t = Tree(srv, enrol=False)
    done = t.enrol(check=0)
    body = t.device.enrolled_with
    same(body["acceptedTerms"], [{"id": TERMS[0]["id"], "version": 3}])
    same(body["device"], {"deviceName": "personal-1", "manufacturer": "Reeve Test Works", "model": "Homebook 13", "serialNumber": "SN-1",
                          "osName": "Debian GNU/Linux", "osVersion": "12"})
    same(body["provisioning"], True)
    same(stat.S_IMODE(t.state.stat().st_mode), 0o700, "state directory")
    for name in ("key.pem", "cert.pem", "ca.pem", "device.json"):
        same(stat.S_IMODE((t.state / name).stat().st_mode), 0o600, name)
    key = (t.state / "key.pem").read_text().split("\n")[1]
    t.sync()
    lacks(srv.bodies().decode(), key, "the key was sent")
    for text in ("Be kind.", "the model", "where you are", "Acme", "personal"):
        has(done.stdout, text, "what the person is told")
    lacks(done.stdout, "\x1b", "the server moved the cursor")
    status = t.status()
    same((status["enrolled"], status["ownership"], status["url"]), (True, "personal", srv.url))
    compare(t.now(), {p: v for p, v in t.before.items()}, "enrolling changed the device")


@test
def enrol_twice_is_refused():
    t = Tree(server())
    before = harness.snapshot(t.root)
    done = t.enrol(check=65)
    has(done.stderr, "enrolled already")
    compare(harness.snapshot(t.root), before, "the refused enrolment")


@test
def a_token_is_never_repeated():
    srv = server()
    t = Tree(srv, enrol=False)
    done = t.enrol(token="secret-token-42", check=77)  # the fake server repeats it in its message
    lacks(done.stdout + done.stderr, "secret-token-42")
    compare(harness.snapshot(t.root), t.before, "a failed enrolment")
    done = t.agent("enroll", "--url", srv.url, "--ca", srv.ca.cert, "--token", "secret-token-42", "--accept-terms", check=77)
    lacks(done.stdout + done.stderr, "secret-token-42")
    done = t.agent("enroll", "--token", "secret-token-42", "secret-token-42", check=64)
    lacks(done.stdout + done.stderr, "secret-token-42")


@test
def a_failed_enrolment_leaves_nothing():
    srv = server()
    t = Tree(srv, enrol=False)
    for step, code in (((500, "no"), 75), ((412, "terms"), 65), (b"{}", 65), (b"not json", 65), ((429, "slow"), 75)):
        srv.fail["/linux/enroll"] = [step]
        t.enrol(check=code)
        compare(harness.snapshot(t.root), t.before, f"after {step}")
    (t.root / "var/lib/reeve-agent").write_text("in the way")
    t.enrol(check=73)
    (t.root / "var/lib/reeve-agent").unlink()
    compare(harness.snapshot(t.root), t.before, "after a state directory that cannot be made")
    t.enrol(check=0)


@test
def a_certificate_for_another_key_is_refused():
    srv = server()
    t = Tree(srv, enrol=False)
    other = Tree(srv)
    answer = {"deviceId": other.device.id, "certificate": (other.state / "cert.pem").read_text(), "ca": srv.ca_pem(),
              "ownership": "personal", "syncSeconds": 60}
    srv.fail["/linux/enroll"] = [json.dumps(answer).encode()]
    has(t.enrol(check=65).stderr, "does not fit its key")
    compare(harness.snapshot(t.root), t.before, "the refused certificate")


def on_terminal(t, token, answer):
    master, slave = pty.openpty()
    args = [str(harness.AGENT), "enroll", "--url", t.server.url, "--ca", str(t.server.ca.cert), "--token", token, "--root", str(t.root)]
    child = subprocess.Popen(args, stdin=slave, stdout=slave, stderr=slave, env=harness.ENV)
    os.close(slave)
    os.write(master, answer)
    out = b""
    try:
        while chunk := os.read(master, 4096):
            out += chunk
    except OSError:
        pass  # the terminal closes with its last user
    os.close(master)
    return child.wait(), out.decode()


@test
def terms_are_asked_for():
    srv = server()
    srv.terms = TERMS
    t = Tree(srv, enrol=False)
    done = t.agent("enroll", "--url", srv.url, "--ca", srv.ca.cert, "--token", srv.token("personal"), check=64)
    has(done.stderr, "terms must be accepted")
    code, out = on_terminal(t, srv.token("personal"), b"no\n")
    same(code, 77, out)
    has(out, "Be kind.")
    same(srv.devices, {}, "enrolled without consent")
    compare(harness.snapshot(t.root), t.before, "without consent")
    code, out = on_terminal(t, srv.token("personal"), b"yes\n")
    same(code, 0, out)
    same(len(srv.devices), 1)


@test
def leaving_with_a_personal_device():
    srv = server()
    t = Tree(srv)
    harness.every_kind(t.device, srv)
    t.sync()
    done = t.agent("leave", check=0)
    has(done.stdout, "no longer managed")
    same([r["state"] for r in t.device.results.values()], ["done"])
    same({i["state"] for i in t.device.reported.values()}, {"removed"})
    compare(harness.snapshot(t.root), t.before, "after leaving")
    t.agent("leave", check=65)
    same(t.status(), {"enrolled": False})


@test
def a_company_device_does_not_leave():
    srv = server()
    t = Tree(srv, "company")
    harness.every_kind(t.device, srv)
    t.sync()
    before = harness.snapshot(t.root)
    done = t.agent("leave", check=77)
    has(done.stderr, "company device")
    has(done.stderr, "returned to the organisation")
    same(done.stderr.count("\n"), 1, "one line")
    compare(harness.snapshot(t.root), before, "the refused leave")


@test
def leaving_is_ended_by_the_next_run():
    """The server's answer is lost: what it owes comes with the next check-in."""
    srv = server()
    t = Tree(srv)
    harness.every_kind(t.device, srv)
    t.sync()
    srv.fail["/linux/leave"] = ["drop"]
    t.agent("leave", check=69)
    same(t.sync()["enrolled"], False)
    compare(harness.snapshot(t.root), t.before, "after leaving")


@test
def inventory_only():
    srv = server()
    t = Tree(srv, "company", extra=("--inventory-only",))
    same(t.device.enrolled_with["provisioning"], False)
    harness.every_kind(t.device, srv)
    t.sync()
    compare(t.now(), t.before, "provisioned all the same")
    wipe = t.device.act("wipe")
    t.sync()
    same(t.device.results[wipe]["state"], "notSupported")
    compare(t.now(), t.before, "wiped all the same")
    retire = t.device.act("retire")
    same(t.sync()["enrolled"], False)
    same(t.device.results[retire]["state"], "done")
    compare(harness.snapshot(t.root), t.before, "after retire")


@test
def a_state_directory_elsewhere():
    srv = server()
    t = Tree(srv, enrol=False)
    place = t.base / "elsewhere"
    t.enrol("--state", place, check=0)
    harness.every_kind(t.device, srv)
    t.agent("sync", "--state", place, check=0)
    true((place / "key.pem").exists(), "no key")
    true(not t.state.exists(), "a state directory in the tree")
    t.agent("sync", check=65)  # without --state it is not enrolled
    t.device.act("retire")
    t.agent("sync", "--state", place, check=0)
    same(list(place.iterdir()), [], "what is left of the state")
    compare(harness.snapshot(t.root), t.before, "after retire")


@test
def a_device_name_is_kept():
    srv = server()
    t = Tree(srv, extra=("--device-name", "Alice's tree"))
    same(t.device.enrolled_with["device"]["deviceName"], "Alice's tree")
    t.sync()
    same(t.device.inventory["deviceName"], "Alice's tree")


@test
def the_command_line_is_checked():
    srv = server()
    t = Tree(srv, enrol=False)
    token = srv.token("personal")
    bad = [("enroll",), ("enroll", "--url", srv.url), ("enroll", "--url", srv.url, "--ca", srv.ca.cert),
           ("enroll", "--url", "http://127.0.0.1", "--ca", srv.ca.cert, "--token", token),
           ("enroll", "--url", srv.url + "/x?y", "--ca", srv.ca.cert, "--token", token),
           ("enroll", "--url", srv.url, "--ca", srv.ca.cert, "--token", token, "--token-file", "x"),
           ("sync", "--url", srv.url), ("sync", "--json=1"), ("fly",), ("status", "extra"), ("sync", "--state", "/nowhere/at/all")]
    for args in bad:
        done = t.agent(*args, check=64)
        same((done.stderr.count("\n"), done.stdout), (1, ""), f"{args}: one clear line")
    t.agent("enroll", "--url", srv.url, "--ca", "/nonexistent/ca", "--token", token, check=66)
    for command in ("sync", "run", "leave"):
        has(t.agent(command, check=65).stderr, "not enrolled")
    has(t.agent("status", check=0).stdout, "not enrolled")
    has(t.agent("help", check=0).stdout, "reeve-agent enroll")
