#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
#   fill-person.sh FILE TENANT_HEX N     puts N people, each with a company device, into the SQLite file of a server that is stopped, then one
#                                        (person@bench.example) with 10 devices, 2,000 applications, and 1,000 events as target and as actor
set -euo pipefail
bash "$(dirname "$0")/fill-devices.sh" "$1" "$2" "$3"
sqlite3 "$1" <<SQL
PRAGMA synchronous = OFF;
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $3)
INSERT INTO users (tenant_id, user_id, upn, upn_key, display_name, account_enabled, created_at)
SELECT x'$2', randomblob(16), 'p' || i || '@bench.example', 'p' || i || '@bench.example', 'Person ' || i, 1, 1700000000000000 FROM n;
UPDATE managed_devices SET user_id = (SELECT u.user_id FROM users u WHERE u.tenant_id = x'$2' AND u.upn_key = 'p' || substr(device_name, 8) || '@bench.example')
WHERE tenant_id = x'$2';
INSERT INTO users (tenant_id, user_id, upn, upn_key, display_name, given_name, surname, mail, mobile_phone, account_enabled, created_at)
VALUES (x'$2', x'0123456789abcdef0123456789abcdef', 'person@bench.example', 'person@bench.example', 'The Person', 'The', 'Person', 'person@bench.example',
  '+1 555 0100', 1, 1700000000000000);
UPDATE managed_devices SET user_id = x'0123456789abcdef0123456789abcdef', owner_type = 'company'
WHERE tenant_id = x'$2' AND device_id IN (SELECT device_id FROM managed_devices WHERE tenant_id = x'$2' LIMIT 10);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO detected_apps (tenant_id, device_id, name, version)
SELECT d.tenant_id, d.device_id, 'package-with-a-name-' || n.i, '2.' || n.i || '-1+deb12u1' FROM managed_devices d, n
WHERE d.tenant_id = x'$2' AND d.user_id = x'0123456789abcdef0123456789abcdef';
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO audit_events (tenant_id, event_id, at, expires_at, category, activity_type, operation, result, component, actor_type, actor_id, actor_name,
  subject_id, resource_type, resource_id, correlation_id, salt, bytes)
SELECT x'$2', randomblob(16), 1763000000000000 + i, 4000000000000000, 'Device', 'patch ManagedDevice', 'Patch', 'Success', 'DeviceManagement',
  iif(i % 2, 'User', 'Application'), iif(i % 2, x'0123456789abcdef0123456789abcdef', x'ff'), 'somebody', x'0123456789abcdef0123456789abcdef', 'ManagedDevice',
  randomblob(16), randomblob(16), randomblob(32), CAST('{"event":{"id":"01234567-89ab-7def-8123-456789abcdef","displayName":"Update managed device",' ||
  '"activityDateTime":"2026-01-01T00:00:00Z","activityType":"patch ManagedDevice","activityOperationType":"Patch","activityResult":"Success",' ||
  '"category":"Device","componentName":"DeviceManagement","correlationId":"01234567-89ab-7def-8123-456789abcdef","actor":{"auditActorType":"Application",' ||
  '"applicationDisplayName":"Helga Helpdesk","applicationId":"01234567-89ab-7def-8123-456789abcdef","ipAddress":"192.0.2.1","userPermissions":["a.b.c"]},' ||
  '"resources":[{"displayName":"laptop-' || i || '","auditResourceType":"ManagedDevice","resourceId":"01234567-89ab-7def-8123-456789abcdef",' ||
  '"modifiedProperties":[{"displayName":"managedDeviceName","oldValue":"old name ' || i || '","newValue":"new name ' || i || '"}]}]},' ||
  '"subjectId":"01234567-89ab-cdef-0123-456789abcdef"}' AS BLOB)
FROM n;
COMMIT;
ANALYZE;
SQL
