#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every test and prints `N passed, N failed` alone on the last line.

  lint        layers, sizes, statements (tests/lint.py)
  gcc         the test build (address and undefined sanitizers): unit, contract and agent tests, fuzz corpora
  clang       compiles everything with the second compiler, warnings as errors, and starts that on both engines: what ships has no
              sanitizers, but hardening that they replace
  system      the real binaries over HTTPS, on SQLite and PostgreSQL (tests/system/run.mjs)

Options: --torture (long crash and fault runs), --only STEP, and what is left goes to the system tests (a filter).
"""
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COUNT = re.compile(r"^(\d+) passed, (\d+) failed$", re.M)


class Totals:
    passed = 0
    failed = 0

    def add(self, step, passed, failed):
        self.passed += passed
        self.failed += failed
        print(f"== {step}: {passed} passed, {failed} failed", flush=True)


def run(args, **kw):
    return subprocess.run(args, cwd=ROOT, text=True, stdin=subprocess.DEVNULL, **kw)


def build(folder, options, env=None):
    env = {**os.environ, **(env or {})}
    if not os.path.exists(os.path.join(ROOT, folder, "build.ninja")):
        done = run(["meson", "setup", folder, *options], env=env, capture_output=True)
        if done.returncode != 0:
            print(done.stdout, done.stderr)
            return False
    done = run(["ninja", "-C", folder, "--quiet"], env=env, capture_output=True)
    if done.returncode != 0:
        print(done.stdout[-8000:], done.stderr[-4000:])
    return done.returncode == 0


def tap_counts(text):
    ok = len(re.findall(r"^ok \d+", text, re.M))
    bad = len(re.findall(r"^not ok \d+\b(?! # SKIP)", text, re.M))  # cmocka says "not ok N # SKIP"
    counted = COUNT.findall(text)
    if counted:
        ok, bad = ok + int(counted[-1][0]), bad + int(counted[-1][1])
    return ok, bad


def meson_tests(totals, folder):
    """Counts the cases of each test program; one that died without saying which case counts as one failure."""
    log = os.path.join(ROOT, folder, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    run(["meson", "test", "-C", folder, "--no-rebuild", "--quiet", "--num-processes", "2"], capture_output=True)
    passed = failed = 0
    for line in open(log, encoding="utf-8"):
        test = json.loads(line)
        ok, bad = tap_counts(test.get("stdout", ""))
        good = test["result"] in ("OK", "SKIP", "EXPECTEDFAIL") or (test["returncode"] == 0 and ok > 0 and bad == 0)
        if not good and bad == 0:
            bad = 1
        if good and ok == 0 and test["result"] == "OK":
            ok = 1
        passed, failed = passed + ok, failed + bad
        if test["result"] == "SKIP":
            print(f"-- {test['name']}: SKIPPED: {test.get('stdout', '').strip()}", flush=True)
        if not good:
            print(f"-- {test['name']}: {test['result']}\n{test.get('stdout', '')[-3000:]}\n{test.get('stderr', '')[-3000:]}")
    totals.add("unit, contract, agent", passed, failed)


def counted(totals, step, args, env=None):
    done = run(args, stdout=subprocess.PIPE, env={**os.environ, **(env or {})})
    print(done.stdout, end="")
    found = COUNT.findall(done.stdout)
    if not found:
        totals.add(step, 0, 1)
        return
    passed, failed = map(int, found[-1])
    if done.returncode != 0 and failed == 0:
        failed = 1
    totals.add(step, passed, failed)


def main():
    args = sys.argv[1:]
    only = None
    if "--only" in args:
        at = args.index("--only")
        only = args[at + 1]
        del args[at:at + 2]
    totals = Totals()
    if only in (None, "lint"):
        counted(totals, "lint", ["python3", "tests/lint.py"])
    if only in (None, "gcc", "system"):
        good = build("build-test", ["-Dtests=true", "-Db_sanitize=address,undefined", "-Dbuildtype=debugoptimized"])
        totals.add("gcc build", int(good), int(not good))
        if good and only != "system":
            meson_tests(totals, "build-test")
    if only in (None, "clang"):
        good = build("build-clang", ["-Dtests=true", "-Dbuildtype=debugoptimized"], {"CC": "clang"})
        totals.add("clang build", int(good), int(not good))
        if good:
            counted(totals, "without sanitizers", ["node", "tests/system/run.mjs", "10-start"], {"REEVE_TEST_BUILD": os.path.join(ROOT, "build-clang")})
    if only in (None, "system"):
        counted(totals, "system", ["node", "tests/system/run.mjs", *args])
    print(f"{totals.passed} passed, {totals.failed} failed")
    return 1 if totals.failed else 0


if __name__ == "__main__":
    sys.exit(main())
