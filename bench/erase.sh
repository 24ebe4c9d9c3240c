#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Erasure: one person with 10 devices and 5,000 rows, in a tenant of 1,000 people and in one of 100,000 (goals: no row is left after one second;
# as long in both); then 10,000 people at once (goals: 200 a second; 99 of 100 gone within a minute).
# PEOPLE (100000), QUEUED (10000).
source "$(dirname "$0")/lib.sh"
people=${PEOPLE:-100000} queued=${QUEUED:-10000}
person=0123456789abcdef0123456789abcdef

ask() { sqlite3 -cmd '.timeout 5000' "file:$dir/reeve.db?mode=ro" "$1"; }
send() { curl -sf --cacert "$ca" -H "Authorization: Bearer $token" -X "$@" >/dev/null; }
micro() { date +%s%6N; }
more_rows() { # what is behind the person's devices: 5,000 applications
	sqlite3 "$dir/reeve.db" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
		INSERT INTO detected_apps (tenant_id, device_id, name, version) SELECT d.tenant_id, d.device_id, 'another-package-' || n.i, '1.' || n.i
		FROM managed_devices d, n WHERE d.user_id = x'$person'"
}
one() { # the time in ms from the permanent delete until no row is left
	local a rows id=01234567-89ab-cdef-0123-456789abcdef
	rows=$(ask "SELECT count(*) FROM detected_apps")
	[ "$rows" -ge 5000 ] || { echo "bench: only $rows rows" >&2 && exit 1; }
	send DELETE "$url/v1.0/users/$id"
	sleep 2
	a=$(micro)
	send DELETE "$url/v1.0/directory/deletedItems/$id"
	until [ "$(ask "SELECT (SELECT count(*) FROM users WHERE user_id = x'$person') + (SELECT count(*) FROM detected_apps)")" = 0 ]; do sleep 0.01; done
	calc "($(micro) - $a) / 1000" 0
}

for n in 1000 "$people"; do
	make_data "$work/tenant-$n"
	bash bench/fill-person.sh "$dir/reeve.db" "$(tenant_hex)" "$n"
	more_rows
	start_server
	sleep 3
	one >"$work/$n.took"
	stop_server
done
report "a person's rows, gone (goal 1000 ms)" "$(cat "$work/$people.took") ms" "10 devices, 5,000 rows, among $people people; from the request on"
report "the same, among $people : among 1000 people" "$(calc "$(cat "$work/$people.took") / $(cat "$work/1000.took")")" \
	"$(cat "$work/$people.took") : $(cat "$work/1000.took") ms"

# ---- many at once ----

sqlite3 "$dir/reeve.db" "
	UPDATE users SET deleted_at = $(micro), upn_key = NULL WHERE user_id IN (SELECT user_id FROM users WHERE deleted_at IS NULL LIMIT $queued);
	INSERT INTO duties (tenant_id, duty_id, trigger_name, subject_type, subject_id, state, requested_at, due_at, deadline_at, copies_deadline_at, updated_at)
	SELECT tenant_id, randomblob(16), 'permanentDelete', 'user', user_id, 'received', deleted_at, deleted_at, deleted_at + 1296000000000,
	  deleted_at + 2592000000000, deleted_at FROM users WHERE deleted_at IS NOT NULL"
left="SELECT count(*) FROM duties WHERE subject_type = 'user' AND state IN ('received', 'suppressed', 'deleting')"
start_server
a=$(micro)
first=$(ask "$left")
p99=
until n=$(ask "$left") && [ "$n" = 0 ]; do
	[ -n "$p99" ] || [ "$n" -gt $((queued / 100)) ] || p99=$(($(micro) - a))
	sleep 0.1
done
b=$(micro)
[ "$(ask "SELECT count(*) FROM duties WHERE state = 'failed'")" = 0 ] || { echo "bench: some have failed" >&2 && exit 1; }
report "people erased in a second (goal 200)" "$(calc "$first / (($b - $a) / 1000000)" 0)" "$first in $(calc "($b - $a) / 1000000" 1) s, each with devices of their own"
report "99 of 100 of $queued (goal 60 s)" "$(calc "${p99:-$((b - a))} / 1000000" 1) s" "from the start of a server that has them all; until no row is left"
