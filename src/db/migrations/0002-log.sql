-- The audit log in packed tiles, events that can be found by everything an investigator asks for, and what carries the log out of the
-- house: witnesses, sinks, exports.
--
-- An event's commitment lives in audit_tiles for ever (32 bytes); its place in the log (audit_leaves) goes with the event.  On PostgreSQL
-- events are partitioned by the four weeks in which they expire: what has passed is dropped as a whole, so that its bytes go with the file.

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

-- One partition per four weeks of expiry, counted from 1970: shorter than a month, so that the bytes of an event are gone within 31 days
-- after its expiry although the partition goes only with the last of its events.
CREATE FUNCTION audit_events_partition(period bigint) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  span CONSTANT bigint := 2419200000000;
  name text := to_char(to_timestamp(period * 2419200) AT TIME ZONE 'UTC', '"audit_events_"YYYYMMDD');
BEGIN
  IF to_regclass('public.' || name) IS NOT NULL THEN RETURN false; END IF;
  EXECUTE format('CREATE TABLE public.%I (LIKE public.audit_events INCLUDING ALL)', name); -- attaching locks no reader and no writer out
  EXECUTE format('ALTER TABLE public.audit_events ATTACH PARTITION public.%I FOR VALUES FROM (%s) TO (%s)', name, period * span,
    (period + 1) * span);
  RETURN true;
END $$;

-- From the clock of the database to fourteen weeks past the longest retention: an insert never lacks its partition as long as the server
-- starts or its daily job runs once in that time.  Returns how many were made.
CREATE FUNCTION audit_events_prepare() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
  period bigint := floor(extract(epoch FROM now()) / 2419200);
  made bigint := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(7738151097);
  WHILE period * 2419200 < extract(epoch FROM now()) + 828 * 86400 LOOP
    made := made + public.audit_events_partition(period)::int;
    period := period + 1;
  END LOOP;
  RETURN made;
END $$;
SELECT audit_events_prepare();
SELECT audit_events_partition(period) FROM (SELECT DISTINCT expires_at / 2419200000000 AS period FROM audit_events_1) x;

-- Drops the partitions whose time has passed and that are empty: what was in them was removed by audit_events_prune(), which is recorded.
-- A partition that somebody reads stays until the next call.  Returns how many went.
CREATE FUNCTION audit_events_drop_past() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
  p record;
  held boolean;
  dropped bigint := 0;
BEGIN
  FOR p IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'public.audit_events'::regclass
    AND c.relname <= to_char(to_timestamp(extract(epoch FROM now()) - 2419200) AT TIME ZONE 'UTC', '"audit_events_"YYYYMMDD') ORDER BY 1
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM public.%I)', p.relname) INTO held;
    CONTINUE WHEN held;
    BEGIN
      EXECUTE format('DROP TABLE public.%I', p.relname);
      dropped := dropped + 1;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
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
CREATE INDEX audit_events_of_directory ON audit_events (tenant_id, at, event_id) WHERE component = 'Directory' AND operation <> 'Get';
-- Each ends as the lists' order does: nothing is sorted, and the next page begins where the last one ended.
CREATE INDEX audit_events_by_category ON audit_events (tenant_id, category, at, event_id);
CREATE INDEX audit_events_by_activity ON audit_events (tenant_id, activity_type, at, event_id);
CREATE INDEX audit_events_by_expiry ON audit_events (tenant_id, expires_at);
CREATE INDEX audit_events_by_actor ON audit_events (tenant_id, actor_id, at, event_id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_events_by_upn ON audit_events (tenant_id, actor_upn, at, event_id) WHERE actor_upn IS NOT NULL;
CREATE INDEX audit_events_by_address ON audit_events (tenant_id, actor_ip, at, event_id) WHERE actor_ip IS NOT NULL;
CREATE INDEX audit_events_by_subject ON audit_events (tenant_id, subject_id, at, event_id) WHERE subject_id IS NOT NULL;
CREATE INDEX audit_events_by_resource ON audit_events (tenant_id, resource_id, at, event_id) WHERE resource_id IS NOT NULL;

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

CREATE TABLE audit_removed (         -- the indexes whose events retention has removed, as ranges that neither touch nor overlap
  tenant_id ID NOT NULL,
  first INT NOT NULL,
  past INT NOT NULL,                 -- the first index behind the range
  scrubbed BOOL NOT NULL,            -- the files were rewritten since (SQLite)
  PRIMARY KEY (tenant_id, first)
) STRICT;
INSERT INTO audit_removed SELECT tenant_id, min(leaf_index), max(leaf_index) + 1, 0 FROM
  (SELECT tenant_id, leaf_index, leaf_index - row_number() OVER (PARTITION BY tenant_id ORDER BY leaf_index) AS run FROM audit_leaves_1
  WHERE event_id IS NULL) x GROUP BY tenant_id, run;

CREATE TABLE audit_tiles (           -- the tree, 256 to a row.  Level 0: commitments; level n: roots of full tiles below.  Lives for ever
  tenant_id ID NOT NULL,
  level INT NOT NULL,
  tile INT NOT NULL,
  content BLOB NOT NULL,             -- 1 to 256 times 32 bytes
  PRIMARY KEY (tenant_id, level, tile)
) STRICT;
-- @sqlite
INSERT INTO audit_tiles SELECT tenant_id, 0, tile, (SELECT CAST(group_concat(c, '') AS BLOB) FROM (SELECT substr(l.commitment, 2) AS c
    FROM audit_leaves_1 l WHERE l.tenant_id = t.tenant_id AND l.leaf_index >= t.tile * 256 AND l.leaf_index < t.tile * 256 + 256
    ORDER BY l.leaf_index))
FROM (SELECT DISTINCT tenant_id, leaf_index / 256 AS tile FROM audit_leaves_1) t;
-- @end
-- @postgres
INSERT INTO audit_tiles SELECT tenant_id, 0, leaf_index / 256, string_agg(substr(commitment, 2), ''::bytea ORDER BY leaf_index)
FROM audit_leaves_1 GROUP BY tenant_id, leaf_index / 256;
-- @end

ALTER TABLE audit_heads ADD COLUMN generation INT NOT NULL DEFAULT 1; -- of the origin: grows when a restored database is found
ALTER TABLE audit_heads ADD COLUMN signed_at TIME;
ALTER TABLE audit_heads ADD COLUMN place TEXT;   -- PostgreSQL: the system, timeline and database in which the checkpoint was stored
CREATE INDEX audit_heads_to_sign ON audit_heads (tenant_id) WHERE size > signed_size;

CREATE TABLE audit_cosignatures (    -- of the newest checkpoints: each witness's last, and those that stand beside it
  tenant_id ID NOT NULL,
  generation INT NOT NULL,           -- of the log's origin
  size INT NOT NULL,
  witness TEXT NOT NULL,             -- its name in the policy
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
  of_tenant ID,                      -- the purged tenant whose archive this is (rows of the installation): the file is
                                     -- DIR/archives/<of_tenant>-<day of created_at, UTC, as 2026-01-31>.zip
  status TEXT NOT NULL CHECK (status IN ('notStarted', 'inProgress', 'completed', 'failed')),
  requested_by ID,
  scope_groups TEXT,                 -- whose events whoever asked could see: ids of groups, sorted, with commas; NULL: everybody's
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
  OR EXISTS (SELECT 1 FROM audit_events e WHERE e.rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'audit events are never replaced'); END;
-- @end

-- @postgres
-- The oldest of a tenant's events that have expired by the server's clock and by this database's; not what still waits for its place.
CREATE FUNCTION audit_events_prune(tenant bytea, before bigint, most bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  bound bigint := least(before, (extract(epoch FROM now()) * 1000000)::bigint);
  removed bigint;
BEGIN
  DELETE FROM public.audit_events e WHERE e.tenant_id = tenant AND e.expires_at <= bound AND e.event_id IN (
    SELECT x.event_id FROM public.audit_events x WHERE x.tenant_id = tenant AND x.expires_at <= bound
    AND NOT EXISTS (SELECT 1 FROM public.audit_pending p WHERE p.tenant_id = tenant AND p.event_id = x.event_id)
    ORDER BY x.expires_at, x.event_id LIMIT most);
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN removed;
END $$;

CREATE FUNCTION audit_events_purge(tenant bytea, most bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE removed bigint;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM public.tenants t WHERE t.tenant_id = tenant AND t.state = 'purging') THEN
    RAISE EXCEPTION 'the tenant is not being purged';
  END IF;
  DELETE FROM public.audit_events e WHERE e.tenant_id = tenant AND e.event_id IN (
    SELECT x.event_id FROM public.audit_events x WHERE x.tenant_id = tenant LIMIT most);
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN removed;
END $$;
-- @end
