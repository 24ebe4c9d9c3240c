#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Audited changes per second through HTTPS with 64 connections, each on disk before it is answered, against raw_sqlite: as many changes of
# the same rows, in the same schema, in batches of 64.  In turn, on files that grow alike; the ratio is taken round by round.
# ROUNDS (5), SECONDS_EACH (2).
source "$(dirname "$0")/lib.sh"
rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-2}

changes() { # changes ROUND: prints how many, and seconds
	TOKEN=$token RUN=$1 wrk -t1 -c64 -d"${2:-$seconds}" --latency -s bench/changes.lua "$url" >"$work/wrk"
	if grep -qE 'Non-2xx|Socket errors' "$work/wrk"; then
		echo "bench: not every change was answered with success" >&2
		cat "$work/wrk" >&2
		exit 1
	fi
	awk '/requests in/ {t = $4; sub(/,/, "", t); u = t; gsub(/[0-9.]/, "", u); sub(/[a-z]+/, "", t); print $1, u == "ms" ? t / 1000 : u == "m" ? t * 60 : t}' "$work/wrk"
}
p99_ms() { awk '$1 == "99%" {u = $2; gsub(/[0-9.]/, "", u); sub(/[a-z]+/, "", $2); print u == "us" ? $2 / 1000 : u == "s" ? $2 * 1000 : $2}' "$work/wrk"; }

make_data "$work/raw" && raw=$dir/reeve.db
make_data "$work/server"
start_server
changes warm 1 >/dev/null
for i in $(seq "$rounds"); do
	before=$(cpu_ticks)
	read -r n t <<<"$(changes "$i")"
	after=$(cpu_ticks)
	bytes=$(get "/v1.0/deviceManagement/auditEvents?\$top=1" | jq -c '.value[0]' | wc -c)
	bytes=$((bytes + 200)) # what is stored around the event: schema, tenant, expiry, subject
	raw_t=$("$build/bench/raw_sqlite" "$raw" "$n" "$bytes")
	calc "$n / $t" 0 >>"$work/rates" && echo >>"$work/rates"
	calc "$n / $raw_t" 0 >>"$work/raw_rates" && echo >>"$work/raw_rates"
	calc "($n / $t) / ($n / $raw_t)" 3 >>"$work/ratios" && echo >>"$work/ratios"
	calc "($after - $before) * 1000000 / $(getconf CLK_TCK) / $n" 0 >>"$work/cpu" && echo >>"$work/cpu"
	p99_ms >>"$work/p99"
done
report "audited changes/s : raw SQLite (goal 0.50)" "$(median <"$work/ratios")" \
	"$(median <"$work/rates")/s : $(median <"$work/raw_rates")/s; p99 $(median <"$work/p99") ms; $bytes-byte events"
python3 bench/unsigned_age.py "$dir/reeve.db" $((seconds * 3)) >"$work/age" & # apart from the rounds: looking costs something too
sampler=$!
read -r n t <<<"$(changes age $((seconds * 3)))"
wait "$sampler"
report "commit to signed checkpoint (goal 1000 ms)" "$(cat "$work/age") ms" "99th percentile of the oldest event that no checkpoint covers, at $(calc "$n / $t" 0) changes/s"
report "server CPU per audited change" "$(median <"$work/cpu") us" "user and system, all threads"
report "memory under that load" "$(calc "$(rss_kib) / 1024" 1) MiB" "resident, after $rounds rounds"
