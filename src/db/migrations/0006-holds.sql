-- Legal holds: what somebody must keep although it should go.

CREATE TABLE legal_holds (
  tenant_id ID NOT NULL,
  hold_id ID NOT NULL,
  display_name TEXT NOT NULL,
  ground TEXT NOT NULL,              -- why: a case number, a law
  owner TEXT NOT NULL,               -- who answers for it
  review_at TIME NOT NULL,           -- when somebody asks whether it is needed still
  review_alarm_at TIME,              -- when it was said that this day has come; NULL: not yet
  created_at TIME NOT NULL,
  created_by ID,
  released_at TIME,
  released_by ID,
  release_reason TEXT,
  ends_at TIME,                      -- the row and its evidence go; NULL: it is open
  PRIMARY KEY (tenant_id, hold_id)
) STRICT;
CREATE INDEX legal_holds_by_creator ON legal_holds (tenant_id, created_by) WHERE created_by IS NOT NULL;
CREATE INDEX legal_holds_by_releaser ON legal_holds (tenant_id, released_by) WHERE released_by IS NOT NULL;
CREATE INDEX legal_holds_by_review ON legal_holds (review_at) WHERE review_alarm_at IS NULL;
CREATE INDEX legal_holds_by_end ON legal_holds (ends_at) WHERE ends_at IS NOT NULL;

CREATE TABLE legal_hold_members (    -- of open holds: a row is a thing that is held now
  tenant_id ID NOT NULL,
  member_id ID NOT NULL,
  hold_id ID NOT NULL,
  user_id ID,                        -- the person, or whose device it is
  device_id ID,                      -- NULL: the person
  sections JSON,                     -- of the data map, where only these of the person's records are held; NULL: all
  added_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, member_id)
) STRICT;
CREATE INDEX legal_hold_members_by_hold ON legal_hold_members (tenant_id, hold_id);
CREATE INDEX legal_hold_members_by_user ON legal_hold_members (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX legal_hold_members_by_device ON legal_hold_members (tenant_id, device_id) WHERE device_id IS NOT NULL;

CREATE TABLE legal_hold_evidence (   -- copies of audit events about what is held, so that they outlast the log's retention
  tenant_id ID NOT NULL,
  evidence_id ID NOT NULL,
  hold_id ID NOT NULL,
  user_id ID,                        -- whom it is about
  event_id ID NOT NULL,
  leaf_index INT,                    -- its place in the log, whose commitment stays; NULL: it had none yet
  event BLOB NOT NULL,               -- sealed: the salt of the commitment (32 bytes) and the event's own bytes
  copied_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, evidence_id)
) STRICT;
CREATE UNIQUE INDEX legal_hold_evidence_by_event ON legal_hold_evidence (tenant_id, hold_id, event_id);
CREATE INDEX legal_hold_evidence_by_user ON legal_hold_evidence (tenant_id, user_id) WHERE user_id IS NOT NULL;
