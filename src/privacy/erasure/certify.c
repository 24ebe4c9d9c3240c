/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a duty: its needles are destroyed and its certificate is signed.
 */
#include <stdlib.h>

#include "keeper/keeper.h"
#include "privacy/erasure/internal.h"

static enum err issue_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	struct id certificate;
	check(id_parse(json_string_value(json_object_get(j->progress, "certificateId")), &certificate));
	return certificate_issue(tx, j, certificate);
}

static enum err certified_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	struct id certificate;
	check(id_parse(json_string_value(json_object_get(j->progress, "certificateId")), &certificate));
	if (!tenant_goes_whole(j))
		TRY(issue_tx(s, tx, j));
	TRY(duty_move(tx, j->d.duty, DUTY_deleted, DUTY_scrubbed, NULL));
	char *text = json_dumps(j->progress, JSON_COMPACT);
	enum err e = duty_finish(tx, j->d.duty, arena_strdup(s->arena, text), certificate, j->d.subject);
	free(text);
	return e;
}

/* A tenant that goes whole leaves its certificate with the installation: another tenant, so a transaction of its own,
 * before the state moves (issuing twice is no harm). */
static enum err issue_at_installation(struct erase_job *j)
{
	struct scope installation;
	static const struct id nil;
	scope_tenant(&installation, j->s.arena, j->s.db, j->s.keeper, nil);
	return db_write_low(&installation, issue_tx, j);
}

enum err step_certify(struct erase_job *j)
{
	TRY(keeper_needles_drop(j->s.keeper, &j->s, j->d.duty));
	if (tenant_goes_whole(j))
		TRY(issue_at_installation(j));
	return db_write_low(&j->s, certified_tx, j);
}
