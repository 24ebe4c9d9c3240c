#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""End-to-end tests of the Linux agent against a fake server and test trees:  run.py BUILD/reeve-agent [part of a test's name …]

Every device here is a directory tree in a temporary directory; the machine that runs the tests is never enrolled or changed.
"""
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 64
    harness.AGENT = Path(sys.argv[1]).resolve()
    harness.WORK = tempfile.mkdtemp(prefix="reeve-agent-test-")
    import check_attacks  # noqa: F401
    import check_channel  # noqa: F401
    import check_crash  # noqa: F401
    import check_enrol  # noqa: F401
    import check_inventory  # noqa: F401
    import check_provision  # noqa: F401
    import check_real  # noqa: F401
    import check_wipe  # noqa: F401
    try:
        passed, failed = harness.run_all(sys.argv[2:])
    finally:
        shutil.rmtree(harness.WORK, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
