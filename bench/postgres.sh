#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Audited changes per second through HTTPS on PostgreSQL, against pgbench with 8 clients that writes the same rows into the same schema, a
# transaction each.  A private server with its defaults (fsync on), beside the build so that it is on a disk; in turn; ratio round by round.
# ROUNDS (3), SECONDS_EACH (4).
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(cd "${BUILD:-build}" && pwd)
if [ -z "${REEVE_TEST_PG_HOST:-}" ]; then
	REEVE_PG_DIR=$build exec tests/contract/with-postgres.sh bash "$0"
fi
source bench/lib.sh
rounds=${ROUNDS:-3} seconds=${SECONDS_EACH:-4}

database() { # database NAME
	psql -h "$REEVE_TEST_PG_HOST" -U postgres -qc "CREATE DATABASE $1" reeve_test
	echo "postgresql:///$1?host=$REEVE_TEST_PG_HOST&user=postgres"
}
rate() { # rate ROUND: changes a second
	TOKEN=$token RUN=$1 wrk -t1 -c64 -d"${2:-$seconds}" -s bench/changes.lua "$url" >"$work/wrk"
	if grep -qE 'Non-2xx|Socket errors' "$work/wrk"; then
		echo "bench: not every change was answered with success" >&2
		cat "$work/wrk" >&2
		exit 1
	fi
	awk '/Requests\/sec/ {print $2}' "$work/wrk"
}

make_data "$work/raw" "$(database bench_raw)"
make_data "$work/server" "$(database bench_server)"
start_server
rate warm 1 >/dev/null
event=$(get "/v1.0/deviceManagement/auditEvents?\$top=1" | jq -c '.value[0]')
bytes=$((${#event} + 200)) # what is stored around the event: schema, tenant, expiry, subject
psql -h "$REEVE_TEST_PG_HOST" -U postgres -qc 'CREATE SEQUENCE bench_leaf START 1000000' bench_raw
tenant="decode('$(tenant_hex)', 'hex')"
now="(extract(epoch FROM now()) * 1000000)::bigint"
id="decode(lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || lpad(to_hex(:r::bigint), 20, '0'), 'hex')" # in the order of time
cat >"$work/script" <<SQL
\\set r random(1, 1000000000000000)
BEGIN;
INSERT INTO groups (tenant_id, group_id, display_name, mail_nickname, created_at) VALUES ($tenant, $id, 'Group 1-' || :r::text, 'group1-' || :r::text, $now);
INSERT INTO audit_events (tenant_id, event_id, at, expires_at, category, activity_type, operation, result, component, actor_type, actor_id, actor_name, actor_ip, resource_type, resource_id, resource_name, correlation_id, salt, bytes)
  VALUES ($tenant, $id, $now, $now + 365 * 86400000000, 'Other', 'create Group', 'Create', 'Success', 'Directory', 'Application', $tenant, 'Administrator', '127.0.0.1', 'Group', $id, 'Group 1-' || :r::text, $id, decode(repeat('00', 32), 'hex'), decode(repeat('65', $bytes), 'hex'));
INSERT INTO audit_pending (tenant_id, event_id, commitment) VALUES ($tenant, $id, decode(repeat('00', 32), 'hex'));
INSERT INTO audit_leaves (tenant_id, leaf_index, event_id) VALUES ($tenant, nextval('bench_leaf'), $id);
COMMIT;
SQL
for i in $(seq "$rounds"); do
	ours=$(rate "$i")
	raw=$(pgbench -h "$REEVE_TEST_PG_HOST" -U postgres -n -c 8 -j 2 -T "$seconds" -M prepared -f "$work/script" bench_raw | awk '/^tps/ {print $3}')
	{ calc "$ours" 0 && echo; } >>"$work/rates"
	{ calc "$raw" 0 && echo; } >>"$work/raw_rates"
	{ calc "$ours / $raw" 3 && echo; } >>"$work/ratios"
done
report "audited changes/s : pgbench, 8 clients (goal 0.50)" "$(median <"$work/ratios")" \
	"$(median <"$work/rates")/s : $(median <"$work/raw_rates")/s; $bytes-byte events"
