#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A page of 100 managed devices out of 100,000, by following @odata.nextLink, over one kept HTTPS connection, against the same rows read
# with one session of the sqlite3 shell: as many SELECTs of the same columns, each beginning where the one before ended.  In turn.
# ROUNDS (5), PAGES (200).
source "$(dirname "$0")/lib.sh"
rounds=${ROUNDS:-5} pages=${PAGES:-200}

make_data "$work/server"
bash bench/fill-devices.sh "$dir/reeve.db" "$(tenant_hex)" 100000
start_server
next="$url/v1.0/deviceManagement/managedDevices?\$top=100" last=
for i in $(seq "$pages"); do # walks once, to know the pages' addresses and the rows that they begin after
	printf 'url = "%s"\noutput = "%s"\n' "$next" "$work/page-$i" >>"$work/curl"
	printf "SELECT * FROM managed_devices WHERE tenant_id = x'%s' AND hidden_at IS NULL AND device_id > x'%s' ORDER BY device_id LIMIT 100;\n" \
		"$(tenant_hex)" "$last" >>"$work/sql"
	get "${next#"$url"}" >"$work/page"
	last=$(jq -r '.value[-1].id' "$work/page" | tr -d -)
	next=$(jq -r '.["@odata.nextLink"]' "$work/page")
done
for i in $(seq "$rounds"); do
	a=$(date +%s%N)
	curl -sf --cacert "$ca" -H "Authorization: Bearer $token" -K "$work/curl"
	b=$(date +%s%N)
	sqlite3 "file:$dir/reeve.db?mode=ro" <"$work/sql" >"$work/rows"
	c=$(date +%s%N)
	calc "($b - $a) / 1000000 / $pages" 3 >>"$work/served" && echo >>"$work/served"
	calc "($c - $b) / 1000000 / $pages" 3 >>"$work/read" && echo >>"$work/read"
	calc "($c - $b) / ($b - $a)" 3 >>"$work/ratios" && echo >>"$work/ratios"
done
for i in $(seq "$pages"); do [ "$(jq '.value | length' "$work/page-$i")" = 100 ] || { echo "bench: a page is short" >&2 && exit 1; }; done
[ "$(sqlite3 -quote "file:$dir/reeve.db?mode=ro" <"$work/sql" | wc -l)" = $((pages * 100)) ] || { echo "bench: the shell read other rows" >&2 && exit 1; }
report "pages of 100 of 100,000 devices : sqlite3" "$(median <"$work/ratios")" \
	"$(median <"$work/served") ms a page : $(median <"$work/read") ms; medians of $rounds rounds of $pages"
