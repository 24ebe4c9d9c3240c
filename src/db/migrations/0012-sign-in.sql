-- People who sign in: local accounts, sessions, one-time codes of devices without a browser.

CREATE TABLE local_accounts (
  tenant_id ID NOT NULL,
  user_id ID NOT NULL,
  password TEXT NOT NULL,            -- argon2id in PHC form, salt included
  password_at TIME NOT NULL,
  must_change BOOL NOT NULL,         -- somebody else chose the password
  failures INT NOT NULL,             -- since the last success
  failed_at TIME,
  locked_until TIME,                 -- no attempt is looked at before
  totp_secret BLOB,                  -- sealed; NULL: no second factor
  totp_at TIME,                      -- when it was set, or taken away
  totp_step INT NOT NULL,            -- the newest step whose code was used: none is good twice
  created_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, user_id)
) STRICT;

CREATE TABLE sessions (
  tenant_id ID NOT NULL,
  session_id ID NOT NULL,
  user_id ID NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('browser', 'commandLine')),
  secret_hash BLOB NOT NULL,         -- SHA-256 of 32 random bytes in text form
  family_hash BLOB,                  -- of what all secrets of a session of the command line begin with: who shows an old one has stolen it, or was stolen from
  method TEXT NOT NULL,
  provider_id ID,                    -- of identity_providers; NULL: a local account
  provider_session TEXT,             -- what the provider calls it
  application_id ID,                 -- the program that acts for the person; NULL: a browser
  ip TEXT,
  user_agent TEXT,
  created_at TIME NOT NULL,
  auth_at TIME NOT NULL,             -- when the person last proved who they are
  last_used_at TIME NOT NULL,
  expires_at TIME NOT NULL,          -- when it ends unless it is used; never later than ends_at
  ends_at TIME NOT NULL,             -- in any case
  PRIMARY KEY (tenant_id, session_id)
) STRICT;
CREATE UNIQUE INDEX sessions_by_secret ON sessions (tenant_id, secret_hash);
CREATE UNIQUE INDEX sessions_by_family ON sessions (tenant_id, family_hash) WHERE family_hash IS NOT NULL;
CREATE INDEX sessions_by_user ON sessions (tenant_id, user_id, created_at);
CREATE INDEX sessions_by_provider ON sessions (tenant_id, provider_id, provider_session) WHERE provider_id IS NOT NULL;
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Since when the log has its origin, where that is not its first: sessions that a restored database brings back are older.
ALTER TABLE audit_heads ADD COLUMN restarted_at TIME;
