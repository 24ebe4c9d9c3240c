/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/termsAndConditions. */
#include "api/api.h"
#include "devices/terms.h"
#include "resource/tables.h"

enum err terms_list_all(struct call *c);
enum err terms_create_one(struct call *c);
enum err terms_get_one(struct call *c);
enum err terms_patch_one(struct call *c);
enum err terms_delete_one(struct call *c);
enum err terms_acceptances(struct call *c);

static enum err terms_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "terms", "terms and conditions", ret));
	c->s.subject = *ret;
	return OK;
}

enum err terms_list_all(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_TERMS, &q));
	return call_list(c, &q);
}

enum err terms_create_one(struct call *c)
{
	struct record *r;
	struct id terms;
	json_t *body;
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_TERMS, body, RECORD_CREATE, c->version, NULL, &r));
	TRY(terms_create(&c->s, r, &terms));
	return call_created(c, &RES_TERMS, terms);
}

enum err terms_get_one(struct call *c)
{
	struct resource_query q;
	struct id terms;
	TRY(terms_param(c, &terms));
	TRY(call_query(c, &RES_TERMS, &q));
	return call_get(c, &q, terms);
}

enum err terms_patch_one(struct call *c)
{
	struct resource_query q;
	struct record *r;
	struct id terms;
	json_t *body;
	TRY(terms_param(c, &terms));
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_TERMS, body, RECORD_PATCH, c->version, NULL, &r));
	TRY(terms_patch(&c->s, terms, r));
	TRY(call_query(c, &RES_TERMS, &q));
	return call_get(c, &q, terms);
}

enum err terms_delete_one(struct call *c)
{
	struct id terms;
	TRY(terms_param(c, &terms));
	TRY(terms_delete(&c->s, terms));
	return call_status(c, 204);
}

enum err terms_acceptances(struct call *c)
{
	struct resource_query q;
	struct id terms;
	TRY(terms_param(c, &terms));
	TRY(terms_exist(&c->s, terms));
	TRY(call_query(c, &RES_TERMS_ACCEPTANCE, &q));
	struct db_value args[] = {db_v_id(&terms)};
	q.extra_where = "t.terms_id = ?2";
	q.args = args;
	q.arg_count = 1;
	return call_list(c, &q);
}
