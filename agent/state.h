/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent's state directory (0700; files 0600, each written atomically and on disk before the call returns):
 *
 *   device.json         who this device is to which server; its presence means "enrolled"
 *   key.pem cert.pem    the device's key, which never leaves this directory, and its certificate
 *   ca.pem              what the agent trusts
 *   next-key.pem next-cert.pem   a renewal under way (see state_credentials())
 *   sync.json           what the last check-in said
 *   action.json         a retire or wipe under way (action.h)
 *   items/<id>.json     what was provisioned (journal.h), items/<id>.<n>.backup what it replaced
 */
#ifndef REEVE_AGENT_STATE_H
#define REEVE_AGENT_STATE_H

#include "agent.h"
#include "base/buf.h"
#include "codec/json.h"
#include "collect.h"

struct device {
	const char *id, *url, *ownership, *device_name; /* device_name: NULL unless given at enrolment */
	bool company;
	bool provisioning; /* false: --inventory-only */
	const char **made; /* directories that enrolment made for the state, relative to the root, outermost first;
			      NULL-terminated */
};

struct last_sync {
	int64_t sync_seconds;
	int64_t at;           /* of the last check-in that was answered; 0: none yet */
	int64_t inventory_at; /* when the inventory was last sent */
	char inventory_hash[65];
	struct collect collect;
};

/* Opens the state directory of an enrolled device and takes its lock (waits up to a minute).  ERR_STATE where it is not
 * enrolled, ERR_BUSY where another run holds the lock. */
MUST_CHECK enum err state_open(struct agent *a);
/* For status: no lock, ERR_STATE where there is none. */
MUST_CHECK enum err state_peek(struct agent *a);
/* Makes what is missing of the state directory and locks it; *ret_made as in struct device. */
MUST_CHECK enum err state_create(struct agent *a, const char ***ret_made);
void state_close(struct agent *a);
/* Removes everything in the state directory except `keep` (may be NULL). */
MUST_CHECK enum err state_empty(struct agent *a, const char *keep);

MUST_CHECK enum err state_write(struct agent *a, const char *name, const void *bytes, size_t n);
MUST_CHECK enum err state_write_json(struct agent *a, const char *name, const struct buf *body);
MUST_CHECK enum err state_read_json(struct agent *a, const char *name, json_t **ret); /* ERR_NOT_FOUND */
char *state_text(struct agent *a, const char *name);                                  /* NULL where there is none */
MUST_CHECK enum err state_unlink(struct agent *a, const char *name);
char *state_file(struct agent *a, const char *name); /* its absolute path, for libraries that want one */

MUST_CHECK enum err device_load(struct agent *a, struct device *ret);
MUST_CHECK enum err device_save(struct agent *a, const struct device *d);
void last_sync_load(struct agent *a, struct last_sync *ret); /* defaults where there is none */
MUST_CHECK enum err last_sync_save(struct agent *a, const struct last_sync *l);

/* Brings key.pem and cert.pem to one pair after a crash in the middle of a renewal. */
MUST_CHECK enum err state_credentials(struct agent *a);

#endif
