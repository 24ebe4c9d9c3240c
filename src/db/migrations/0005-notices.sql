-- Telling others: recipients, and what is on its way to them.

CREATE TABLE recipients (            -- who is told of erasures (GDPR Art. 19) and of alarms
  tenant_id ID NOT NULL,             -- nil: of the installation
  recipient_id ID NOT NULL,
  display_name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('webhook', 'mail')),
  target TEXT NOT NULL,              -- https URL, or mail address
  receives_erasures BOOL NOT NULL,
  receives_alarms BOOL NOT NULL,
  secret BLOB,                       -- of the webhook's HMAC, sealed by the keeper
  ca_pem TEXT,                       -- whom a webhook is checked against; NULL: the system's authorities
  enabled BOOL NOT NULL,
  created_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, recipient_id)
) STRICT;

CREATE TABLE notices (               -- the outbox; what has ended loses its text and stays as evidence
  tenant_id ID NOT NULL,
  notice_id ID NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('erasure', 'alarm', 'person')),
  recipient_id ID,                   -- of recipients or audit_sinks, which may be gone by now; NULL: a person's own mailbox
  recipient_kind TEXT NOT NULL CHECK (recipient_kind IN ('webhook', 'mail', 'auditSink')),
  recipient_name TEXT,               -- as it was called then
  what TEXT NOT NULL,                -- which erasure trigger, alarm or letter: a word for programs
  about_id ID,                       -- the duty, or what an alarm is about
  user_id ID,                        -- whom it names or is sent to
  event_id ID,                       -- of an audit sink: the event that tells it
  message BLOB,                      -- sealed; NULL once it has ended
  state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
  attempts INT NOT NULL,
  last_error TEXT,
  created_at TIME NOT NULL,
  next_attempt_at TIME,              -- NULL once it has ended
  ended_at TIME,
  expires_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, notice_id)
) STRICT;
CREATE INDEX notices_by_state ON notices (state, next_attempt_at);
CREATE INDEX notices_by_about ON notices (tenant_id, about_id) WHERE about_id IS NOT NULL;
CREATE INDEX notices_by_recipient ON notices (tenant_id, recipient_id, created_at, notice_id);
CREATE INDEX notices_by_user ON notices (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX notices_by_expiry ON notices (expires_at);
