#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What people who have signed in notice of a flood: their p99 while others guess secrets, guess passwords, or are slow, over their p99 without.
# Each flood runs between two rounds without one, so that a machine that is slow today is slow in both.  The throttle is Graph's, as delivered.
source "$(dirname "$0")/lib.sh"
seconds=${SECONDS_EACH:-6}
make_data "$work/data"
sed -i 's/^throttle = off$/throttle = graph/' "$dir/reeve.conf"
start_server
tenant=$(jq -r .tenant "$dir.json")
for i in $(seq 50); do
	curl -sf --cacert "$ca" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -o /dev/null "$url/v1.0/users" \
		-d "{\"userPrincipalName\":\"u$i@acme.example\",\"displayName\":\"U $i\",\"mailNickname\":\"u$i\",\"accountEnabled\":true}"
done
round() { nice -n 5 python3 bench/flood.py "$url" "$ca" "$tenant" "$token" "$1" "$seconds"; }
round unloaded >/dev/null # warm
for kind in signin password slow; do
	before=$(round unloaded)
	during=$(round "$kind")
	after=$(round unloaded)
	read -r _ p99a _ _ <<<"$before"
	read -r p50 p99 n flood <<<"$during"
	read -r _ p99b _ _ <<<"$after"
	quiet=$(calc "($p99a + $p99b) / 2")
	report "flood: $kind" "$(calc "$p99 / $quiet")" "p99 $p99 ms (p50 $p50, $n requests) against $quiet ms; the flood: $flood"
done
