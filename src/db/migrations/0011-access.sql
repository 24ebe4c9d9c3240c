-- Who may do what: roles of people, groups and applications, and the groups that they are limited to.

CREATE TABLE role_assignments (
  tenant_id ID NOT NULL,
  assignment_id ID NOT NULL,
  role_id ID NOT NULL,
  principal_type TEXT NOT NULL CHECK (principal_type IN ('user', 'group', 'application')),
  principal_id ID NOT NULL,
  user_id ID,                        -- the principal where it is a person: the data map's way to them
  scope_group_id ID,                 -- for the members of this group; NULL: the whole tenant
  provider_id ID,                    -- the identity provider whose claims it follows; NULL: it was made by hand
  created_at TIME NOT NULL,
  CHECK ((principal_type = 'user') = (user_id IS NOT NULL)),
  PRIMARY KEY (tenant_id, assignment_id)
) STRICT;
CREATE INDEX role_assignments_by_principal ON role_assignments (tenant_id, principal_id);
CREATE INDEX role_assignments_by_user ON role_assignments (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX role_assignments_by_role ON role_assignments (tenant_id, role_id);
CREATE INDEX role_assignments_by_scope ON role_assignments (tenant_id, scope_group_id) WHERE scope_group_id IS NOT NULL;

-- What a tenant lets the installation's operator do in it, for a while.
CREATE TABLE operator_access (
  tenant_id ID NOT NULL,
  grant_id ID NOT NULL,
  role_id ID NOT NULL,
  operator_id ID,                    -- an application of the nil tenant; NULL: every one of the installation's operators
  reason TEXT NOT NULL,
  created_at TIME NOT NULL,
  expires_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, grant_id)
) STRICT;
CREATE INDEX operator_access_by_expiry ON operator_access (expires_at);

-- A token that an operator obtained by one.
CREATE TABLE operator_entries (
  tenant_id ID NOT NULL,
  entry_id ID NOT NULL,
  grant_id ID NOT NULL,
  operator_id ID NOT NULL,
  credential_id ID NOT NULL,         -- of the operator, in the nil tenant: when that goes, so does the token
  created_at TIME NOT NULL,
  expires_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, entry_id)
) STRICT;
CREATE INDEX operator_entries_by_expiry ON operator_entries (expires_at);
