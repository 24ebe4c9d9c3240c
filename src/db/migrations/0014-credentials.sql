-- How programs sign in beside secrets, and people through programs.

-- The public halves of keys that applications keep for themselves.
CREATE TABLE application_certificates (
  tenant_id ID NOT NULL,
  certificate_id ID NOT NULL,
  application_id ID NOT NULL,
  certificate BLOB NOT NULL,         -- DER
  sha1 BLOB NOT NULL,                -- its thumbprints: how a client says which one it used
  sha256 BLOB NOT NULL,
  subject TEXT NOT NULL,
  display_name TEXT,
  created_at TIME NOT NULL,
  starts_at TIME NOT NULL,
  expires_at TIME NOT NULL,          -- the certificate's end, or an earlier one
  PRIMARY KEY (tenant_id, certificate_id)
) STRICT;
CREATE UNIQUE INDEX application_certificates_by_application ON application_certificates (tenant_id, application_id, sha256);

-- Through whose hands what an application signs in with went: they are no second person to it.
CREATE TABLE application_key_holders (
  tenant_id ID NOT NULL,
  application_id ID NOT NULL,
  user_id ID NOT NULL,
  given_at TIME NOT NULL,            -- the last time
  expires_at TIME,                   -- three days after the longest-lived that they had, also where it was removed before; NULL: of an identity elsewhere
  PRIMARY KEY (tenant_id, application_id, user_id)
) STRICT;
CREATE INDEX application_key_holders_by_user ON application_key_holders (tenant_id, user_id);
CREATE INDEX application_key_holders_by_end ON application_key_holders (expires_at) WHERE expires_at IS NOT NULL;

-- Assertions of clients that were used: none is good twice, also not after a restart.
CREATE TABLE client_assertions (
  tenant_id ID NOT NULL,
  application_id ID NOT NULL,
  assertion_hash BLOB NOT NULL,      -- SHA-256 of its jti
  expires_at TIME NOT NULL,          -- when it is good no more by itself
  PRIMARY KEY (tenant_id, application_id, assertion_hash)
) STRICT;
CREATE INDEX client_assertions_by_end ON client_assertions (expires_at);

-- Programs without a browser that wait for a person to let them in (RFC 8628).
CREATE TABLE device_codes (
  tenant_id ID NOT NULL,
  code_id ID NOT NULL,
  device_hash BLOB NOT NULL,         -- SHA-256 of the long code that the program polls with
  user_hash BLOB NOT NULL,           -- keyed hash of the short one that a person types
  application_id ID NOT NULL,        -- the program
  scope TEXT NOT NULL,
  ip TEXT,                           -- from where it asked
  user_agent TEXT,
  state TEXT NOT NULL CHECK (state IN ('pending', 'allowed', 'denied')),
  session_id ID,                     -- of an allowed one
  secret BLOB,                       -- of that session, sealed, until the program fetches it
  polled_at TIME,
  poll_seconds INT NOT NULL,         -- how long it has to wait between two polls
  created_at TIME NOT NULL,
  expires_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, code_id)
) STRICT;
CREATE UNIQUE INDEX device_codes_by_device ON device_codes (tenant_id, device_hash);
CREATE UNIQUE INDEX device_codes_by_user ON device_codes (tenant_id, user_hash);
CREATE INDEX device_codes_by_end ON device_codes (expires_at);
