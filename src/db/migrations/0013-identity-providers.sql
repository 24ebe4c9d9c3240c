-- Other houses whose word on who somebody is counts: identity providers, issuers of tokens, and whose account is whose here.

CREATE TABLE identity_providers (
  tenant_id ID NOT NULL,
  provider_id ID NOT NULL,
  display_name TEXT NOT NULL,
  issuer TEXT NOT NULL,              -- never changed: identities are this issuer's
  client_id TEXT NOT NULL,
  client_secret BLOB,                -- sealed by the keeper
  client_authentication TEXT NOT NULL CHECK (client_authentication IN ('client_secret_basic', 'client_secret_post', 'none')),
  scope TEXT NOT NULL,
  domain_hint TEXT,
  role_claim TEXT,                   -- path in the ID token; NULL: it gives no roles
  allowed_tenants JSON,              -- values of tid; NULL: not Microsoft Entra ID
  api_audiences JSON,                -- of access tokens that the API takes; NULL: none
  match_external_id BOOL NOT NULL,   -- the first sign-in binds where the provisioned externalId is oid or sub
  match_upn BOOL NOT NULL,           -- … or where the provider has verified the userPrincipalName
  enabled BOOL NOT NULL,
  created_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, provider_id)
) STRICT;
CREATE UNIQUE INDEX identity_providers_by_issuer ON identity_providers (issuer, tenant_id);

CREATE TABLE identity_provider_roles (
  tenant_id ID NOT NULL,
  mapping_id ID NOT NULL,
  provider_id ID NOT NULL,
  claim_value TEXT NOT NULL,
  role_id ID NOT NULL,
  scope_group_id ID,                 -- for the members of this group; NULL: the whole tenant
  created_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, mapping_id)
) STRICT;
CREATE INDEX identity_provider_roles_by_value ON identity_provider_roles (tenant_id, provider_id, claim_value);

CREATE TABLE user_identities (
  tenant_id ID NOT NULL,
  identity_id ID NOT NULL,
  provider_id ID NOT NULL,
  subject TEXT NOT NULL,             -- sub; "<tid>/<oid>" of Microsoft Entra ID
  user_id ID NOT NULL,
  created_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, identity_id)
) STRICT;
CREATE UNIQUE INDEX user_identities_by_subject ON user_identities (tenant_id, provider_id, subject);
CREATE UNIQUE INDEX user_identities_by_user ON user_identities (tenant_id, user_id, provider_id);
