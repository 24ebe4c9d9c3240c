#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A page of 100 managed devices out of 100,000 (a person each), and the whole list's number, for who sees all of them, and for who sees the members of
# a scope group: of 100, of 10,000 and of 90,000 people.  ROUNDS (5) of PAGES (50) requests over one kept connection, in turn.
source "$(dirname "$0")/lib.sh"
rounds=${ROUNDS:-5} pages=${PAGES:-50}
make_data "$work/server"
tenant=$(tenant_hex)
bash bench/fill-devices.sh "$dir/reeve.db" "$tenant" 100000
sqlite3 "$dir/reeve.db" <<SQL
PRAGMA synchronous = OFF;
BEGIN;
INSERT INTO users (tenant_id, user_id, upn, upn_key, display_name, account_enabled, created_at)
SELECT tenant_id, CAST(substr(device_id, 3) || x'0000' AS BLOB), hex(device_id) || '@x.example', lower(hex(device_id)) || '@x.example', 'User', 1, 0 FROM managed_devices;
UPDATE managed_devices SET user_id = CAST(substr(device_id, 3) || x'0000' AS BLOB);
COMMIT;
SQL
start_server
post() { curl -sf --cacert "$ca" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d "$2" "$url$1"; }
role=$(get '/v1.0/roleManagement/directory/roleDefinitions' | jq -r '.value[] | select(.displayName == "Help Desk Operator").id')
none=$(post /v1.0/roleManagement/directory/roleDefinitions '{"displayName":"None","rolePermissions":[{"allowedResourceActions":["RoleManagement.Read.Directory"]}]}' | jq -r .id)
for n in 100 10000 90000; do
	group=$(post /v1.0/groups '{"displayName":"G","mailEnabled":false,"mailNickname":"g","securityEnabled":true}' | jq -r .id)
	app=$(post /v1.0/applications "{\"displayName\":\"D\",\"roleDefinitionId\":\"$none\"}" | jq -r .id)
	secret=$(post "/v1.0/applications/$app/addPassword" '{}' | jq -r .secretText)
	post /v1.0/roleManagement/directory/roleAssignments "{\"principalId\":\"$app\",\"roleDefinitionId\":\"$role\",\"directoryScopeId\":\"/groups/$group\"}" >/dev/null
	curl -sf --cacert "$ca" "$url/$(jq -r .tenant "$dir.json")/oauth2/v2.0/token" -d grant_type=client_credentials -d "client_id=$app" \
		--data-urlencode "client_secret=$secret" | jq -r .access_token >"$work/token-$n"
	stop_server
	sqlite3 "$dir/reeve.db" "INSERT INTO group_members (tenant_id, group_id, user_id, added_at)
		SELECT tenant_id, x'$(tr -d - <<<"$group")', user_id, 0 FROM users ORDER BY random() LIMIT $n"
	start_server
done
ask() { # ask TOKEN QUERY: milliseconds a request
	for _ in $(seq "$pages"); do printf 'url = "%s"\noutput = "%s"\n' "$url/v1.0/deviceManagement/managedDevices$2" "$work/out"; done >"$work/curl"
	local a b
	a=$(date +%s%N)
	curl -sf --cacert "$ca" -H "Authorization: Bearer $1" -K "$work/curl"
	b=$(date +%s%N)
	calc "($b - $a) / 1000000 / $pages" 3
}
for n in 100 10000 90000; do
	for what in '?$top=100' '?$top=100&$orderby=deviceName' '/$count'; do
		rm -f "$work"/m-*
		for _ in $(seq "$rounds"); do
			one=$(ask "$token" "$what") two=$(ask "$(cat "$work/token-$n")" "$what")
			echo "$one" >>"$work/m-all"
			echo "$two" >>"$work/m-scoped"
			calc "$two / $one" 3 >>"$work/m-ratio" && echo >>"$work/m-ratio"
		done
		report "scope group of $n of 100,000 : all, $what" "$(median <"$work/m-ratio")" "$(median <"$work/m-scoped") ms : $(median <"$work/m-all") ms"
	done
done
