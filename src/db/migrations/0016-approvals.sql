-- Approval by a second person: what needs one, and the requests.

CREATE TABLE operation_approval_policies (
  tenant_id ID NOT NULL,
  policy_id ID NOT NULL,
  display_name TEXT NOT NULL,
  description TEXT,
  policy_type TEXT NOT NULL,         -- a profile of directory/approval/profiles.def
  approver_group_ids JSON NOT NULL,  -- whose members approve; []: anybody else who holds the permission
  excluded_application_ids JSON NOT NULL,
  modified_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, policy_id)
) STRICT;
CREATE UNIQUE INDEX operation_approval_policies_by_type ON operation_approval_policies (tenant_id, policy_type);

CREATE TABLE operation_approval_requests (
  tenant_id ID NOT NULL,
  request_id ID NOT NULL,            -- the code with which the approved call is sent again
  policy_types TEXT NOT NULL,        -- space-separated: whose approval it needs
  state TEXT NOT NULL CHECK (state IN ('needsApproval', 'approved', 'completed', 'rejected', 'cancelled', 'expired')),
  operation TEXT NOT NULL,           -- activity type: 'wipe ManagedDevice'
  route TEXT NOT NULL,               -- method and path of the route's row
  permission TEXT NOT NULL,          -- what the route asks of who approves, where no groups are named
  requester_type TEXT NOT NULL CHECK (requester_type IN ('user', 'application', 'operator')),
  requested_by ID,
  request_justification BLOB NOT NULL, -- sealed
  requested_at TIME NOT NULL,
  decide_until TIME NOT NULL,        -- three days: then it is expired
  approver_type TEXT CHECK (approver_type IN ('user', 'application', 'operator')),
  decided_by ID,                     -- who approved, rejected or took the approval back
  approval_justification BLOB,       -- sealed
  modified_at TIME NOT NULL,
  user_id ID,                        -- the person whom it concerns
  object_key BLOB,                   -- of the object, or of the call where it has none: one open request each; NULL once it is closed
  call_hash BLOB,                    -- SHA-256 of method, target and body; NULL once it is closed
  sealed_call BLOB,                  -- the call itself, sealed; NULL once it is closed
  attempt ID,                        -- the execution that it was completed by
  expires_at TIME NOT NULL,          -- the row goes: 30 days after it was closed
  PRIMARY KEY (tenant_id, request_id)
) STRICT;
CREATE UNIQUE INDEX operation_approval_requests_open ON operation_approval_requests (tenant_id, object_key) WHERE object_key IS NOT NULL;
CREATE INDEX operation_approval_requests_due ON operation_approval_requests (decide_until) WHERE object_key IS NOT NULL;
CREATE INDEX operation_approval_requests_by_state ON operation_approval_requests (tenant_id, state, request_id);
CREATE INDEX operation_approval_requests_by_requester ON operation_approval_requests (tenant_id, requested_by) WHERE requested_by IS NOT NULL;
CREATE INDEX operation_approval_requests_by_approver ON operation_approval_requests (tenant_id, decided_by) WHERE decided_by IS NOT NULL;
CREATE INDEX operation_approval_requests_by_user ON operation_approval_requests (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX operation_approval_requests_by_expiry ON operation_approval_requests (expires_at);

-- Closing needs a second person from a tenant's birth, and in those that are older than this, too.
INSERT INTO operation_approval_policies (tenant_id, policy_id, display_name, policy_type, approver_group_ids, excluded_application_ids, modified_at)
  SELECT tenant_id, tenant_id, 'Closing the tenant', 'tenantClosing', '[]', '[]', created_at FROM tenants
  WHERE tenant_id IN (SELECT tenant_id FROM subscriptions);
