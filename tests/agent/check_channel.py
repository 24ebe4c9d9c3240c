# SPDX-License-Identifier: Apache-2.0
"""The HTTPS client, renewal and the CA's roll-over, the daemon."""
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone

import fake_server
import harness
from harness import Failed, Tree, compare, every_kind, has, lacks, same, server, snapshot, test, true


def due(device):
    device.renew_before = datetime.now(timezone.utc) - timedelta(seconds=5)


@test
def an_unreachable_server():
    srv = server()
    t = Tree(srv)
    srv.close()
    done = t.sync(check=69)
    has(done.stderr, "cannot be reached")
    same(done.stderr.count("\n"), 1)
    compare(t.now(), t.before, "the tree")


@test
def another_server_is_not_trusted():
    srv, other = server(), server()
    t = Tree(srv)
    config = (t.state / "device.json").read_text()
    (t.state / "device.json").write_text(config.replace(srv.url, other.url))
    has(t.sync(check=69).stderr, "not the server that the CA file names")
    same(other.requests, [], "something was said to it")
    fresh = Tree(srv, enrol=False)
    done = fresh.agent("enroll", "--url", srv.url, "--ca", other.ca.cert, "--token", srv.token("personal"), "--accept-terms", check=69)
    has(done.stderr, "not the server")
    again = Tree(srv)
    srv.rename("DNS:elsewhere.example,IP:127.0.0.2")
    has(again.sync(check=69).stderr, "not the server", "the right CA, another name")
    srv.rename("IP:127.0.0.1")
    again.sync()


@test
def old_tls_is_refused():
    srv = server()
    t = Tree(srv)
    srv.context.minimum_version = ssl.TLSVersion.TLSv1
    srv.context.maximum_version = ssl.TLSVersion.TLSv1_1
    srv.context.set_ciphers("ALL:@SECLEVEL=0")
    t.sync(check=69)
    srv.context.maximum_version = ssl.TLSVersion.TLSv1_2
    t.sync()


@test
def answers_that_make_no_sense_change_nothing():
    srv = server()
    t = Tree(srv)
    ids = every_kind(t.device, srv)
    t.sync()
    applied = t.now()
    good = {"deviceId": t.device.id, "now": "2026-01-01T00:00:00Z", "syncSeconds": 60, "renewBefore": "2027-01-01T00:00:00Z",
            "collect": {}, "items": [], "actions": []}
    item = {"id": ids["new"], "version": 1, "kind": "settings", "name": "x", "payload": {}}
    for change in ({"items": None}, {"items": {}}, {"items": [5]}, {"items": [{**item, "id": "../x"}]}, {"items": [item, item]},
                   {"items": [{**item, "version": "1"}]}, {"items": [{**item, "payload": None}]}, {"actions": None}, {"now": "soon"},
                   {"deviceId": "0190aaaa-0000-7000-8000-000000000001"}, {"syncSeconds": "x"}, {"renewBefore": 5},
                   {"actions": [{"id": "x", "action": "retire"}]}, {"actions": [{"id": ids["new"], "action": 7}]}):
        srv.fail["/linux/checkin"] = [json.dumps({**good, **change}).encode()]
        done = t.sync(check=65)
        same(done.stderr.count("\n"), 1, f"{change}")
        compare(t.now(), applied, f"after {change}")
    for raw in (b"", b"[]", b"{", b"\xff", b'{"items":[],"items":[]}', b'"x"'):
        srv.fail["/linux/checkin"] = [raw]
        t.sync(check=65)
        compare(t.now(), applied, f"after {raw}")
    srv.fail["/linux/checkin"] = [json.dumps({**good, "items": [{"id": ids["new"]}]}).encode()]
    t.sync(check=65)
    same(t.sync()["unchanged"], 6)


@test
def an_answer_without_end_is_cut():
    srv = server()
    t = Tree(srv)
    srv.fail["/linux/checkin"] = [b'{"x":"' + b"a" * (9 << 20) + b'"}']
    has(t.sync(check=65).stderr, "larger than 8 MiB")
    srv.say_length = False  # and where it does not say so beforehand
    srv.fail["/linux/checkin"] = [b'{"x":"' + b"a" * (9 << 20) + b'"}']
    has(t.sync(check=65).stderr, "larger than 8 MiB")
    compare(t.now(), t.before, "the tree")


@test
def errors_of_the_server_are_told():
    srv = server()
    t = Tree(srv)
    for status, code in ((400, 65), (401, 77), (403, 77), (404, 66), (410, 66), (412, 65), (413, 65), (429, 75), (500, 75), (503, 75), (302, 65)):
        srv.fail["/linux/checkin"] = [(status, "because\x1b[2J of this")]
        done = t.sync(check=code)
        has(done.stderr, "of this")
        lacks(done.stderr, "\x1b")


@test
def a_device_that_was_revoked_keeps_still():
    srv = server()
    t = Tree(srv)
    every_kind(t.device, srv)
    t.sync()
    applied = t.now()
    t.device.certificates.clear()
    t.sync(check=77)
    compare(t.now(), applied, "the tree")


@test
def renewal_in_time():
    srv = server()
    t = Tree(srv)
    t.sync()
    key, cert = (t.state / "key.pem").read_bytes(), (t.state / "cert.pem").read_bytes()
    same(t.sync()["renewed"], False)
    due(t.device)
    same(t.sync()["renewed"], True)
    new_key, new_cert = (t.state / "key.pem").read_bytes(), (t.state / "cert.pem").read_bytes()
    true(key != new_key and cert != new_cert, "a new key and a new certificate")
    same((t.state / "key.pem").stat().st_mode & 0o777, 0o600)
    same(sorted(p.name for p in t.state.iterdir() if "next" in p.name), [])
    lacks(srv.bodies().decode(), new_key.decode().split("\n")[1], "the key was sent")
    same(t.sync()["renewed"], False)


@test
def a_renewal_with_the_wrong_certificate_is_refused():
    srv = server()
    t = Tree(srv)
    due(t.device)
    old = (t.state / "cert.pem").read_text()
    for answer in ({"certificate": old, "ca": srv.ca_pem()}, {"certificate": old}, {}, {"certificate": "x", "ca": "y"}):
        srv.fail["/linux/renew"] = [json.dumps(answer).encode()]
        t.sync(check=65)
        same((t.state / "cert.pem").read_text(), old)
    same(t.sync()["renewed"], True)


@test
def the_ca_rolls_over():
    srv = server()
    t = Tree(srv)
    late = Tree(srv)
    t.sync()
    srv.roll_ca()
    due(t.device)
    same(t.sync()["renewed"], True)
    same((t.state / "ca.pem").read_text().count("BEGIN CERTIFICATE"), 2)
    t.sync()
    srv.finish_roll()
    t.sync()
    has(late.sync(check=69).stderr, "not the server")
    due(t.device)
    t.sync()
    same((t.state / "ca.pem").read_text(), srv.ca.cert.read_text())


@test
def more_means_another_checkin_at_once():
    srv = server()
    t = Tree(srv)
    t.device.desire("settings", {"path": "/etc/a.conf", "content": "x"})
    t.sync()
    same(t.device.checkins, 1)
    t.device.more = 1
    t.device.desire("settings", {"path": "/etc/b.conf", "content": "x"})
    t.sync()
    same(t.device.checkins, 3)
    t.device.more = 1000  # a server that never has enough
    t.device.desire("settings", {"path": "/etc/../x", "content": "x"})  # fails and is reported every time
    before = t.device.checkins
    t.sync()
    true(2 <= t.device.checkins - before <= 5, f"{t.device.checkins - before} check-ins in one sync")


def daemon(t):
    return subprocess.Popen([str(harness.AGENT), "run", "--root", str(t.root)], stderr=subprocess.PIPE, text=True, env=harness.ENV)


def until(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"waited in vain for {what}")
        time.sleep(0.05)


@test
def the_daemon_syncs_and_ends():
    srv = server()
    t = Tree(srv)
    d = daemon(t)
    try:
        until("the first check-in", lambda: t.device.checkins == 1)
        time.sleep(0.3)
        d.send_signal(signal.SIGHUP)
        until("the check-in after SIGHUP", lambda: t.device.checkins == 2)
        same(t.status()["enrolled"], True)
        time.sleep(0.3)
        d.send_signal(signal.SIGTERM)
        same(d.wait(20), 0)
    finally:
        d.kill()
    has(d.stderr.read(), "reason=signal")


@test
def the_daemon_outlives_a_server_that_is_away():
    srv = server()
    t = Tree(srv)
    srv.fail["/linux/checkin"] = [(503, "away")] * 2
    d = daemon(t)
    try:
        until("the first try", lambda: len([p for p, _ in srv.requests if p == "/linux/checkin"]) == 1)
        time.sleep(1)
        same(t.device.checkins, 0, "it must wait before it tries again")
        d.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        d.send_signal(signal.SIGHUP)
        until("a check-in", lambda: t.device.checkins == 1)
        d.terminate()
        same(d.wait(20), 0)
    finally:
        d.kill()
    has(d.stderr.read(), "sync-failed")


@test
def the_daemon_ends_with_the_enrolment():
    srv = server()
    t = Tree(srv)
    every_kind(t.device, srv)
    t.device.act("retire")
    d = daemon(t)
    try:
        same(d.wait(30), 0)
    finally:
        d.kill()
    compare(snapshot(t.root), t.before, "after retire")


@test
def a_server_that_says_nothing_does_not_hold_the_daemon():
    srv = server()
    t = Tree(srv)
    mute = socket.create_server(("127.0.0.1", 0))
    config = (t.state / "device.json").read_text()
    (t.state / "device.json").write_text(config.replace(srv.url, f"https://127.0.0.1:{mute.getsockname()[1]}"))
    d = daemon(t)
    try:
        connection, _ = mute.accept()
        time.sleep(0.3)
        start = time.monotonic()
        d.terminate()
        same(d.wait(20), 0)
        true(time.monotonic() - start < 10, "it took too long")
        connection.close()
    finally:
        d.kill()
        mute.close()


@test
def two_runs_do_not_meet():
    srv = server()
    t = Tree(srv)
    every_kind(t.device, srv)
    results = []
    threads = [threading.Thread(target=lambda: results.append(t.agent("sync").returncode)) for _ in range(6)]
    for th in threads:
        th.start()
    for th in threads:
        th.join()
    same(results, [0] * 6)
    same([i["state"] for i in t.device.history if i["state"] != "installed"], [])
    t.device.act("retire")
    t.sync()
    compare(snapshot(t.root), t.before, "after retire")


@test
def the_contract_names_what_the_server_refuses():
    """The fake server itself: it must refuse what the real one refuses, or the tests above prove nothing."""
    for call, body in ((fake_server.only, ({"a": 1}, {"b"}, "x")),):
        try:
            call(*body)
        except fake_server.Refused as e:
            same(e.status, 400)
        else:
            raise Failed("not refused")
    true(os.access(harness.MAKE_TREE, os.X_OK), "make-tree.sh")
