-- The schema of Reeve 0.1.
--
-- Every key starts with tenant_id, so that data can be distributed by tenant and a tenant can be deleted by key range.
-- The installation itself (its operator, its log) is the tenant with the nil id.
-- Types: ID 16-byte UUID, TIME microseconds UTC, BOOL 0 or 1, JSON text.  CHECK constraints repeat the enumerations of the code.
-- Every column stands in src/map/datamap.def; the server refuses to start on one that does not.

-- ---------------------------------------------------------------- tenants

CREATE TABLE tenants (
  tenant_id ID NOT NULL PRIMARY KEY,
  display_name TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('active', 'closing', 'purging', 'closed')),
  created_at TIME NOT NULL,
  closed_at TIME,
  purge_starts_at TIME,
  purge_deadline_at TIME,
  devices_retire_at TIME,            -- when its devices are told to retire; NULL: that is done, or the tenant is open
  unpaid BOOL NOT NULL DEFAULT 0,    -- the operator's word: bills are open, so it cannot be deleted by hand
  deletion_asked_at TIME,            -- deleting it by hand waits for a second operator
  deletion_asked_by ID
) STRICT;
CREATE INDEX tenants_to_retire ON tenants (devices_retire_at) WHERE devices_retire_at IS NOT NULL;

CREATE TABLE subscriptions (
  tenant_id ID NOT NULL,
  subscription_id ID NOT NULL,
  product TEXT NOT NULL,             -- 'deviceManagement' or the name of another product
  status TEXT NOT NULL CHECK (status IN ('Enabled', 'Warning', 'Suspended', 'Deleted', 'LockedOut')),
  created_at TIME NOT NULL,
  sku_id ID NOT NULL,                -- what is sold; the subscription's own id where nobody said
  is_trial BOOL NOT NULL,
  total_licenses INT NOT NULL,
  next_lifecycle_at TIME,            -- when the status moves on by itself (directory/subscription_states.def)
  PRIMARY KEY (tenant_id, subscription_id)
) STRICT;
CREATE INDEX subscriptions_by_due ON subscriptions (next_lifecycle_at) WHERE next_lifecycle_at IS NOT NULL;

CREATE TABLE tenant_settings (
  tenant_id ID NOT NULL,
  name TEXT NOT NULL,                -- a row of directory/tenant_settings.def
  value TEXT NOT NULL,
  PRIMARY KEY (tenant_id, name)
) STRICT;

-- ---------------------------------------------------------------- directory

CREATE TABLE roles (
  tenant_id ID NOT NULL,
  role_id ID NOT NULL,
  display_name TEXT NOT NULL,
  description TEXT,
  permissions TEXT NOT NULL,         -- space-separated Graph permission names; of a built-in role: what this version gives it is asked (roles.def)
  built_in BOOL NOT NULL,
  created_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, role_id)
) STRICT;
CREATE UNIQUE INDEX roles_by_name ON roles (tenant_id, display_name);

CREATE TABLE applications (
  tenant_id ID NOT NULL,
  application_id ID NOT NULL,
  display_name TEXT NOT NULL,
  role_id ID,                        -- one that it has over the whole tenant, beside its assignments
  enabled BOOL NOT NULL,
  provisioning BOOL NOT NULL DEFAULT 0, -- follows another directory: what it deletes for good may be undone for a while
  last_contact_at TIME,              -- when it was last heard of with one of its provisioning_tokens, to the minute
  silent_at TIME,                    -- when it was told that it is silent; NULL again at the next contact
  external_issuer TEXT,              -- the issuer whose app-only tokens stand for it, and what it is called there
  external_client_id TEXT,
  created_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, application_id)
) STRICT;
CREATE UNIQUE INDEX applications_by_external ON applications (tenant_id, external_issuer, external_client_id) WHERE external_client_id IS NOT NULL;
CREATE INDEX applications_by_contact ON applications (tenant_id, last_contact_at) WHERE last_contact_at IS NOT NULL;

CREATE TABLE application_secrets (
  tenant_id ID NOT NULL,
  secret_id ID NOT NULL,
  application_id ID NOT NULL,
  secret_hash BLOB NOT NULL,         -- SHA-256 of 32 random bytes in text form: not guessable, so a fast hash is right
  hint TEXT NOT NULL,                -- its first three characters
  display_name TEXT,
  created_at TIME NOT NULL,
  expires_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, secret_id)
) STRICT;
CREATE INDEX application_secrets_by_application ON application_secrets (tenant_id, application_id);

CREATE TABLE users (
  tenant_id ID NOT NULL,
  user_id ID NOT NULL,
  upn TEXT NOT NULL,
  upn_key TEXT,                      -- lower case; NULL while the user is deleted, so that the name is free again
  display_name TEXT NOT NULL,
  given_name TEXT,
  surname TEXT,
  mail TEXT,
  mail_nickname TEXT,
  job_title TEXT,
  department TEXT,
  company_name TEXT,
  office_location TEXT,
  employee_id TEXT,
  mobile_phone TEXT,
  business_phones JSON,
  street_address TEXT,
  postal_code TEXT,
  city TEXT,
  state TEXT,
  country TEXT,
  usage_location TEXT,
  preferred_language TEXT,
  user_type TEXT,
  account_enabled BOOL NOT NULL,
  created_at TIME NOT NULL,
  deleted_at TIME,                   -- soft delete; 30 days later permanent
  modified_at TIME,                  -- the last change; NULL: none since created_at
  version INT NOT NULL DEFAULT 1,    -- of the row and its contacts: SCIM's meta.version
  user_name TEXT,                    -- SCIM's userName where it can be no userPrincipalName; upn is made of it then
  external_id TEXT,                  -- the other directory's id
  display_derived BOOL,              -- display_name was made here, nobody gave it
  name_formatted TEXT,
  middle_name TEXT,
  honorific_prefix TEXT,
  honorific_suffix TEXT,
  nick_name TEXT,
  employee_type TEXT,
  locale TEXT,
  time_zone TEXT,
  cost_center TEXT,
  division TEXT,
  manager_id ID,
  disabled_at TIME,                  -- since when account_enabled is 0
  provider_disabled BOOL NOT NULL DEFAULT 0, -- a provisioning client said so: its retention runs from disabled_at
  erase_due_at TIME,                 -- the day that was announced; then the erasure is asked for
  PRIMARY KEY (tenant_id, user_id)
) STRICT;
CREATE UNIQUE INDEX users_by_upn ON users (tenant_id, upn_key);
CREATE INDEX users_deleted ON users (tenant_id, deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX users_by_name ON users (tenant_id, display_name, user_id);
CREATE INDEX users_by_external ON users (tenant_id, external_id) WHERE deleted_at IS NULL;
CREATE INDEX users_by_mail ON users (tenant_id, lower(mail));
CREATE INDEX users_by_manager ON users (tenant_id, manager_id) WHERE manager_id IS NOT NULL;
CREATE INDEX users_left ON users (tenant_id, disabled_at) WHERE provider_disabled = 1;
CREATE INDEX users_erase_due ON users (tenant_id, erase_due_at) WHERE erase_due_at IS NOT NULL;

CREATE TABLE groups (
  tenant_id ID NOT NULL,
  group_id ID NOT NULL,
  display_name TEXT NOT NULL,
  description TEXT,
  mail_nickname TEXT,
  created_at TIME NOT NULL,
  modified_at TIME,                  -- the last change, of its members too
  version INT NOT NULL DEFAULT 1,    -- SCIM's meta.version
  external_id TEXT,                  -- the other directory's id
  PRIMARY KEY (tenant_id, group_id)
) STRICT;
CREATE INDEX groups_by_name ON groups (tenant_id, lower(display_name));
CREATE INDEX groups_by_external ON groups (tenant_id, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE group_members (
  tenant_id ID NOT NULL,
  group_id ID NOT NULL,
  user_id ID NOT NULL,
  added_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, group_id, user_id)
) STRICT;
CREATE INDEX group_members_by_user ON group_members (tenant_id, user_id, group_id);

-- ---------------------------------------------------------------- audit

CREATE TABLE audit_events (
  tenant_id ID NOT NULL,
  event_id ID NOT NULL,
  at TIME NOT NULL,
  expires_at TIME NOT NULL,          -- written at the commit: a later change of the setting does not reach it
  bytes BLOB NOT NULL,               -- the canonical event, exactly what the commitment covers
  salt BLOB NOT NULL,
  commitment BLOB NOT NULL,          -- 0x01 || HMAC-SHA256(salt, "reeve/audit-event/v1\n" || bytes)
  category TEXT NOT NULL,
  activity_type TEXT NOT NULL,
  operation TEXT NOT NULL,
  result TEXT NOT NULL,
  component TEXT NOT NULL,
  actor_id ID,                       -- user, application or device
  actor_upn TEXT,                    -- lower case
  subject_id ID,                     -- the person whom it is about
  resource_id ID,
  PRIMARY KEY (tenant_id, event_id)
) STRICT;
CREATE INDEX audit_events_by_time ON audit_events (tenant_id, at, event_id);
CREATE INDEX audit_events_by_category ON audit_events (tenant_id, category, at);
CREATE INDEX audit_events_by_expiry ON audit_events (tenant_id, expires_at);
CREATE INDEX audit_events_by_actor ON audit_events (tenant_id, actor_id, at) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_events_by_subject ON audit_events (tenant_id, subject_id, at) WHERE subject_id IS NOT NULL;

CREATE TABLE audit_pending (         -- committed, not yet in the log; drained by the sequencer
  tenant_id ID NOT NULL,
  event_id ID NOT NULL,
  PRIMARY KEY (tenant_id, event_id)
) STRICT;

CREATE TABLE audit_leaves (          -- the log: gap-free; lives for ever, holds only the commitment once the event expired
  tenant_id ID NOT NULL,
  leaf_index INT NOT NULL,
  event_id ID,
  commitment BLOB NOT NULL,
  PRIMARY KEY (tenant_id, leaf_index)
) STRICT;
CREATE INDEX audit_leaves_by_event ON audit_leaves (tenant_id, event_id) WHERE event_id IS NOT NULL;

CREATE TABLE audit_heads (           -- what was last sequenced and signed, to be compared with the keeper's
  tenant_id ID NOT NULL PRIMARY KEY,
  size INT NOT NULL,
  signed_size INT NOT NULL,
  checkpoint TEXT
) STRICT;

-- ---------------------------------------------------------------- what the organisation provides

CREATE TABLE device_configurations (
  tenant_id ID NOT NULL,
  configuration_id ID NOT NULL,
  odata_type TEXT NOT NULL,
  display_name TEXT NOT NULL,
  description TEXT,
  payload JSON NOT NULL,             -- the type's own properties; a secret among them is sealed by the keeper
  version INT NOT NULL,
  created_at TIME NOT NULL,
  modified_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, configuration_id)
) STRICT;

CREATE TABLE mobile_apps (
  tenant_id ID NOT NULL,
  app_id ID NOT NULL,
  odata_type TEXT NOT NULL,
  display_name TEXT NOT NULL,
  description TEXT,
  publisher TEXT,
  payload JSON NOT NULL,             -- package, version, data paths
  version INT NOT NULL,
  created_at TIME NOT NULL,
  modified_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, app_id)
) STRICT;

CREATE TABLE assignments (
  tenant_id ID NOT NULL,
  item_type TEXT NOT NULL CHECK (item_type IN ('deviceConfiguration', 'mobileApp')),
  item_id ID NOT NULL,
  group_id ID NOT NULL,
  assignment_id ID NOT NULL,
  intent TEXT NOT NULL,
  created_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, item_type, item_id, group_id)
) STRICT;
CREATE INDEX assignments_by_group ON assignments (tenant_id, group_id);

CREATE TABLE terms_and_conditions (
  tenant_id ID NOT NULL,
  terms_id ID NOT NULL,
  display_name TEXT NOT NULL,
  description TEXT,
  title TEXT NOT NULL,
  body_text TEXT NOT NULL,
  acceptance_statement TEXT NOT NULL,
  version INT NOT NULL,
  created_at TIME NOT NULL,
  modified_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, terms_id)
) STRICT;

CREATE TABLE terms_acceptances (
  tenant_id ID NOT NULL,
  terms_id ID NOT NULL,
  user_id ID NOT NULL,
  version INT NOT NULL,
  accepted_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, terms_id, user_id, version)
) STRICT;
CREATE INDEX terms_acceptances_by_user ON terms_acceptances (tenant_id, user_id);

-- ---------------------------------------------------------------- devices

CREATE TABLE enrollment_tokens (
  tenant_id ID NOT NULL,
  token_id ID NOT NULL,
  token_hash BLOB NOT NULL,
  user_id ID NOT NULL,
  owner_type TEXT NOT NULL CHECK (owner_type IN ('personal', 'company')),
  created_at TIME NOT NULL,
  expires_at TIME NOT NULL,
  used_at TIME,
  PRIMARY KEY (tenant_id, token_id)
) STRICT;
CREATE UNIQUE INDEX enrollment_tokens_by_hash ON enrollment_tokens (token_hash);
CREATE INDEX enrollment_tokens_by_user ON enrollment_tokens (tenant_id, user_id);

CREATE TABLE managed_devices (
  tenant_id ID NOT NULL,
  device_id ID NOT NULL,
  directory_device_id ID NOT NULL,   -- azureADDeviceId
  user_id ID,
  owner_type TEXT NOT NULL CHECK (owner_type IN ('personal', 'company')),
  platform TEXT NOT NULL CHECK (platform IN ('linux')),
  provisioning BOOL NOT NULL,        -- 0: inventory only
  device_name TEXT NOT NULL,
  managed_device_name TEXT NOT NULL,
  notes TEXT,
  asset_note TEXT,                   -- of a company device: about the thing, nothing of a person; stays when the person goes
  manufacturer TEXT,
  model TEXT,
  serial_number TEXT,
  chassis_type TEXT,
  os_name TEXT,
  os_version TEXT,
  os_build TEXT,
  kernel TEXT,
  architecture TEXT,
  processor TEXT,
  processor_count INT,
  physical_memory_bytes INT,
  total_storage_bytes INT,
  free_storage_bytes INT,
  is_encrypted BOOL,
  wifi_mac TEXT,
  ethernet_mac TEXT,
  compliance_state TEXT NOT NULL,
  management_state TEXT NOT NULL,
  enrolled_at TIME NOT NULL,
  last_sync_at TIME NOT NULL,
  inventory_at TIME,
  certificate_expires_at TIME NOT NULL,
  hidden_at TIME,                    -- invisible since
  hidden_reason TEXT CHECK (hidden_reason IN ('deleted', 'cleanup')), -- deleted: its retire is still owed; cleanup: shown again when it checks in
  CHECK ((hidden_at IS NULL) = (hidden_reason IS NULL)),
  PRIMARY KEY (tenant_id, device_id)
) STRICT;
CREATE INDEX managed_devices_by_user ON managed_devices (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX managed_devices_by_name ON managed_devices (tenant_id, device_name, device_id, hidden_at); -- and counts them
CREATE INDEX managed_devices_by_sync ON managed_devices (tenant_id, last_sync_at, device_id);
CREATE INDEX managed_devices_by_serial ON managed_devices (tenant_id, serial_number);
CREATE INDEX managed_devices_by_silence ON managed_devices (tenant_id, platform, last_sync_at) WHERE hidden_at IS NULL;
CREATE INDEX managed_devices_by_cleanup ON managed_devices (tenant_id, platform, last_sync_at) WHERE hidden_reason = 'cleanup';

CREATE TABLE device_certificates (
  tenant_id ID NOT NULL,
  fingerprint BLOB NOT NULL,         -- SHA-256 of the certificate
  device_id ID NOT NULL,
  issued_at TIME NOT NULL,
  expires_at TIME NOT NULL,
  revoked_at TIME,
  owed_action ID,                    -- the device's record is gone; it may still fetch this action and nothing else
  owed_name TEXT CHECK (owed_name IN ('retire', 'wipe')),
  PRIMARY KEY (tenant_id, fingerprint)
) STRICT;
CREATE INDEX device_certificates_by_device ON device_certificates (tenant_id, device_id);

CREATE TABLE detected_apps (
  tenant_id ID NOT NULL,
  device_id ID NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  PRIMARY KEY (tenant_id, device_id, name, version)
) STRICT;

CREATE TABLE device_disks (
  tenant_id ID NOT NULL,
  device_id ID NOT NULL,
  name TEXT NOT NULL,
  model TEXT,
  size_bytes INT,
  PRIMARY KEY (tenant_id, device_id, name)
) STRICT;

CREATE TABLE network_interfaces (
  tenant_id ID NOT NULL,
  device_id ID NOT NULL,
  name TEXT NOT NULL,
  mac TEXT,
  kind TEXT,
  addresses JSON,
  PRIMARY KEY (tenant_id, device_id, name)
) STRICT;

CREATE TABLE provisioned_items (     -- what stands on a device, by the device's own word
  tenant_id ID NOT NULL,
  device_id ID NOT NULL,
  item_id ID NOT NULL,
  item_type TEXT NOT NULL CHECK (item_type IN ('deviceConfiguration', 'mobileApp')),
  version INT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'installed', 'failed', 'removing')),
  identifier TEXT,                   -- what the platform needs to take it back
  error TEXT,
  updated_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, device_id, item_id)
) STRICT;
CREATE INDEX provisioned_items_by_item ON provisioned_items (tenant_id, item_id);

CREATE TABLE device_actions (
  tenant_id ID NOT NULL,
  action_id ID NOT NULL,
  device_id ID NOT NULL,
  action_name TEXT NOT NULL CHECK (action_name IN ('retire', 'wipe', 'delete', 'syncDevice')), -- delete: of the record; done at once
  asked_as TEXT NOT NULL CHECK (asked_as IN ('retire', 'wipe', 'delete', 'syncDevice', 'leave', 'erasure')), -- erasure: nobody asked, a duty did
  state TEXT NOT NULL CHECK (state IN ('pending', 'issued', 'notNow', 'done', 'failed', 'notSupported', 'canceled')),
  outcome TEXT CHECK (outcome IN ('neverSeen', 'canceled', 'superseded', 'expired', 'returned')), -- where the state does not say it
  requested_by ID,                   -- the actor's id; its name is in the audit event
  parameters JSON,
  error TEXT,
  requested_at TIME NOT NULL,
  updated_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, action_id)
) STRICT;
CREATE INDEX device_actions_by_device ON device_actions (tenant_id, device_id, requested_at, action_id);

-- ---------------------------------------------------------------- privacy

CREATE TABLE duties (
  tenant_id ID NOT NULL,
  duty_id ID NOT NULL,
  trigger_name TEXT NOT NULL CHECK (trigger_name IN ('softDelete', 'permanentDelete', 'wipe', 'retire', 'selfRemoval', 'deviceDelete', 'tenantClose',
    'exportExpiry', 'restoreReplay', 'ownershipChange', 'deactivated')),
  subject_type TEXT NOT NULL CHECK (subject_type IN ('user', 'device', 'tenant', 'export')),
  subject_id ID NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('scheduled', 'received', 'held', 'suppressed', 'deleting', 'deleted', 'scrubbed', 'copies_gone', 'cancelled',
    'failed')),
  requested_at TIME NOT NULL,        -- the clock counts from here
  due_at TIME NOT NULL,              -- when it is carried out at the latest of its own accord
  deadline_at TIME NOT NULL,         -- until when the active data is gone
  copies_deadline_at TIME NOT NULL,  -- the promise: until when every copy is
  updated_at TIME NOT NULL,
  requested_by ID,                   -- the application that asked; NULL: the server itself, a device, a person for their own device
  confirmed_by ID,                   -- the application that let a burst go on
  waits_for TEXT CHECK (waits_for IN ('restriction', 'copy', 'legalHold', 'burst')), -- of a held one
  undo_until TIME,                   -- may be cancelled until then; nothing is deleted before
  alarm TEXT,                        -- the last one that was raised (duty/alarms.def)
  alarm_at TIME,                     -- when
  alarm_due_at TIME,                 -- when the next one is due; NULL: none is
  plan JSON,                         -- frozen before the first row goes: tables and counts
  result JSON,                       -- what was found, deleted, kept
  error TEXT,
  certificate_id ID,                 -- active data gone
  copies_certificate_id ID,          -- copies gone
  PRIMARY KEY (tenant_id, duty_id)
) STRICT;
CREATE INDEX duties_by_due ON duties (state, due_at);
CREATE INDEX duties_by_alarm ON duties (alarm_due_at) WHERE alarm_due_at IS NOT NULL;
CREATE INDEX duties_by_subject ON duties (tenant_id, subject_id);
CREATE INDEX duties_by_source ON duties (tenant_id, requested_by, requested_at) WHERE requested_by IS NOT NULL;
CREATE INDEX duties_by_burst ON duties (tenant_id, requested_by) WHERE waits_for = 'burst';

CREATE TABLE certificates (
  tenant_id ID NOT NULL,             -- of a closed tenant: kept by the installation (nil tenant)
  certificate_id ID NOT NULL,
  duty_id ID NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('activeData', 'copies')),
  issued_at TIME NOT NULL,
  body TEXT NOT NULL,                -- canonical JSON, exactly what is signed; names no person
  signature BLOB NOT NULL,
  log_event BLOB,                    -- the audit event that holds the body's hash, as it is stored,
  log_proof TEXT,                    -- and the proof of its place in the log (C2SP tlog-proof)
  PRIMARY KEY (tenant_id, certificate_id)
) STRICT;
CREATE INDEX certificates_by_duty ON certificates (tenant_id, duty_id);
CREATE INDEX certificates_unproved ON certificates (issued_at) WHERE log_proof IS NULL;

CREATE TABLE suppressions (
  tenant_id ID NOT NULL,
  reference BLOB NOT NULL,           -- keyed hash of an object id or a certificate
  created_at TIME NOT NULL,
  expires_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, reference)
) STRICT;

CREATE TABLE data_policy_operations (
  tenant_id ID NOT NULL,
  operation_id ID NOT NULL,
  user_id ID NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('notStarted', 'running', 'complete', 'failed')),
  progress INT NOT NULL,
  storage_location TEXT NOT NULL,
  requested_by ID,                   -- whose file it is; NULL: a case's, or a link's of old
  submitted_at TIME NOT NULL,
  completed_at TIME,
  expires_at TIME NOT NULL,          -- the finished file goes with it
  sha256 BLOB,
  size_bytes INT,
  error TEXT,
  PRIMARY KEY (tenant_id, operation_id)
) STRICT;
CREATE INDEX data_policy_operations_by_status ON data_policy_operations (status, submitted_at);
CREATE INDEX data_policy_operations_by_user ON data_policy_operations (tenant_id, user_id);
CREATE INDEX data_policy_operations_by_actor ON data_policy_operations (tenant_id, requested_by) WHERE requested_by IS NOT NULL;
CREATE INDEX data_policy_operations_by_expiry ON data_policy_operations (expires_at);

-- ---------------------------------------------------------------- work

CREATE TABLE leases (                -- who runs which periodic job; the fence grows with every take-over
  name TEXT NOT NULL PRIMARY KEY,
  holder ID NOT NULL,
  fence INT NOT NULL,
  expires_at TIME NOT NULL
) STRICT;

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
DECLARE removed bigint;
BEGIN
  DELETE FROM audit_events e WHERE e.tenant_id = tenant AND e.event_id IN (
    SELECT x.event_id FROM audit_events x WHERE x.tenant_id = tenant AND x.expires_at <= (extract(epoch FROM now()) * 1000000)::bigint LIMIT most);
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
