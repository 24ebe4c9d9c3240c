#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Reading a log of a million events (BIG=1: ten million): the check of the whole log against a bare SHA-256 loop; proofs of inclusion; pages of 100
# events by time, by actor, by subject and by category, following @odata.nextLink over one kept HTTPS connection, against the same rows read
# with one session of the sqlite3 shell; and what is left of an event once its retention is over.
# EVENTS (1000000), PAGES (10: of each walk; a person has EVENTS / 1000 events), ROUNDS (5), KEPT (200000: events for the last one).
source "$(dirname "$0")/lib.sh"
events=${EVENTS:-$([ -n "${BIG:-}" ] && echo 10000000 || echo 1000000)} rounds=${ROUNDS:-5} kept=${KEPT:-200000}
starts=5 pages=${PAGES:-10} # of each kind: five walks of ten pages

# ---- the whole log
mkdir "$work/files"
read -r checked bare <<<"$("$build/bench/log_check" "$work/files" "$events")"
report "check of a whole log : bare SHA-256 (goal 0.33)" "$(calc "$bare / $checked" 3)" \
	"$(calc "$events / $checked" 0) : $(calc "$events / $bare" 0) entries/s, $events entries from files"
rm -r "$work/files"

# ---- what is kept
make_data "$work/kept"
"$build/bench/fill_log" "$dir" "$kept" 800
removed=$("$build/bench/fill_log" "$dir" expire)
[ "$removed" -ge "$kept" ] || { echo "bench: only $removed events were removed" >&2 && exit 1; }
bytes_of() { sqlite3 "file:$dir/reeve.db?mode=ro" "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name GLOB '$1' OR name GLOB 'sqlite_autoindex_$1'"; }
left=$(($(bytes_of 'audit_tiles*') + $(bytes_of 'audit_removed*') + $(bytes_of 'audit_heads*')))
records=$(sqlite3 "file:$dir/reeve.db?mode=ro" "SELECT count(*) FROM audit_events WHERE activity_type = 'expire AuditEvents'")
report "bytes kept of an event for ever (goal 40)" "$(calc "$left / $kept" 1)" \
	"$left bytes after the retention of $kept events; with the removal's own $records events, kept a year, $(calc "$(bytes_of 'audit_*') / $kept" 1)"
rm -rf "$work/kept"

# ---- a server with a million events
make_data "$work/server"
"$build/bench/fill_log" "$dir" "$events" 330
start_server
for _ in $(seq 600); do
	[ "$(get /v1.0/deviceManagement/auditLog | jq '.signedSize')" -ge "$events" ] && break
	sleep 0.2
done
db="file:$dir/reeve.db?mode=ro"
curls() { # curls CONFIG: over one connection
	curl -sf --cacert "$ca" -H "Authorization: Bearer $token" -K "$1"
}

# Proofs of events all over the log, each a request; the time is curl's own, without its start.
sqlite3 "$db" "SELECT lower(hex(event_id)) FROM audit_leaves WHERE tenant_id = x'$(tenant_hex)' AND leaf_index % ($events / 200) = 7" |
	sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12})$/\1-\2-\3-\4-\5/' >"$work/ids"
while read -r id; do
	printf 'url = "%s"\noutput = "%s"\nwrite-out = "%%{time_total} %%{size_download}\\n"\n' "$url/v1.0/deviceManagement/auditEvents/$id/proof" "$work/proof"
done <"$work/ids" >"$work/proofs"
curls "$work/proofs" >/dev/null # warm
curls "$work/proofs" >"$work/times"
ms=$(awk '{print $1 * 1000}' "$work/times" | median)
p99=$(awk '{print $1 * 1000}' "$work/times" | sort -n | awk '{v[NR] = $1} END {print v[int(NR * 0.99)]}')
hashes=$(get "/v1.0/deviceManagement/auditEvents/$(head -1 "$work/ids")/proof" | awk '/^index/ {on = 1; next} on && /^$/ {exit} on' | wc -l)
report "an inclusion proof (goal 5 ms, 1 KB)" "$ms ms" "p99 $p99 ms of $(wc -l <"$work/times"); $hashes hashes = $((hashes * 32)) bytes; \
$(awk '{print $2}' "$work/times" | sort -n | tail -1) bytes with salt, text and checkpoint"

# Pages.  $1 kind, $2 a filter by number of the walk, $3 the same in SQL.
walk() { # walk KIND FILTER WHERE: adds the pages' addresses to curl.KIND and their SQL to sql.KIND
	local next last="9223372036854775807, x'ff'" at id
	next="$url/v1.0/deviceManagement/auditEvents?\$top=100&\$orderby=activityDateTime%20desc&\$filter=$(jq -rn --arg f "$2" '$f|@uri')"
	for p in $(seq "$pages"); do
		printf 'url = "%s"\noutput = "%s"\n' "$next" "$work/page-$1-$p" >>"$work/curl.$1"
		printf "SELECT * FROM audit_events WHERE tenant_id = x'%s' AND %s AND (at, event_id) < (%s) ORDER BY at DESC, event_id DESC LIMIT 100;\n" \
			"$(tenant_hex)" "$3" "$last" >>"$work/sql.$1"
		get "${next#"$url"}" >"$work/page"
		[ "$(jq '.value | length' "$work/page")" = 100 ] || { echo "bench: a page by $1 is short" >&2 && exit 1; }
		id=$(jq -r '.value[-1].id' "$work/page" | tr -d -)
		at=$(sqlite3 "$db" "SELECT at FROM audit_events WHERE tenant_id = x'$(tenant_hex)' AND event_id = x'$id'")
		last="$at, x'$id'"
		next=$(jq -r '.["@odata.nextLink"]' "$work/page")
	done
}
categories=(Other Role DeviceConfiguration Application Device)
for i in $(seq "$starts"); do
	day=$(date -u -d "$((i * 50)) days ago" +%FT00:00:00Z)
	walk time "activityDateTime lt $day" "at < $(date -u -d "$day" +%s)000000"
	n=$(printf %04x "$i")
	walk actor "actor/applicationId eq 00000000-0000-7000-8000-0a000000$n" "actor_id = x'00000000000070008000""0a000000$n'"
	walk subject "subjectId eq 00000000-0000-7000-8000-0b000000$n" "subject_id = x'00000000000070008000""0b000000$n'"
	walk category "category eq '${categories[i - 1]}'" "category = '${categories[i - 1]}'"
done
for kind in time actor subject category; do
	for f in curl sql; do # four times the same: what a start of curl and of the shell costs is not what is measured
		cat "$work/$f.$kind" "$work/$f.$kind" "$work/$f.$kind" "$work/$f.$kind" >"$work/all" && mv "$work/all" "$work/$f.$kind"
	done
	count=$((starts * pages * 4))
	for _ in $(seq "$rounds"); do
		a=$(date +%s%N)
		curls "$work/curl.$kind"
		b=$(date +%s%N)
		sqlite3 "$db" <"$work/sql.$kind" >"$work/rows"
		c=$(date +%s%N)
		{ calc "($b - $a) / 1000000 / $count" 3 && echo; } >>"$work/served.$kind"
		{ calc "($c - $b) / 1000000 / $count" 3 && echo; } >>"$work/read.$kind"
		{ calc "($b - $a) / ($c - $b)" 3 && echo; } >>"$work/ratio.$kind"
	done
	[ "$(sqlite3 -quote "$db" <"$work/sql.$kind" | wc -l)" = $((count * 100)) ] || { echo "bench: the shell read other rows" >&2 && exit 1; }
	report "100 of $events events by $kind : SQL (goal 2)" "$(median <"$work/ratio.$kind")" \
		"$(median <"$work/served.$kind") ms : $(median <"$work/read.$kind") ms a page; medians of $rounds rounds of $count"
done
