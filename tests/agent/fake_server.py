# SPDX-License-Identifier: Apache-2.0
"""A small server that speaks docs/formats/linux-channel.md, for the agent's tests.

It is as strict as the real one where the agent could get it wrong: unknown keys are refused, so is what was not asked for, and a
device is known by its certificate alone.  It keeps every request body, so that a test can look at all that the agent ever said.
Certificates come from the `openssl` program.
"""
import json
import http.server
import ssl
import subprocess
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path


def openssl(*args, stdin=None):
    done = subprocess.run(["openssl", *map(str, args)], input=stdin, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())
    return done.stdout


def rfc3339(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Authority:
    """One CA, and the server certificate that it signed."""

    def __init__(self, where, name):
        self.key, self.cert = where / f"{name}.key", where / f"{name}.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30, "-subj", f"/CN={name}",
                "-keyout", self.key, "-out", self.cert)
        self.extra = where / f"{name}-client.ext"
        self.extra.write_text("extendedKeyUsage=clientAuth\n")
        self.make_server(where, name)

    def make_server(self, where, name, names="DNS:localhost,IP:127.0.0.1"):
        self.server_key, self.server_cert = where / f"{name}-server.key", where / f"{name}-server.pem"
        csr = where / f"{name}-server.csr"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-keyout",
                self.server_key, "-out", csr)
        extra = where / f"{name}.ext"
        extra.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")
        openssl("x509", "-req", "-in", csr, "-CA", self.cert, "-CAkey", self.key, "-days", 30, "-extfile", extra, "-out",
                self.server_cert)

    def sign(self, csr, device):
        return openssl("x509", "-req", "-CA", self.cert, "-CAkey", self.key, "-days", 30, "-set_serial", uuid.uuid4().int >> 1,
                       "-extfile", self.extra, "-subj", f"/CN={device}", stdin=csr.encode()).decode()


class Refused(Exception):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


ENROLL_KEYS = {"token", "csr", "acceptedTerms", "device", "provisioning"}
DEVICE_KEYS = {"deviceName", "manufacturer", "model", "serialNumber", "osName", "osVersion"}
INVENTORY_KEYS = DEVICE_KEYS | {"chassisType", "osBuild", "kernel", "architecture", "processor", "processorCount", "physicalMemoryBytes",
                                "totalStorageBytes", "freeStorageBytes", "encrypted", "networkInterfaces"}
ITEM_KEYS = {"id", "version", "state", "identifier", "error"}


def only(obj, allowed, where):
    if not isinstance(obj, dict) or set(obj) - set(allowed):
        raise Refused(400, "BadRequest", f"{where}: {sorted(set(obj) - set(allowed))} is not asked for")


class Device:
    def __init__(self, ident, ownership, body):
        self.id, self.ownership, self.enrolled_with = ident, ownership, body
        self.certificates = set()   # the serial numbers that are good
        self.items = []             # desired
        self.actions = []           # owed
        self.collect = {"packages": False, "addresses": False, "disks": False}
        self.renew_before = datetime.now(timezone.utc) + timedelta(days=20)
        self.inventory, self.inventories = None, 0
        self.reported = {}          # item id -> the last thing said of it
        self.history = []           # every item report in order
        self.results = {}           # action id -> result
        self.more = 0               # how often "more" is answered
        self.checkins = 0

    def desire(self, kind, payload, version=1, ident=None, name=None):
        ident = ident or str(uuid.uuid4())
        self.items = [i for i in self.items if i["id"] != ident]
        self.items.append({"id": ident, "version": version, "kind": kind, "name": name or kind, "payload": payload})
        return ident

    def undesire(self, ident):
        self.items = [i for i in self.items if i["id"] != ident]

    def act(self, action):
        ident = str(uuid.uuid4())
        self.actions.append({"id": ident, "action": action, "parameters": {}})
        return ident


class FakeServer:
    def __init__(self, where):
        self.where = Path(where)
        self.where.mkdir(parents=True, exist_ok=True)
        self.ca = Authority(self.where, "ca")
        self.ca_set = [self.ca]
        self.tokens, self.devices, self.requests = {}, {}, []
        self.terms = []
        self.fail = {}              # path -> list of (status, message) to answer instead, "drop" (after the work), or bytes (raw answer)
        self.headers = {}
        self.say_length = True
        self.lock = threading.RLock()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self.trust()
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.http.daemon_threads = True
        self.url = f"https://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def trust(self):
        self.context.load_cert_chain(self.ca.server_cert, self.ca.server_key)
        for authority in self.ca_set:
            self.context.load_verify_locations(authority.cert)

    def rename(self, names):
        """The same CA, but its server has another name."""
        self.ca.make_server(self.where, "renamed", names)
        self.context.load_cert_chain(self.ca.server_cert, self.ca.server_key)

    def roll_ca(self):
        """A new CA signs from now on; both are trusted; the server's own certificate is still the old one's."""
        new = Authority(self.where, f"ca{len(self.ca_set) + 1}")
        self.ca_set.append(new)
        self.signer = new
        self.context.load_verify_locations(new.cert)

    def finish_roll(self):
        self.ca = self.ca_set[-1]
        self.ca_set = [self.ca]
        self.context.load_cert_chain(self.ca.server_cert, self.ca.server_key)

    signer = None

    def ca_pem(self):
        return "".join(a.cert.read_text() for a in self.ca_set)

    def token(self, ownership):
        token = f"tok-{uuid.uuid4().hex}"
        self.tokens[token] = ownership
        return token

    def bodies(self):
        with self.lock:
            return b"\n".join(body for _, body in self.requests)

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    # --- the calls

    def sign(self, csr, device):
        cert = (self.signer or self.ca).sign(csr, device.id)
        serial = openssl("x509", "-noout", "-serial", stdin=cert.encode()).decode().strip().split("=")[1].lstrip("0")
        device.certificates.add(serial)
        return cert

    def known_terms(self):
        return [{"id": t["id"], "version": t["version"]} for t in self.terms]

    def post_terms(self, body, _):
        only(body, {"token"}, "terms")
        ownership = self.tokens.get(body["token"])
        if ownership is None:
            raise Refused(403, "Forbidden", f"the token {body['token']} is not known")
        return 200, {"organisation": "Acme \x1b[31mWorks", "ownership": ownership, "collects": ["the model", "the serial number"],
                     "never": ["your files", "where you are"], "terms": self.terms}

    def post_enroll(self, body, _):
        only(body, ENROLL_KEYS, "enroll")
        only(body["device"], DEVICE_KEYS, "device")
        if body["token"] not in self.tokens:
            raise Refused(403, "Forbidden", f"the token {body['token']} is not known")
        if body["acceptedTerms"] != self.known_terms():
            raise Refused(412, "PreconditionFailed", "the terms were not accepted in their current version")
        device = Device(str(uuid.uuid4()), self.tokens.pop(body["token"]), body)
        self.devices[device.id] = device
        return 201, {"deviceId": device.id, "certificate": self.sign(body["csr"], device), "ca": self.ca_pem(),
                     "ownership": device.ownership, "syncSeconds": 3600}

    def take_items(self, device, items):
        for item in items:
            only(item, ITEM_KEYS, "item")
            if len(item.get("identifier", "")) > 1024 or len(item.get("error", "")) > 1024:
                raise Refused(400, "BadRequest", "items: a text is too long")
            if item["state"] not in ("installed", "failed", "removed"):
                raise Refused(400, "BadRequest", "no such state")
            device.reported[item["id"]] = item
            device.history.append(item)

    def take_inventory(self, device, inventory):
        asked = {k for k in ("packages", "disks") if device.collect[k]}
        only(inventory, INVENTORY_KEYS | asked, "inventory")
        if not inventory.get("deviceName"):
            raise Refused(400, "BadRequest", "inventory/deviceName is required")
        for text in filter(lambda v: isinstance(v, str), inventory.values()):
            if len(text) > 1024 or any(ord(c) < 32 or ord(c) == 127 for c in text):
                raise Refused(400, "BadRequest", "inventory: a text is too long or has control characters")
        for interface in inventory["networkInterfaces"]:
            only(interface, {"name", "mac", "kind"} | ({"addresses"} if device.collect["addresses"] else set()), "interface")
        device.inventory = inventory
        device.inventories += 1

    def post_checkin(self, body, device):
        only(body, {"inventory", "items"}, "checkin")
        device.checkins += 1
        if "inventory" in body:
            self.take_inventory(device, body["inventory"])
        self.take_items(device, body["items"])
        now = datetime.now(timezone.utc)
        return 200, {"deviceId": device.id, "now": rfc3339(now), "syncSeconds": 3600, "renewBefore": rfc3339(device.renew_before),
                     "collect": device.collect, "items": device.items, "actions": device.actions}

    def post_report(self, body, device):
        only(body, {"results", "items"}, "report")
        for result in body["results"]:
            only(result, {"id", "state", "error"}, "result")
            if result["state"] not in ("done", "failed", "notSupported"):
                raise Refused(400, "BadRequest", "no such state")
            device.results[result["id"]] = result
            device.actions = [a for a in device.actions if a["id"] != result["id"]]
        self.take_items(device, body["items"])
        device.more -= 1
        return 200, {"more": device.more >= 0}

    def post_renew(self, body, device):
        only(body, {"csr"}, "renew")
        device.renew_before = datetime.now(timezone.utc) + timedelta(days=20)
        return 200, {"certificate": self.sign(body["csr"], device), "ca": self.ca_pem()}

    def post_leave(self, body, device):
        only(body, set(), "leave")
        if device.ownership != "personal":
            raise Refused(403, "Forbidden", "company devices do not leave")
        return 200, {"actionId": device.act("retire")}

    def device_of(self, peer):
        if not peer:
            raise Refused(401, "InvalidAuthenticationToken", "a client certificate is needed")
        names = {k: v for rdn in peer["subject"] for k, v in rdn}
        device = self.devices.get(names.get("commonName"))
        if device is None or peer["serialNumber"].lstrip("0") not in device.certificates:
            raise Refused(401, "InvalidAuthenticationToken", "this device is not known")
        return device

    def answer(self, path, raw, peer):
        with self.lock:
            self.requests.append((path, raw))
            planned = self.fail.get(path, [])
            step = planned.pop(0) if planned else None
            if isinstance(step, bytes):
                return 200, step
            if isinstance(step, tuple):
                raise Refused(step[0], "Error", step[1])
            call = getattr(self, "post_" + path.removeprefix("/linux/"), None)
            if call is None or not path.startswith("/linux/"):
                raise Refused(404, "ResourceNotFound", "no such call")
            device = None if path in ("/linux/terms", "/linux/enroll") else self.device_of(peer)
            status, result = call(json.loads(raw), device)
            return (0, b"") if step == "drop" else (status, json.dumps(result).encode())

    def handler(server):  # noqa: N805: the inner class is the handler
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                self.request.settimeout(20)
                self.request = server.context.wrap_socket(self.request, server_side=True)
                super().setup()

            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    status, body = server.answer(self.path, raw, self.connection.getpeercert())
                except Refused as e:
                    status, body = e.status, json.dumps({"error": {"code": e.code, "message": str(e), "innerError": {}}}).encode()
                if status == 0:  # the work is done and the answer is lost
                    self.close_connection = True
                    return
                self.send_response(status)
                for key, value in server.headers.items():
                    self.send_header(key, value)
                if server.say_length:
                    self.send_header("Content-Length", str(len(body)))
                else:
                    self.close_connection = True
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except (OSError, ssl.SSLError):
                    pass  # the agent was killed, or does not trust us: both are tests

            def finish(self):
                try:
                    super().finish()
                    self.request.close()
                except (OSError, ValueError):
                    pass

        return Handler


class QuietServer(FakeServer):
    """Errors of the TLS handshake are part of the tests, not of their output."""

    def __init__(self, where):
        super().__init__(where)
        self.http.handle_error = lambda *_: None


if __name__ == "__main__":
    import sys

    s = FakeServer(sys.argv[1] if len(sys.argv) > 1 else "fake-server")
    print(f"{s.url} --ca {s.ca.cert} --token {s.token('personal')}", flush=True)
    while True:
        time.sleep(3600)
