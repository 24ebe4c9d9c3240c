#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The export of one person with 10 devices, 2,000 applications and 1,000 events (goals: under one second, under 30 MiB more memory), in a tenant
# of 1,000 people and in one of 100,000 (goal: making it takes as long); then 1,000 exports asked for at once, while one client lists devices (goal:
# a page takes less than twice as long as on an idle server).
# PEOPLE (100000), ROUNDS (7), EXPORTS (1000).
source "$(dirname "$0")/lib.sh"
people=${PEOPLE:-100000} rounds=${ROUNDS:-7} exports=${EXPORTS:-1000}

ask() { # UPN: the operation's id
	curl -sf --cacert "$ca" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '{}' \
		"$url/v1.0/users/$1/exportPersonalData" | jq -r .id
}
peak_kib() { awk '/^VmHWM/ {print $2}' "/proc/$server/status"; }
micro() { # of "2026-01-01T00:00:00.123456Z"
	jq -rn --arg t "$1" '$t | (.[0:19] + "Z" | fromdate) * 1000000 + (if length > 20 then (.[20:-1] + "000000")[0:6] | tonumber else 0 end)'
}
one() { # measures ROUNDS exports: $work/$1.took (ms from being asked for to being complete), $1.built (of these, the job)
	local id o i
	for i in $(seq "$rounds"); do
		id=$(ask person@bench.example)
		until o=$(get "/v1.0/dataPolicyOperations/$id?\$select=status,submittedDateTime,completedDateTime,sizeBytes,error") &&
			[ "$(jq -r .status <<<"$o")" = complete ]; do
			[ "$(jq -r .status <<<"$o")" != failed ] || { echo "bench: it failed: $o" >&2 && exit 1; }
			sleep 0.02
		done
		calc "($(micro "$(jq -r .completedDateTime <<<"$o")") - $(micro "$(jq -r .submittedDateTime <<<"$o")")) / 1000" 0 >>"$work/$1.took"
		echo >>"$work/$1.took"
		jq -r .sizeBytes <<<"$o" >"$work/$1.bytes"
		get "/v1.0/dataPolicyOperations/$id/content" >"$work/bundle.zip"
		calc "($(micro "$(jq -r .completedDateTime <<<"$o")") - \
			$(micro "$(unzip -p "$work/bundle.zip" manifest.json | jq -r .cutOffDateTime)")) / 1000" 0 >>"$work/$1.built"
		echo >>"$work/$1.built"
	done
	"$reeve" export verify "$work/bundle.zip" >"$work/verified"
}

for n in 1000 "$people"; do
	make_data "$work/tenant-$n"
	bash bench/fill-person.sh "$dir/reeve.db" "$(tenant_hex)" "$n"
	start_server
	ask p1@bench.example >/dev/null # warm
	sleep 2
	before=$(rss_kib)
	echo 5 >"/proc/$server/clear_refs" # the peak is counted from here
	one "$n"
	echo $(($(peak_kib) - before)) >"$work/$n.grown"
	[ "$n" = "$people" ] || stop_server
done
grep -q ' 30[0-9][0-9] rows' "$work/verified" || { echo "bench: not everything is in the bundle: $(cat "$work/verified")" >&2 && exit 1; }
report "export of a person among $people (goal 1000 ms)" "$(median <"$work/$people.took") ms" \
	"$(cat "$work/$people.bytes") bytes; from being asked for to being complete; median of $rounds"
report "memory that it took (goal 30 MiB)" "$(calc "$(cat "$work/$people.grown") / 1024" 1) MiB" "growth of the peak"
report "making it, among $people : among 1000 people" "$(calc "$(median <"$work/$people.built") / $(median <"$work/1000.built")")" \
	"$(median <"$work/$people.built") : $(median <"$work/1000.built") ms; the rest is until the job's turn"

# ---- many at once ----

page="$url/v1.0/deviceManagement/managedDevices?\$top=100"
lists() { # seconds: the median of one client's latencies, in ms
	wrk -t1 -c1 -d"$1s" --latency -H "Authorization: Bearer $token" "$page" | awk '$1 == "50%" {v = $2; print v ~ /us/ ? v / 1000 : v ~ /ms/ ? v + 0 : v * 1000}'
}
idle=$(lists 5)
for i in $(seq "$exports"); do
	printf 'url = "%s/v1.0/users/p%d@bench.example/exportPersonalData"\noutput = "/dev/null"\n' "$url" "$((i + 20))"
done >"$work/ask"
a=$(date +%s%N)
curl -sf --parallel --parallel-max 16 --cacert "$ca" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '{}' --no-progress-meter \
	-K "$work/ask"
b=$(date +%s%N)
busy=$(lists 5)
until [ "$(sqlite3 "file:$dir/reeve.db?mode=ro" "SELECT count(*) FROM data_policy_operations WHERE status IN ('notStarted', 'running')")" = 0 ]; do sleep 0.2; done
c=$(date +%s%N)
done_=$(sqlite3 "file:$dir/reeve.db?mode=ro" "SELECT count(*) FROM data_policy_operations WHERE status = 'complete'")
[ "$done_" -ge "$exports" ] || { echo "bench: only $done_ exports are complete" >&2 && exit 1; }
report "a page of a list while $exports exports are made : idle (goal 2)" "$(calc "$busy / $idle")" \
	"$busy : $idle ms; asked for in $(calc "($b - $a) / 1000000000" 1) s, all complete after $(calc "($c - $a) / 1000000000" 1) s"
