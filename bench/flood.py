# SPDX-License-Identifier: Apache-2.0
# What who has signed in waits for, while others flood: flood.py URL CA TENANT TOKEN unloaded|signin|password|slow SECONDS
# Prints "p50 p99 requests flood" (ms, ms, how many were measured, what the flood got done).
#
# 4 connections ask 25 times a second each, at fixed times: a late answer does not put off the next question (no coordinated omission).
# The floods: 32 connections that sign in with a wrong secret; the same that send passwords to the sign-in page; 400 connections from other
# addresses that send a byte of a header a second.
import multiprocessing
import os
import socket
import ssl
import sys
import threading
import time
from urllib.parse import urlsplit

url, ca, tenant, token, kind, seconds = sys.argv[1:7]
host, port = urlsplit(url).hostname, urlsplit(url).port
seconds = float(seconds)
context = ssl.create_default_context(cafile=ca)
ends = threading.Event()
waits, done, lock = [], [0], threading.Lock()


def dial(source=None):
    s = socket.create_connection((host, port), timeout=30, source_address=(source, 0) if source else None)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(s, server_hostname=host)


def ask(s, request):
    s.sendall(request)
    head = b""
    while b"\r\n\r\n" not in head:
        piece = s.recv(65536)
        if not piece:
            raise ConnectionError
        head += piece
    head, body = head.split(b"\r\n\r\n", 1)
    length = next((int(l.split(b":")[1]) for l in head.lower().split(b"\r\n") if l.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += s.recv(65536)
    return int(head.split()[1])


def post(path, body):
    return (f"POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {url}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def signed_in(place):
    s, request = dial(), f"GET /v1.0/users?$top=10 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    begun = time.monotonic() + 1 + place * 0.01
    for i in range(int(seconds * 25)):
        due = begun + i / 25
        time.sleep(max(0, due - time.monotonic()))
        status = ask(s, request)
        assert status == 200, status
        with lock:
            waits.append(time.monotonic() - due)


def repeat(request):
    s = dial()
    while not ends.is_set():
        try:
            ask(s, request)
            done[0] += 1
        except OSError:
            s = dial()


def slow(place):
    try:
        s = dial(f"127.0.0.{10 + place % 8}")
        s.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nX-Slow: ".encode())
        done[0] += 1
        while not ends.is_set():
            s.sendall(b"x")
            ends.wait(1)
    except OSError:
        pass


floods = {
    "unloaded": [],
    "signin": [(repeat, (post(f"/{tenant}/oauth2/v2.0/token", f"grant_type=client_credentials&client_id={tenant}&client_secret=wrong&scope=x"),))] * 32,
    "password": [(repeat, (post(f"/signin/{tenant}", "name=ann%40acme.example&password=wrong"),))] * 32,
    "slow": [(slow, (i,)) for i in range(400)],
}


# In a process of its own, since threads of one Python process wait for each other; and behind the others, since attackers bring their own processors.
def crowd(count, over):
    os.nice(15)
    threads = [threading.Thread(target=f, args=a, daemon=True) for f, a in floods[kind]]
    for t in threads:
        t.start()
    over.wait()
    count.value = done[0]
    os._exit(0)


count, over = multiprocessing.Value("q", 0), multiprocessing.Event()
flood = multiprocessing.Process(target=crowd, args=(count, over), daemon=True)
flood.start()
users = [threading.Thread(target=signed_in, args=(i,)) for i in range(4)]
for t in users:
    t.start()
for t in users:
    t.join()
over.set()
flood.join(5)
waits.sort()
print(f"{waits[len(waits) // 2] * 1000:.2f} {waits[len(waits) * 99 // 100] * 1000:.2f} {len(waits)} {count.value}")
