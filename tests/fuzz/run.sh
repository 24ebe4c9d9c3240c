#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets with clang and its sanitizers and runs each for FUZZ_SECONDS (60), or those that are named as arguments.  One
# line per target; what was found stays in build-fuzz/found/NAME/crash-*, and the report beside it.  Exit status 1 where something was.
set -eu
cd "$(dirname "$0")/../.."
build=${BUILD_FUZZ:-build-fuzz}
seconds=${FUZZ_SECONDS:-60}
if [ ! -f "$build/build.ninja" ]; then
	CC=clang meson setup "$build" -Dtests=true -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
		-Dc_args=-fsanitize=fuzzer-no-link >/dev/null
fi
ninja -C "$build" --quiet fuzzers >"$build/fuzzers.log" 2>&1 || { cat "$build/fuzzers.log" >&2; exit 1; }
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
[ $# -gt 0 ] || set -- $(cd tests/fuzz && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')
passed=0
failed=0
for name in "$@"; do
	found=$build/found/$name
	mkdir -p "$found"
	if "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$found/" "$found" "tests/fuzz/corpus/$name" >"$found.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found.log") inputs in $seconds s"
	else
		failed=$((failed + 1))
		echo "not ok $name: $(grep -m1 -E 'broken invariant|runtime error:|ERROR: (Addr|Leak|libFuzzer: (timeout|out))' "$found.log" || echo 'see the report')"
		echo "   report: $found.log"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
