/* SPDX-License-Identifier: Apache-2.0
 *
 * Readings and sign-ins of programs are recorded once a day, what strangers cause once a minute.  Of readings the database decides whether
 * today's was; the process remembers the answer under a hash of tenant, activity, actor, object and time, in a table of fixed size where a newer
 * answer takes the place of an older one.
 */
#include <stdatomic.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/audit_read.h"
#include "base/clock.h"
#include "crypto/digest.h"

DB_TENANT(audit_read_today,
	  "SELECT 1 FROM audit_events WHERE tenant_id = ?1 AND actor_id = ?2 AND at >= ?3 AND activity_type = ?4 LIMIT 1");
DB_TENANT(audit_view_today,
	  "SELECT 1 FROM audit_events WHERE tenant_id = ?1 AND subject_id = ?5 AND at >= ?3 AND actor_id = ?2 AND activity_type = ?4 "
	  "AND result = 'Success' LIMIT 1"); /* a refused attempt is no reading */

enum { REMEMBERED = 8192 }; /* 64 KiB */

static _Atomic uint64_t remembered[REMEMBERED];

struct reading {
	enum activity activity;
	struct id person; /* nil: of the log */
	const char *resource_type;
	struct id resource; /* that the event names */
	bool already;
};

static uint64_t name_of(const struct scope *s, enum activity activity, struct id object, int64_t period)
{
	uint8_t hash[SHA256_BYTES];
	int64_t when[] = {period, s->now / period};
	uint64_t name;
	struct digest_part parts[] = {{&s->tenant, sizeof s->tenant}, {&activity, sizeof activity}, {&s->actor.id, sizeof s->actor.id},
				      {&object, sizeof object}, {when, sizeof when}};
	sha256_parts(parts, sizeof parts / sizeof parts[0], hash);
	memcpy(&name, hash, sizeof name);
	return name;
}

static enum err look(struct scope *s, struct db_tx *tx, void *arg)
{
	struct reading *r = arg;
	struct db_value args[] = {db_v_id(&s->actor.id), db_v_int(s->now - s->now % DAY_US), db_v_text(activity_info(r->activity)->type),
				  db_v_id(&r->person)};
	auto_rows struct db_rows *rows = NULL;
	if (id_is_nil(r->person))
		TRY(db_query(tx, &audit_read_today, args, 3, &rows));
	else
		TRY(db_query(tx, &audit_view_today, args, 4, &rows));
	r->already = db_next(rows);
	return db_rows_err(rows);
}

static enum err record(struct scope *s, struct db_tx *tx, void *arg)
{
	struct reading *r = arg;
	TRY(look(s, tx, r)); /* again: another request may have been first */
	if (r->already)
		return OK;
	return audit_record(tx, &(struct audit_event){.activity = r->activity, .resource_type = r->resource_type, .resource = r->resource,
						      .subject = r->person});
}

static enum err once_a_day(struct scope *s, struct reading *r)
{
	uint64_t name = name_of(s, r->activity, r->person, DAY_US);
	_Atomic uint64_t *place = &remembered[name % REMEMBERED];
	if (atomic_load(place) == name)
		return OK;
	TRY(db_read(s, look, r));
	if (!r->already)
		TRY(db_write(s, record, r));
	atomic_store(place, name);
	return OK;
}

static enum err record_sign_in(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct id *credential = arg, nobody = {0};
	bool person = s->actor.type == ACTOR_USER;
	char text[ID_TEXT];
	struct audit_change *change = NULL;
	audit_change_add(s->arena, &change, "credential", NULL, NULL, NULL, id_format(*credential, text));
	return audit_record(tx, &(struct audit_event){.activity = person ? ACT_SIGN_IN : ACT_APPLICATION_SIGN_IN,
						      .resource_type = person ? "User" : "Application", .resource = s->actor.id,
						      .resource_name = s->actor.name, .subject = person ? s->actor.id : nobody, .changes = change});
}

enum err audit_record_sign_in(struct scope *s, struct id credential)
{
	uint64_t name = name_of(s, ACT_SIGN_IN, credential, DAY_US);
	_Atomic uint64_t *place = &remembered[name % REMEMBERED];
	if (atomic_load(place) == name)
		return OK;
	TRY(db_write(s, record_sign_in, &credential));
	atomic_store(place, name);
	return OK;
}

bool audit_first_in_minute(const struct scope *s, enum activity activity, struct id object)
{
	uint64_t name = name_of(s, activity, object, MINUTE_US);
	return atomic_exchange(&remembered[name % REMEMBERED], name) != name;
}

enum err audit_record_read(struct scope *s)
{
	return once_a_day(s, &(struct reading){.activity = ACT_AUDIT_READ, .resource_type = "AuditLog", .resource = s->actor.id});
}

enum err audit_record_view(struct scope *s, struct id person)
{
	return once_a_day(s, &(struct reading){.activity = ACT_USER_READ, .person = person, .resource_type = "User", .resource = person});
}

enum err audit_record_preview(struct scope *s, struct id person, struct id request)
{
	return once_a_day(s, &(struct reading){.activity = ACT_DISCLOSURE_PREVIEW, .person = person, .resource_type = "DataSubjectRequest",
					       .resource = request});
}
