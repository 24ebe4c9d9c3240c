-- Handing data over: requests of data subjects and their clocks, what an officer decided to disclose, letters, report files.

-- ---------------------------------------------------------------- requests

CREATE TABLE data_subject_requests (
  tenant_id ID NOT NULL,
  request_id ID NOT NULL,
  request_type TEXT NOT NULL CHECK (request_type IN ('access', 'portability', 'erasure', 'rectification', 'restriction', 'objection')),
  regime TEXT NOT NULL,              -- a row of privacy/request/regimes.def: which clock
  state TEXT NOT NULL CHECK (state IN ('received', 'verified', 'discovered', 'decided', 'delivered', 'closed')),
  channel TEXT NOT NULL CHECK (channel IN ('portal', 'api', 'email', 'letter', 'inPerson')),
  on_behalf BOOL NOT NULL,           -- somebody else asked for the person
  user_id ID,                        -- NULL: not found yet, or erased
  contact BLOB,                      -- sealed: the address outside the organisation that letters go to; gone when the case is closed
  contact_verified_at TIME,          -- a one-time code that was sent there came back
  statement BLOB,                    -- sealed: what the person asked, in their words
  received_at TIME NOT NULL,         -- the clock counts from here
  acknowledge_by TIME,               -- the regime asks for a receipt
  acknowledged_at TIME,
  due_at TIME NOT NULL,              -- with the extension, where there is one
  first_due_at TIME NOT NULL,        -- without
  extended_at TIME,
  extension_reason TEXT,
  alarm INT NOT NULL,                -- the highest that was raised: 0, 50, 80, 100 percent of the time
  alarm_at TIME,                     -- when the next one is due; NULL: the clock stands still, or has run out
  identity_method TEXT CHECK (identity_method IN ('signIn', 'contactCode', 'document', 'knownInPerson', 'callBack', 'other')),
  identity_checked_by ID,
  identity_checked_at TIME,
  discovered_at TIME,
  found JSON,                        -- rows per section at the discovery: counts, no content
  decision TEXT CHECK (decision IN ('grant', 'redacted', 'withheld', 'refused')),
  reason_code TEXT,
  legal_ground TEXT,
  decided_by ID,
  decided_at TIME,
  operation_id ID,                   -- the export that answers it
  duty_id ID,                        -- the deletion that answers it
  delivered_at TIME,
  delivered_sha256 BLOB,             -- of what was handed over
  outcome TEXT,                      -- how it was carried out, where it was no export
  closed_at TIME,
  expires_at TIME,                   -- 24 months after closing
  PRIMARY KEY (tenant_id, request_id)
) STRICT;
CREATE INDEX data_subject_requests_by_user ON data_subject_requests (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX data_subject_requests_by_due ON data_subject_requests (tenant_id, due_at, request_id);
CREATE INDEX data_subject_requests_open ON data_subject_requests (due_at) WHERE state NOT IN ('delivered', 'closed');
CREATE INDEX data_subject_requests_alarms ON data_subject_requests (alarm_at) WHERE alarm_at IS NOT NULL;
CREATE INDEX data_subject_requests_deleting ON data_subject_requests (tenant_id, duty_id) WHERE state = 'decided' AND duty_id IS NOT NULL;
CREATE INDEX data_subject_requests_delivered ON data_subject_requests (delivered_at) WHERE state = 'delivered';
CREATE INDEX data_subject_requests_by_id ON data_subject_requests (request_id);  -- its public page names no tenant
CREATE INDEX data_subject_requests_by_expiry ON data_subject_requests (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE disclosure_decisions (  -- where an officer departs from the map; the last word on a place counts
  tenant_id ID NOT NULL,
  decision_id ID NOT NULL,
  request_id ID NOT NULL,
  user_id ID NOT NULL,
  section TEXT NOT NULL,
  record_key TEXT NOT NULL,          -- of one record (opaque, see privacy/disclosure/disclosure.h); '' for the whole section
  property TEXT NOT NULL,            -- '' for the whole record
  disclosure TEXT NOT NULL CHECK (disclosure IN ('full', 'redacted', 'withheld')),
  reason_code TEXT NOT NULL,         -- a row of privacy/disclosure/reasons.def
  legal_ground TEXT NOT NULL,
  decided_by ID,
  decided_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, decision_id)
) STRICT;
CREATE UNIQUE INDEX disclosure_decisions_by_place ON disclosure_decisions (tenant_id, request_id, section, record_key, property);
CREATE INDEX disclosure_decisions_by_user ON disclosure_decisions (tenant_id, user_id);

CREATE TABLE request_codes (         -- one-time codes; a row goes when it was used, and when it ran out
  tenant_id ID NOT NULL,
  request_id ID NOT NULL,
  code_hash BLOB NOT NULL,           -- HMAC under the keeper's key: eight digits could be guessed from a digest
  attempts INT NOT NULL,
  created_at TIME NOT NULL,
  expires_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, request_id)
) STRICT;
CREATE INDEX request_codes_by_expiry ON request_codes (expires_at);

CREATE TABLE letters (               -- the outbox; what was sent loses its text
  tenant_id ID NOT NULL,
  letter_id ID NOT NULL,
  request_id ID NOT NULL,
  user_id ID,
  template TEXT NOT NULL,            -- a row of privacy/request/letters.def
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
  message BLOB,                      -- sealed: recipient, subject, text
  message_sha256 BLOB NOT NULL,
  attempts INT NOT NULL,
  last_error TEXT,
  created_at TIME NOT NULL,
  next_attempt_at TIME,
  sent_at TIME,
  expires_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, letter_id)
) STRICT;
CREATE INDEX letters_by_state ON letters (state, next_attempt_at);
CREATE INDEX letters_late ON letters (created_at) WHERE state = 'waiting';
CREATE INDEX letters_by_request ON letters (tenant_id, request_id);
CREATE INDEX letters_by_user ON letters (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX letters_by_expiry ON letters (expires_at);

CREATE TABLE letter_templates (      -- where a tenant writes its own words
  tenant_id ID NOT NULL,
  template TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT NOT NULL,
  modified_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, template)
) STRICT;

-- ---------------------------------------------------------------- restriction of processing (Art. 18)

ALTER TABLE users ADD COLUMN restricted_at TIME;
CREATE INDEX users_restricted ON users (tenant_id, user_id) WHERE restricted_at IS NOT NULL;

-- ---------------------------------------------------------------- exports

ALTER TABLE data_policy_operations ADD COLUMN request_id ID;
ALTER TABLE data_policy_operations ADD COLUMN variant TEXT NOT NULL DEFAULT 'redacted';  -- redacted (the default), full, portability
ALTER TABLE data_policy_operations ADD COLUMN form TEXT NOT NULL DEFAULT 'bundle';       -- bundle, page
ALTER TABLE data_policy_operations ADD COLUMN sections JSON;                             -- NULL: all
ALTER TABLE data_policy_operations ADD COLUMN manifest_sha256 BLOB;
ALTER TABLE data_policy_operations ADD COLUMN stored_at TIME;                            -- put at storage_location
CREATE INDEX data_policy_operations_by_id ON data_policy_operations (operation_id); -- of a file whose tenant is not known
CREATE INDEX data_policy_operations_by_request ON data_policy_operations (tenant_id, request_id) WHERE request_id IS NOT NULL;

-- ---------------------------------------------------------------- report files

CREATE TABLE report_jobs (           -- deviceManagement/reports/exportJobs
  tenant_id ID NOT NULL,
  job_id ID NOT NULL,
  report_name TEXT NOT NULL,         -- a row of devices/reports.def; with the id it is Graph's id of the job
  filter TEXT NOT NULL,
  selected JSON,                     -- NULL: the report's default columns
  format TEXT NOT NULL CHECK (format IN ('csv', 'json')),
  localization TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('notStarted', 'inProgress', 'completed', 'failed')),
  requested_by ID,
  scope_groups TEXT,                 -- whose rows whoever asked could see: ids of groups, sorted, with commas; NULL: everybody's
  requested_at TIME NOT NULL,
  completed_at TIME,
  expires_at TIME NOT NULL,
  row_count INT,
  size_bytes INT,
  sha256 BLOB,
  error TEXT,
  PRIMARY KEY (tenant_id, job_id)
) STRICT;
CREATE INDEX report_jobs_by_status ON report_jobs (status, requested_at);
CREATE INDEX report_jobs_by_expiry ON report_jobs (expires_at);
CREATE INDEX report_jobs_by_time ON report_jobs (tenant_id, requested_at, job_id);

-- ---------------------------------------------------------------- every path of the data map has an index

CREATE INDEX device_actions_by_actor ON device_actions (tenant_id, requested_by) WHERE requested_by IS NOT NULL;
CREATE INDEX device_actions_by_time ON device_actions (tenant_id, requested_at, action_id);
CREATE INDEX audit_exports_by_actor ON audit_exports (tenant_id, requested_by) WHERE requested_by IS NOT NULL;
CREATE INDEX report_jobs_by_actor ON report_jobs (tenant_id, requested_by) WHERE requested_by IS NOT NULL;
CREATE INDEX data_subject_requests_by_checker ON data_subject_requests (tenant_id, identity_checked_by) WHERE identity_checked_by IS NOT NULL;
CREATE INDEX data_subject_requests_by_officer ON data_subject_requests (tenant_id, decided_by) WHERE decided_by IS NOT NULL;
CREATE INDEX disclosure_decisions_by_officer ON disclosure_decisions (tenant_id, decided_by) WHERE decided_by IS NOT NULL;
CREATE INDEX detected_apps_by_name ON detected_apps (tenant_id, name, version, device_id);
DROP INDEX provisioned_items_by_item; -- lists of where an item stands are in the order of the devices
CREATE INDEX provisioned_items_by_item ON provisioned_items (tenant_id, item_id, device_id);
