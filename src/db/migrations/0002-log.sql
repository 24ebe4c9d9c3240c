-- The audit log in packed tiles, events that can be found by everything an investigator asks for, and what carries the log out of the
-- house: witnesses, sinks, exports.
--
-- An event's commitment lives in audit_tiles for ever (32 bytes); its place in the log (audit_leaves) goes with the event.  On PostgreSQL
-- events are partitioned by the month in which they expire: a past month is dropped as a whole, so that its bytes go with the file.

-- ---------------------------------------------------------------- events

-- @sqlite
DROP TRIGGER audit_events_no_update;
DROP TRIGGER audit_events_no_delete;
DROP TRIGGER audit_events_no_replace;
-- @end
-- @postgres
DROP FUNCTION audit_events_prune(bytea, bigint);
DROP FUNCTION audit_events_purge(bytea, bigint);
-- @end
ALTER TABLE audit_events RENAME TO audit_events_1;
-- @postgres
ALTER INDEX audit_events_pkey RENAME TO audit_events_1_pkey;
-- @end
DROP INDEX audit_events_by_time;
DROP INDEX audit_events_by_category;
DROP INDEX audit_events_by_expiry;
DROP INDEX audit_events_by_actor;
DROP INDEX audit_events_by_subject;

CREATE TABLE audit_events (
  tenant_id ID NOT NULL,
  event_id ID NOT NULL,
  at TIME NOT NULL,
  expires_at TIME NOT NULL,          -- written at the commit: a later change of the setting does not reach it
  category TEXT NOT NULL,
  activity_type TEXT NOT NULL,
  operation TEXT NOT NULL,
  result TEXT NOT NULL,
  component TEXT NOT NULL,
  actor_type TEXT NOT NULL,
  actor_id ID,                       -- user, application or device
  actor_upn TEXT,                    -- lower case
  actor_name TEXT,
  actor_ip TEXT,
  subject_id ID,                     -- the person whom it is about
  resource_type TEXT,
  resource_id ID,
  resource_name TEXT,
  correlation_id ID NOT NULL,
  salt BLOB NOT NULL,
  bytes BLOB NOT NULL,               -- the canonical event, exactly what the commitment covers
-- @sqlite
  PRIMARY KEY (tenant_id, event_id)
) STRICT;
-- @end
-- @postgres
  PRIMARY KEY (tenant_id, event_id, expires_at)
) PARTITION BY RANGE (expires_at);

-- One partition per month of expiry, from the oldest that is needed to three months past the longest retention.
CREATE FUNCTION audit_events_prepare(oldest bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
  month timestamptz := date_trunc('month', least(now(), to_timestamp(oldest / 1000000.0)) AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
  next timestamptz;
  name text;
  made bigint := 0;
BEGIN
  WHILE month < now() + interval '828 days' LOOP
    next := (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
    name := to_char(month AT TIME ZONE 'UTC', '"audit_events_"YYYY_MM');
    IF to_regclass('public.' || name) IS NULL THEN
      EXECUTE format('CREATE TABLE %I PARTITION OF audit_events FOR VALUES FROM (%s) TO (%s)', name,
        (extract(epoch FROM month) * 1000000)::bigint, (extract(epoch FROM next) * 1000000)::bigint);
      made := made + 1;
    END IF;
    month := next;
  END LOOP;
  RETURN made;
END $$;
SELECT audit_events_prepare((SELECT coalesce(min(expires_at), (extract(epoch FROM now()) * 1000000)::bigint) FROM audit_events_1));

-- Drops the partitions of months that have passed; nothing in them is within its retention.
CREATE FUNCTION audit_events_drop_past() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
  p record;
  dropped bigint := 0;
BEGIN
  FOR p IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit_events'::regclass AND c.relname < to_char(now() AT TIME ZONE 'UTC', '"audit_events_"YYYY_MM')
  LOOP
    EXECUTE format('DROP TABLE %I', p.relname);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END $$;
-- @end

-- @sqlite
INSERT INTO audit_events SELECT tenant_id, event_id, at, expires_at, category, activity_type, operation, result, component,
  coalesce(CAST(bytes AS TEXT) ->> '$.event.actor.auditActorType', 'Unknown'), actor_id, actor_upn,
  CAST(bytes AS TEXT) ->> '$.event.actor.applicationDisplayName', CAST(bytes AS TEXT) ->> '$.event.actor.ipAddress', subject_id,
  CAST(bytes AS TEXT) ->> '$.event.resources[0].auditResourceType', resource_id, CAST(bytes AS TEXT) ->> '$.event.resources[0].displayName',
  zeroblob(16), salt, bytes
FROM audit_events_1;
-- @end
-- @postgres
INSERT INTO audit_events SELECT tenant_id, event_id, at, expires_at, category, activity_type, operation, result, component,
  coalesce(j #>> '{event,actor,auditActorType}', 'Unknown'), actor_id, actor_upn, j #>> '{event,actor,applicationDisplayName}',
  j #>> '{event,actor,ipAddress}', subject_id, j #>> '{event,resources,0,auditResourceType}', resource_id,
  j #>> '{event,resources,0,displayName}', decode(replace(j #>> '{event,correlationId}', '-', ''), 'hex'), salt, bytes
FROM (SELECT e.*, convert_from(bytes, 'UTF8')::json AS j FROM audit_events_1 e) x;
-- @end

CREATE INDEX audit_events_by_time ON audit_events (tenant_id, at, event_id);
CREATE INDEX audit_events_by_category ON audit_events (tenant_id, category, at);
CREATE INDEX audit_events_by_activity ON audit_events (tenant_id, activity_type, at);
CREATE INDEX audit_events_by_expiry ON audit_events (tenant_id, expires_at);
CREATE INDEX audit_events_by_actor ON audit_events (tenant_id, actor_id, at) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_events_by_upn ON audit_events (tenant_id, actor_upn, at) WHERE actor_upn IS NOT NULL;
CREATE INDEX audit_events_by_address ON audit_events (tenant_id, actor_ip, at) WHERE actor_ip IS NOT NULL;
CREATE INDEX audit_events_by_subject ON audit_events (tenant_id, subject_id, at) WHERE subject_id IS NOT NULL;
CREATE INDEX audit_events_by_resource ON audit_events (tenant_id, resource_id, at) WHERE resource_id IS NOT NULL;

-- ---------------------------------------------------------------- the log

ALTER TABLE audit_pending RENAME TO audit_pending_1;
ALTER TABLE audit_leaves RENAME TO audit_leaves_1;
DROP INDEX audit_leaves_by_event;
-- @postgres
ALTER INDEX audit_pending_pkey RENAME TO audit_pending_1_pkey;
ALTER INDEX audit_leaves_pkey RENAME TO audit_leaves_1_pkey;
-- @end

CREATE TABLE audit_pending (         -- committed, not yet in the log; drained by the sequencer
  tenant_id ID NOT NULL,
  event_id ID NOT NULL,
  commitment BLOB NOT NULL,          -- HMAC-SHA256(salt, "reeve/audit-event/v1\n" || bytes)
  PRIMARY KEY (tenant_id, event_id)
-- @sqlite
) STRICT, WITHOUT ROWID;
-- @end
-- @postgres
);
-- @end
INSERT INTO audit_pending SELECT p.tenant_id, p.event_id, substr(e.commitment, 2) FROM audit_pending_1 p JOIN audit_events_1 e
  ON e.tenant_id = p.tenant_id AND e.event_id = p.event_id;

CREATE TABLE audit_leaves (          -- where in the log an event stands; goes with the event
  tenant_id ID NOT NULL,
  leaf_index INT NOT NULL,
  event_id ID NOT NULL,
  PRIMARY KEY (tenant_id, leaf_index)
-- @sqlite
) STRICT, WITHOUT ROWID;
-- @end
-- @postgres
);
-- @end
CREATE UNIQUE INDEX audit_leaves_by_event ON audit_leaves (tenant_id, event_id);
INSERT INTO audit_leaves SELECT tenant_id, leaf_index, event_id FROM audit_leaves_1 WHERE event_id IS NOT NULL;

CREATE TABLE audit_tiles (           -- the tree, 256 to a row.  Level 0: commitments; level n: roots of full tiles below.  Lives for ever
  tenant_id ID NOT NULL,
  level INT NOT NULL,
  tile INT NOT NULL,
  content BLOB NOT NULL,             -- 1 to 256 times 32 bytes
  PRIMARY KEY (tenant_id, level, tile)
) STRICT;
-- @sqlite
INSERT INTO audit_tiles SELECT tenant_id, 0, leaf_index / 256, CAST(group_concat(substr(commitment, 2), '') AS BLOB)
FROM (SELECT * FROM audit_leaves_1 ORDER BY tenant_id, leaf_index) GROUP BY tenant_id, leaf_index / 256;
-- @end
-- @postgres
INSERT INTO audit_tiles SELECT tenant_id, 0, leaf_index / 256, string_agg(substr(commitment, 2), ''::bytea ORDER BY leaf_index)
FROM audit_leaves_1 GROUP BY tenant_id, leaf_index / 256;
-- @end

ALTER TABLE audit_heads ADD COLUMN generation INT NOT NULL DEFAULT 1; -- of the origin: grows when a restored database is found
ALTER TABLE audit_heads ADD COLUMN signed_at TIME;

CREATE TABLE audit_cosignatures (    -- of the newest checkpoints: each witness's last, and those that stand beside it
  tenant_id ID NOT NULL,
  generation INT NOT NULL,           -- of the log's origin
  size INT NOT NULL,
  witness TEXT NOT NULL,             -- the name of its key
  checkpoint TEXT NOT NULL,          -- the log's own signed note
  line TEXT NOT NULL,                -- the cosignature's line of it
  at TIME NOT NULL,
  witnessed BOOL NOT NULL,           -- this checkpoint has as many as the operator's policy asks for
  PRIMARY KEY (tenant_id, generation, size, witness)
) STRICT;

DROP TABLE audit_pending_1;
DROP TABLE audit_leaves_1;
DROP TABLE audit_events_1;

-- ---------------------------------------------------------------- carrying events out

CREATE TABLE audit_sinks (
  tenant_id ID NOT NULL,
  sink_id ID NOT NULL,
  display_name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('file', 'syslog', 'webhook')),
  format TEXT NOT NULL CHECK (format IN ('ndjson', 'ocsf')),
  target TEXT NOT NULL,              -- file name, host:port, or https URL
  filter TEXT,                       -- an OData filter over auditEvent
  secret BLOB,                       -- of the webhook's HMAC, sealed by the keeper
  ca_pem TEXT,                       -- whom a TLS receiver is checked against; NULL: the system's authorities
  enabled BOOL NOT NULL,
  created_at TIME NOT NULL,
  next_index INT NOT NULL,           -- of the log: the first event that was not confirmed
  delivered_at TIME,
  delivered_count INT NOT NULL,
  expired_count INT NOT NULL DEFAULT 0, -- events whose retention ended before they were delivered
  failures INT NOT NULL,             -- in a row
  failing_since TIME,
  last_error TEXT,
  version INT NOT NULL DEFAULT 1,    -- grows with each change by its owner
  PRIMARY KEY (tenant_id, sink_id)
) STRICT;

CREATE TABLE audit_exports (
  tenant_id ID NOT NULL,
  export_id ID NOT NULL,
  format TEXT NOT NULL CHECK (format IN ('csv', 'ndjson', 'ocsf', 'archive')),
  filter TEXT,
  from_at TIME,
  until_at TIME,
  of_tenant ID,                      -- the purged tenant whose archive this is (rows of the installation)
  status TEXT NOT NULL CHECK (status IN ('notStarted', 'inProgress', 'completed', 'failed')),
  requested_by ID,
  created_at TIME NOT NULL,
  completed_at TIME,
  expires_at TIME NOT NULL,          -- the file goes with it
  events INT,
  size_bytes INT,
  sha256 BLOB,
  error TEXT,
  PRIMARY KEY (tenant_id, export_id)
) STRICT;
CREATE INDEX audit_exports_by_status ON audit_exports (status, created_at);
CREATE INDEX audit_exports_by_expiry ON audit_exports (expires_at);

-- ---------------------------------------------------------------- nobody changes an event (I2)
-- Expired events may be deleted, and those of a tenant that is being purged; nothing else, by no one.

-- @sqlite
CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;

CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
WHEN OLD.expires_at > CAST(strftime('%s', 'now') AS INTEGER) * 1000000
  AND NOT EXISTS (SELECT 1 FROM tenants t WHERE t.tenant_id = OLD.tenant_id AND t.state = 'purging')
BEGIN SELECT RAISE(ABORT, 'audit events are kept until they expire'); END;

CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events
WHEN EXISTS (SELECT 1 FROM audit_events e WHERE e.tenant_id = NEW.tenant_id AND e.event_id = NEW.event_id)
BEGIN SELECT RAISE(ABORT, 'audit events are never replaced'); END;
-- @end

-- @postgres
CREATE FUNCTION audit_events_prune(tenant bytea, most bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
  now_us bigint := (extract(epoch FROM now()) * 1000000)::bigint;
  removed bigint;
BEGIN
  DELETE FROM audit_events e WHERE e.tenant_id = tenant AND e.expires_at <= now_us AND e.event_id IN (
    SELECT x.event_id FROM audit_events x WHERE x.tenant_id = tenant AND x.expires_at <= now_us ORDER BY x.expires_at LIMIT most);
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN removed;
END $$;

CREATE FUNCTION audit_events_purge(tenant bytea, most bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE removed bigint;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM tenants t WHERE t.tenant_id = tenant AND t.state = 'purging') THEN
    RAISE EXCEPTION 'the tenant is not being purged';
  END IF;
  DELETE FROM audit_events e WHERE e.tenant_id = tenant AND e.event_id IN (
    SELECT x.event_id FROM audit_events x WHERE x.tenant_id = tenant LIMIT most);
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN removed;
END $$;
-- @end
