-- What is asked of devices.

CREATE TABLE action_requests (       -- each retire, wipe and delete that somebody asked for: for daily limits and alarms; longer than the device's rows, and not long
  tenant_id ID NOT NULL,
  request_id ID NOT NULL,
  asked_as TEXT NOT NULL CHECK (asked_as IN ('retire', 'wipe', 'delete')),
  requested_by ID,
  requested_at TIME NOT NULL,
  alarmed BOOL NOT NULL,             -- this one raised the alarm of a burst
  expires_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, request_id)
) STRICT;
CREATE INDEX action_requests_by_kind ON action_requests (tenant_id, asked_as, requested_at);
CREATE INDEX action_requests_by_actor ON action_requests (tenant_id, requested_by, requested_at);
CREATE INDEX action_requests_alarmed ON action_requests (requested_at) WHERE alarmed = 1;
CREATE INDEX action_requests_by_expiry ON action_requests (expires_at);

CREATE INDEX device_actions_waiting ON device_actions (requested_at, action_id) WHERE state IN ('pending', 'issued', 'notNow');

-- A device that says 'done' and comes back with its old credential: when it was first seen.  Once its rows are gone, the keyed hash of its
-- certificate is what knows it.
ALTER TABLE device_certificates ADD COLUMN returned_at TIME;
ALTER TABLE suppressions ADD COLUMN returned_at TIME;
