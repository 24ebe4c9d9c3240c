/* SPDX-License-Identifier: Apache-2.0
 * Cases and decisions on disclosure, for the tests of what a person gets to see. */
#ifndef REEVE_TESTS_PRIVACY_CASES_H
#define REEVE_TESTS_PRIVACY_CASES_H

#include "fixture.h"

#include "privacy/disclosure/disclosure.h"

static inline struct id open_case(const struct person *p, const char *type)
{
	struct insertion in = {.sql = "INSERT INTO data_subject_requests (tenant_id, request_id, request_type, regime, state, channel, on_behalf, user_id, "
				      "received_at, due_at, first_due_at, alarm) VALUES (?1, ?2, ?3, 'gdpr', 'verified', 'api', ?4, ?5, ?6, ?7, ?7, ?4)"};
	struct id *request = arena_alloc(F.d.arena, sizeof *request);
	struct scope s = scope_of(p->tenant);
	*request = id_new(F.now);
	struct db_value v[] = {db_v_id(request), db_v_text(type), db_v_int(0), db_v_id(&p->user), db_v_int(F.now), db_v_int(F.now + DAY_US)};
	memcpy(in.v, v, sizeof v);
	in.n = sizeof v / sizeof v[0];
	ok_in(&s, db_write(&s, insert_tx, &in));
	return *request;
}

static inline void set_state(struct id tenant, struct id request, const char *state)
{
	run_sql(tenant, arena_printf(F.d.arena, "UPDATE data_subject_requests SET state = '%s' WHERE tenant_id = ?1 AND request_id = ?2", state),
		db_v_id(&request));
}

struct loading {
	struct id person, request;
	bool full;
	struct disclosure *d;
};

static inline enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct loading *l = arg;
	return disclosure_load(tx, l->person, l->request, l->full, &l->d);
}

static inline struct disclosure *load(const struct person *p, struct id request, bool full)
{
	struct scope s = scope_of(p->tenant);
	struct loading l = {p->user, request, full, NULL};
	ok_in(&s, db_read(&s, load_tx, &l));
	return l.d;
}

static const struct id none;

static inline enum err decide(const struct person *p, struct id request, struct disclosure_decision d)
{
	struct scope s = scope_of(p->tenant);
	struct id decision;
	return disclosure_decide(&s, request, &d, &decision);
}

static inline int64_t events_of(const char *type)
{
	return ask(F.tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2", db_v_text(type)).ret;
}

#endif
