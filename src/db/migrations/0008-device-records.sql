-- Cleanup rules, assets, changes of ownership.

CREATE TABLE device_cleanup_rules (  -- devices that are silent for so long are hidden, and nothing more
  tenant_id ID NOT NULL,
  rule_id ID NOT NULL,
  display_name TEXT NOT NULL,
  description TEXT,
  platform_type TEXT NOT NULL,       -- devices/cleanup_platforms.def
  inactivity_days INT NOT NULL CHECK (inactivity_days BETWEEN 30 AND 270),
  modified_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, rule_id)
) STRICT;
CREATE UNIQUE INDEX device_cleanup_rules_by_platform ON device_cleanup_rules (tenant_id, platform_type);

CREATE TABLE device_assets (         -- what is left of a company device that was wiped: a thing, nobody's
  tenant_id ID NOT NULL,
  asset_id ID NOT NULL,
  manufacturer TEXT,
  model TEXT,
  serial_number TEXT,
  asset_note TEXT,
  recorded_at TIME NOT NULL,         -- when the device's record went
  wiped_at TIME,                     -- by the device's word; NULL: it never confirmed
  PRIMARY KEY (tenant_id, asset_id)
) STRICT;
CREATE INDEX device_assets_by_serial ON device_assets (tenant_id, serial_number);

CREATE TABLE ownership_changes (
  tenant_id ID NOT NULL,
  change_id ID NOT NULL,
  device_id ID NOT NULL,
  from_owner TEXT NOT NULL CHECK (from_owner IN ('personal', 'company')),
  to_owner TEXT NOT NULL CHECK (to_owner IN ('personal', 'company')),
  state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'refused', 'expired', 'done')),
  ground TEXT CHECK (ground IN ('consent', 'secondPerson')),
  evidence TEXT,                     -- of a consent that was not given on the device
  requested_by ID,
  requested_at TIME NOT NULL,
  expires_at TIME NOT NULL,          -- of a pending one
  decided_by ID,
  decided_at TIME,
  PRIMARY KEY (tenant_id, change_id)
) STRICT;
CREATE INDEX ownership_changes_by_device ON ownership_changes (tenant_id, device_id);
CREATE UNIQUE INDEX ownership_changes_pending ON ownership_changes (tenant_id, device_id) WHERE state = 'pending';
CREATE INDEX ownership_changes_by_state ON ownership_changes (state, expires_at);
CREATE INDEX ownership_changes_by_requester ON ownership_changes (tenant_id, requested_by);
CREATE INDEX ownership_changes_by_decider ON ownership_changes (tenant_id, decided_by);
