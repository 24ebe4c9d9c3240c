#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# `make bench`: ratios against limits of this machine, each beside the numbers that it was made of.  Loopback only, a few minutes, stops by
# itself.  BUILD names the build directory; with an argument (changes, checkins, pages, scope_pages, log_cost, postgres, log, export, export_person, report, scrub, tenant_purge, flood) only that bench.
set -euo pipefail
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
export BUILD
meson configure "$BUILD" -Dbench=true
ninja -C "$BUILD" --quiet >"$BUILD/bench.log" 2>&1 || { cat "$BUILD/bench.log" >&2 && exit 1; }
for bench in "${@:-changes checkins pages scope_pages log_cost postgres log export export_person report scrub tenant_purge flood}"; do
	for b in $bench; do bash "bench/$b.sh"; done
done
