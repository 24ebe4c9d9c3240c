#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How old the oldest event is that no signed checkpoint covers yet, fifty times a second: prints the 99th percentile in milliseconds.

    unsigned_age.py DATABASE SECONDS

An event's time is that of its request, so this is a little more than the time from the commit to the checkpoint.
"""
import sqlite3
import sys
import time

OLDEST = """
SELECT min(at) FROM (
  SELECT e.at FROM audit_heads h JOIN audit_leaves l ON l.tenant_id = h.tenant_id AND l.leaf_index = h.signed_size
    JOIN audit_events e ON e.tenant_id = l.tenant_id AND e.event_id = l.event_id
  UNION ALL SELECT * FROM (SELECT e.at FROM audit_pending p JOIN audit_events e USING (tenant_id, event_id) ORDER BY p.tenant_id, p.event_id LIMIT 1))
"""


def main():
    db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, isolation_level=None)
    ages, until = [], time.monotonic() + float(sys.argv[2])
    while time.monotonic() < until:
        oldest = db.execute(OLDEST).fetchone()[0]
        ages.append(0 if oldest is None else time.time() * 1000 - oldest / 1000)
        time.sleep(0.02)
    print(f"{sorted(ages)[int(len(ages) * 0.99)]:.0f}")


main()
