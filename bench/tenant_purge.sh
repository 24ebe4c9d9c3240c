#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A tenant with a million rows is purged while another tenant's clients read and write: their 99th percentiles, during the purge against
# before it (goal: at most double).  ROWS (1000000), SECONDS_EACH (15).
source "$(dirname "$0")/lib.sh"
rows=${ROWS:-1000000} seconds=${SECONDS_EACH:-15}

p99_ms() { awk '$1 == "99%" {u = $2; gsub(/[0-9.]/, "", u); sub(/[a-z]+/, "", $2); print u == "us" ? $2 / 1000 : u == "s" ? $2 * 1000 : $2}' "$1"; }
load() { # load NAME: both kinds of clients at once
	TOKEN=$token RUN=$1 wrk -t1 -c4 -d"$seconds" --latency -s bench/changes.lua "$url" >"$work/writes.$1" &
	local writer=$!
	wrk -t1 -c4 -d"$seconds" --latency -H "Authorization: Bearer $token" "$url/v1.0/deviceManagement/managedDevices?\$top=20" >"$work/reads.$1"
	wait "$writer"
	if grep -hE 'Non-2xx|Socket errors' "$work/writes.$1" "$work/reads.$1"; then exit 1; fi
}
sql() { sqlite3 "$dir/reeve.db" "$1"; }
operator() { curl -sf --cacert "$ca" -H "Authorization: Bearer $(jq -r .operatorToken "$dir.json")" -H 'Content-Type: application/json' "$@"; }

make_data "$work/server"
start_server
made=$(operator -d '{"displayName":"Large"}' "$url/v1.0/installation/tenants")
tenant=$(jq -r .id <<<"$made")
why=$(base64 <<<"a benchmark") administrator=$(curl -sf --cacert "$ca" -d grant_type=client_credentials -d "$(jq -r '"client_id=\(.administrator.clientId)&client_secret=\(.administrator.clientSecret)"' <<<"$made")" "$url/$tenant/oauth2/v2.0/token" | jq -r .access_token)
code=$(curl -s --cacert "$ca" -o /dev/null -D - -X POST -H "Authorization: Bearer $(jq -r .operatorToken "$dir.json")" -H "x-msft-approval-justification: $why" "$url/v1.0/installation/tenants/$tenant/close" | tr -d '\r' | awk 'tolower($1) == "x-msft-approval-code:" {print $2}')
curl -sf --cacert "$ca" -o /dev/null -X POST -H "Authorization: Bearer $administrator" "$url/v1.0/deviceManagement/operationApprovalRequests/$code/approve"
operator -X POST "$url/v1.0/installation/tenants/$tenant/operationApprovalRequests/$code/complete"
stop_server
large=$(tr -d - <<<"$tenant")
bash bench/fill-devices.sh "$dir/reeve.db" "$(tenant_hex)" 10000
bash bench/fill-devices.sh "$dir/reeve.db" "$large" $((rows / 10))
sql "PRAGMA synchronous = OFF; BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows / 10)
INSERT INTO users (tenant_id, user_id, upn, upn_key, display_name, account_enabled, created_at)
SELECT x'$large', randomblob(16), 'p' || i || '@bench.example', 'p' || i || '@bench.example', 'Person ' || i, 1, 1700000000000000 FROM n;
INSERT INTO detected_apps (tenant_id, device_id, name, version)
SELECT d.tenant_id, d.device_id, 'package-with-a-name-' || n.i, '2.' || n.i || '-1+deb12u1'
FROM (SELECT 1 AS i UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8) n, managed_devices d
WHERE d.tenant_id = x'$large';
COMMIT;"
start_server
load warm
load before
stop_server
sql "UPDATE tenants SET purge_starts_at = 1 WHERE tenant_id = x'$large'; UPDATE duties SET due_at = 1 WHERE tenant_id = x'$large' AND subject_type = 'tenant';"
left() { sqlite3 "file:$dir/reeve.db?mode=ro" "SELECT count(*) FROM (SELECT 1 FROM users WHERE tenant_id = x'$large' UNION ALL SELECT 1 FROM detected_apps WHERE tenant_id = x'$large' UNION ALL SELECT 1 FROM managed_devices WHERE tenant_id = x'$large')"; }
start_server
began=$(date +%s%N)
load during
now=$(left)
gone=$((rows - now))
[ "$gone" -gt 0 ] || { echo "bench: the purge did not begin" >&2 && exit 1; }
while [ "$(sqlite3 "file:$dir/reeve.db?mode=ro" "SELECT count(*) FROM tenants WHERE tenant_id = x'$large'")" != 0 ]; do
	sleep 1
	[ $(($(date +%s%N) - began)) -lt 1800000000000 ] || { echo "bench: the purge did not end" >&2 && tail -3 "$dir.log" >&2 && exit 1; }
done
ended=$(date +%s%N)
for kind in reads writes; do
	report "p99 of others' $kind in a purge (goal 2.0)" "$(calc "$(p99_ms "$work/$kind.during") / $(p99_ms "$work/$kind.before")")" \
		"$(p99_ms "$work/$kind.during") ms : $(p99_ms "$work/$kind.before") ms; $gone rows went in ${seconds} s"
done
report "a tenant of $rows rows is gone after" "$(calc "($ended - $began) / 1000000000" 1) s" "certificate and scan included"
