#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Check-ins of enrolled devices per second: 16 devices, really enrolled, each with its client certificate, on kept connections and on a
# new one each time; and the server's memory at rest, and with 10,000 enrolled devices that were listed to the last page.
# SECONDS_EACH (3).
source "$(dirname "$0")/lib.sh"
seconds=${SECONDS_EACH:-3}

enrol() { # enrol N: makes $work/device-N and enrols it
	local root=$work/device-$1
	mkdir -p "$root/etc"
	echo "bench-$1" >"$root/etc/hostname"
	"$reeve" device token bench@example.org company --json --data "$dir" | jq -r .token |
		"$build/reeve-agent" enroll --root "$root" --url "https://127.0.0.1:$((port + 1))" --ca "$ca" --token-file - \
			--accept-terms --inventory-only >/dev/null
}
check_in() { # check_in keep|new
	local before after rate p50 p99 done
	before=$(cpu_ticks)
	read -r rate p50 p99 done <<<"$("$build/bench/checkins" $((port + 1)) "$ca" "$seconds" "$1" "$work"/device-*/var/lib/reeve-agent)"
	after=$(cpu_ticks)
	report "check-ins/s, $2" "$rate" \
		"p50 $p50 ms, p99 $p99 ms; CPU $(calc "($after - $before) * 1000000 / $(getconf CLK_TCK) / $done" 0) us each"
}

make_data "$work/server"
start_server
report "memory at rest (goal < 20 MiB)" "$(calc "$(rss_kib) / 1024" 1) MiB" "resident, after start and one request"
"$reeve" user create bench@example.org displayName=Bench --json --data "$dir" >/dev/null
for i in $(seq 16); do enrol "$i"; done
check_in keep "kept connections"
check_in new "a connection each"
stop_server
bash bench/fill-devices.sh "$dir/reeve.db" "$(tenant_hex)" 10000
start_server
next="/v1.0/deviceManagement/managedDevices?\$top=1000"
while [ -n "$next" ]; do
	next=$(get "$next" | jq -r '.["@odata.nextLink"] // ""')
	next=${next#"$url"}
done
report "memory with 10,000 devices" "$(calc "$(rss_kib) / 1024" 1) MiB" "resident, after all were listed, 1,000 a page"
