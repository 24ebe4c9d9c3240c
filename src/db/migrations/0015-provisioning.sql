-- Directories that another one provisions (SCIM): clients, their tokens, what they say of people and groups.

CREATE TABLE provisioning_tokens (
  tenant_id ID NOT NULL,
  token_id ID NOT NULL,
  application_id ID NOT NULL,
  token_hash BLOB NOT NULL,          -- SHA-256 of a prefix and 32 random bytes in text form
  hint TEXT NOT NULL,                -- the prefix and the next four characters
  display_name TEXT,
  created_at TIME NOT NULL,
  expires_at TIME NOT NULL,
  last_used_at TIME,                 -- to the minute
  PRIMARY KEY (tenant_id, token_id)
) STRICT;
CREATE UNIQUE INDEX provisioning_tokens_by_hash ON provisioning_tokens (token_hash);
CREATE INDEX provisioning_tokens_by_application ON provisioning_tokens (tenant_id, application_id);

-- What a person has several of, in the other directory's order.  An entry with a source stands for a column of users, which holds its value:
-- there it is told once, whoever changes it.
CREATE TABLE user_contacts (
  tenant_id ID NOT NULL,
  user_id ID NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('email', 'phone', 'address')),
  position INT NOT NULL,             -- from 0
  source TEXT CHECK (source IN ('mail', 'mobile', 'business', 'address')),
  type TEXT,
  is_primary BOOL,                   -- NULL: nothing was said
  display TEXT,
  email TEXT,
  phone TEXT,
  formatted TEXT,
  street_address TEXT,
  locality TEXT,
  region TEXT,
  postal_code TEXT,
  country TEXT,
  PRIMARY KEY (tenant_id, user_id, kind, position)
) STRICT;
CREATE INDEX user_contacts_by_email ON user_contacts (tenant_id, lower(email)) WHERE email IS NOT NULL;
