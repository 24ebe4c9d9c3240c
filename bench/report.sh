#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The device report of a tenant, read page by page, zipped, hashed, encrypted and on disk, against the sqlite3 shell's own CSV of the same
# columns of the same rows (to a file and to disk), in turn; and that memory does not grow with the tenant.  DEVICES (100000), ROUNDS (3).
source "$(dirname "$0")/lib.sh"
devices=${DEVICES:-100000} rounds=${ROUNDS:-3}

fill() { # fill DIR N: a person for each ten devices
	make_data "$1"
	local hex
	hex=$(tenant_hex)
	bash bench/fill-devices.sh "$dir/reeve.db" "$hex" "$2"
	sqlite3 "$dir/reeve.db" "CREATE TEMP TABLE p AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $2 / 10)
SELECT i, randomblob(16) AS id, 'person' || i || '@example.org' AS upn FROM n;
CREATE INDEX temp.p_i ON p (i);
INSERT INTO users (tenant_id, user_id, upn, upn_key, display_name, mail, account_enabled, created_at) SELECT x'$hex', id, upn, upn, 'Person ' || i, upn, 1, 0 FROM p;
UPDATE managed_devices SET user_id = (SELECT id FROM p WHERE i = managed_devices.rowid / 10);
ANALYZE;"
}
# The columns of DevicesWithInventory; ids in hexadecimal, times as they are stored: what the shell is spared the report pays for.
columns="lower(hex(t.device_id)), t.device_name, t.enrolled_at, t.last_sync_at, lower(hex(t.directory_device_id)), t.os_version, 'False', '', t.serial_number,
t.manufacturer, t.model, 'False', '', '0001-01-01 00:00:00.0000000', 'None', 'None', '9999-12-31 23:59:59.0000000', '', t.wifi_mac, '', '',
t.total_storage_bytes / 1048576, t.free_storage_bytes / 1048576, t.managed_device_name, 'Unknown', lower(hex(t.user_id)), u.upn, u.mail, u.display_name, '', '',
t.compliance_state, 'Intune', t.owner_type, t.management_state, 'Registered', 'False', t.is_encrypted, t.platform, '', 'Unknown', '', 'Unknown', '', t.ethernet_mac, '',
t.architecture, '', '', '', ''"
shell() {
	local a b
	a=$(date +%s%N)
	sqlite3 "file:$dir/reeve.db?mode=ro" ".mode csv" "SELECT $columns FROM managed_devices t LEFT JOIN users u ON u.tenant_id = t.tenant_id AND u.user_id = t.user_id
WHERE t.tenant_id = x'$(tenant_hex)' AND t.hidden_at IS NULL ORDER BY t.device_id" >"$work/rows"
	sync "$work/rows"
	b=$(date +%s%N)
	calc "($b - $a) / 1000000000" 3
}
make() { "$build/bench/report_make" "$dir" "$(jq -r .tenant "$dir.json")" "$1" "$2"; }

fill "$work/few" "$((devices / 10))"
read -r _ _ _ few <<<"$(make DevicesWithInventory csv)"
fill "$work/many" "$devices"
shell >/dev/null # warm
for _ in $(seq "$rounds"); do
	plain=$(shell)
	read -r made n bytes grown <<<"$(make DevicesWithInventory csv)"
	[ "$n" = "$devices" ] || { echo "bench: $n devices are in the file" >&2 && exit 1; }
	{ calc "$plain / $made" 3 && echo; } >>"$work/ratio"
	echo "$made" >>"$work/made"
	echo "$plain" >>"$work/plain"
	echo "$grown" >>"$work/grown"
done
report "CSV report : sqlite3 shell (goal 0.50)" "$(median <"$work/ratio")" \
	"$(median <"$work/made") : $(median <"$work/plain") s; $n devices, $(($(stat -c %s "$work/rows") / n)) bytes each, zipped to $((bytes / n))"
report "memory that it took" "$(calc "$(median <"$work/grown") / 1024" 1) MiB" "growth of the peak; $(calc "$few / 1024" 1) MiB for a tenth of the devices"
for what in "Devices csv" "DevicesWithInventory json" "AllDeviceCertificates csv"; do
	read -r made n bytes grown <<<"$(make ${what% *} ${what#* })"
	report "$what" "$made s" "$n rows, $(calc "$bytes / 1000000" 1) MB zipped; peak grew by $(calc "$grown / 1024" 1) MiB"
done
