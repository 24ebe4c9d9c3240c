#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
#   fill-devices.sh FILE TENANT_HEX N     puts N enrolled devices into the SQLite file of a server that is stopped
set -euo pipefail
sqlite3 "$1" <<SQL
PRAGMA synchronous = OFF;
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $3)
INSERT INTO managed_devices (tenant_id, device_id, directory_device_id, owner_type, platform, provisioning, device_name,
  managed_device_name, manufacturer, model, serial_number, chassis_type, os_name, os_version, os_build, kernel, architecture,
  processor, processor_count, physical_memory_bytes, total_storage_bytes, free_storage_bytes, is_encrypted, ethernet_mac,
  compliance_state, management_state, enrolled_at, last_sync_at, inventory_at, certificate_expires_at)
SELECT x'$2', randomblob(16), randomblob(16), CASE i % 2 WHEN 0 THEN 'company' ELSE 'personal' END, 'linux', 1,
  'laptop-' || i, 'laptop-' || i || '_Linux', 'Dell Inc.', 'Latitude 7440', printf('SN%08d', i), 'laptop', 'Debian GNU/Linux', '12',
  'bookworm', '6.1.0-13-amd64', 'x86_64', 'Intel(R) Core(TM) i7-1365U', 12, 33285996544, 512110190592, 256055095296, 1,
  printf('02:00:%02x:%02x:%02x:%02x', i >> 24 & 255, i >> 16 & 255, i >> 8 & 255, i & 255), 'unknown', 'managed',
  1700000000000000 + i, 1750000000000000 + i, 1750000000000000, 1900000000000000
FROM n;
COMMIT;
SQL
