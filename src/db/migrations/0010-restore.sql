-- After a restore: how far this database has followed the keeper's erasure ledger, and the signed reports of replays.

CREATE TABLE ledger_positions (      -- a row for each copy of the keeper that serves this database
  tenant_id ID NOT NULL,             -- the installation's (nil)
  place BLOB NOT NULL,               -- which copy (keeper_place)
  keeper BLOB NOT NULL,              -- SHA-256 of its public key
  sequence INT NOT NULL,             -- every entry up to here was carried out in this database
  hash BLOB NOT NULL,                -- of that entry's line
  updated_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, place)
) STRICT;

CREATE TABLE restore_reports (
  tenant_id ID NOT NULL,             -- the installation's (nil)
  report_id ID NOT NULL,
  issued_at TIME NOT NULL,
  followed_sequence INT NOT NULL,    -- where the database stood
  head_sequence INT NOT NULL,        -- where the ledger did
  erased INT NOT NULL,               -- entries whose subject had come back, and went again
  body TEXT NOT NULL,                -- canonical JSON, exactly what is signed; names no person
  signature BLOB NOT NULL,
  announced_at TIME,                 -- when its file was written and the tenants' events were
  PRIMARY KEY (tenant_id, report_id)
) STRICT;
CREATE INDEX restore_reports_unannounced ON restore_reports (tenant_id) WHERE announced_at IS NULL;
