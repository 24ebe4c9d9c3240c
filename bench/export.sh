#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A file of the whole log, read page by page, hashed, encrypted and on disk, against the sqlite3 shell writing the same rows in the same order
# to a file (and to disk), in turn; how fast it is read back for a download; and that memory does not grow with the log.
# EVENTS (200000; BIG=1: two million), ROUNDS (3).
source "$(dirname "$0")/lib.sh"
events=${EVENTS:-$([ -n "${BIG:-}" ] && echo 2000000 || echo 200000)} rounds=${ROUNDS:-3}

make_data "$work/log"
"$build/bench/fill_log" "$dir" "$events" 300
shell() { # seconds and bytes of the shell's file
	local a b
	a=$(date +%s%N)
	sqlite3 "file:$dir/reeve.db?mode=ro" ".mode list" "SELECT e.bytes FROM audit_leaves l JOIN audit_events e ON e.tenant_id = l.tenant_id AND \
e.event_id = l.event_id WHERE l.tenant_id = (SELECT tenant_id FROM audit_heads ORDER BY size DESC LIMIT 1) ORDER BY l.leaf_index" >"$work/rows"
	sync "$work/rows"
	b=$(date +%s%N)
	echo "$(calc "($b - $a) / 1000000000" 3) $(stat -c %s "$work/rows")"
}
shell >/dev/null # warm
for _ in $(seq "$rounds"); do
	read -r plain plain_bytes <<<"$(shell)"
	read -r made read n bytes grown <<<"$("$build/bench/export_log" "$dir" ndjson)"
	[ "$n" -ge "$events" ] || { echo "bench: only $n events are in the file" >&2 && exit 1; }
	{ calc "($bytes / $made) / ($plain_bytes / $plain)" 3 && echo; } >>"$work/ratio"
	{ calc "$bytes / $made / 1000000" 0 && echo; } >>"$work/speed"
	{ calc "$plain_bytes / $plain / 1000000" 0 && echo; } >>"$work/plain"
	{ calc "$bytes / $read / 1000000" 0 && echo; } >>"$work/read"
	echo "$grown" >>"$work/grown"
done
report "NDJSON export : sqlite3 shell (goal 0.50)" "$(median <"$work/ratio")" \
	"$(median <"$work/speed") : $(median <"$work/plain") MB/s; $n events, $((bytes / n)) bytes each; read back at $(median <"$work/read") MB/s"
report "memory that it took" "$(calc "$(median <"$work/grown") / 1024" 1) MiB" "growth of the peak, $events events"
for format in csv ocsf archive; do
	read -r made read n bytes grown <<<"$("$build/bench/export_log" "$dir" "$format")"
	report "events/s into $format" "$(calc "$n / $made" 0)" "$(calc "$bytes / 1000000" 0) MB in $made s; peak grew by $(calc "$grown / 1024" 1) MiB"
done
