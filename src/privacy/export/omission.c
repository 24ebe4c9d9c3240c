/* SPDX-License-Identifier: Apache-2.0
 *
 * What is not given as it is: each thing in a list of its own file, and their counts by place and reason for the manifest.  What would tip off
 * (quiet) stands in neither.
 */
#include <string.h>

#include "privacy/export/internal.h"
#include "privacy/disclosure/reason.h"

/* Reasons that are nobody's decision about a value. */
static const struct {
	const char *code, *text;
} OWN[] = {
	{"not_asked", "it was not asked for"},
	{"not_portable", "it was neither provided by the person nor observed about them, so it is not part of a copy to take along (GDPR Art. 20)"},
};

const char *omission_text(const char *reason)
{
	for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++)
		if (strcmp(OWN[i].code, reason) == 0)
			return OWN[i].text;
	return reason_text(reason);
}

const char *left_out_reason(const struct section *sec)
{
	switch (sec->left_out) {
	case NOT_LEFT_OUT: break;
	case LEFT_WITHHELD: return sec->why.reason;
	case LEFT_NOT_ASKED: return "not_asked";
	case LEFT_NOT_PORTABLE: return "not_portable";
	}
	return NULL;
}

static bool same(const char *a, const char *b) { return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0); }

/* Grounds are free text: past so many places only the lists name them. */
enum { PLACES_WITH_GROUND = 4096 };

static struct omission *place(struct bundle *b, const struct section *sec, const char *property, const struct disclosed *what)
{
	const char *ground = b->omissions < PLACES_WITH_GROUND ? what->ground : NULL;
	for (size_t i = b->omissions; i > 0; i--) { /* the newest is most often the one */
		struct omission *o = &b->omission[i - 1];
		if (o->section == sec && o->verdict == what->verdict && same(o->property, property) && same(o->reason, what->reason) &&
		    same(o->ground, ground))
			return o;
	}
	if (b->omissions == b->omissions_room) {
		b->omissions_room = b->omissions_room == 0 ? 64 : 2 * b->omissions_room;
		struct omission *more = arena_alloc(b->kept, b->omissions_room * sizeof *more);
		if (b->omissions > 0)
			memcpy(more, b->omission, b->omissions * sizeof *more);
		b->omission = more;
	}
	struct omission *o = &b->omission[b->omissions++];
	*o = (struct omission){.section = sec,
			       .property = arena_strdup(b->kept, property),
			       .verdict = what->verdict,
			       .reason = what->reason,
			       .ground = ground,
			       .by_officer = what->by_officer};
	return o;
}

static void list(struct spool_text *to, bool any, const struct section *sec, const char *record, const char *property,
		 const struct disclosed *what, int64_t count)
{
	struct json_writer w;
	buf_adds(&to->buf, any ? ",\n" : "\n");
	jw_init(&w, &to->buf);
	jw_object(&w);
	jw_kstring(&w, "section", sec->name);
	jw_kstring(&w, "record", record);
	jw_kstring(&w, "property", property);
	jw_kstring(&w, "rule", what->by_officer ? "decision of the organisation" : "data map");
	jw_kstring(&w, "reason", what->reason);
	jw_kstring(&w, "text", omission_text(what->reason));
	jw_kstring(&w, "ground", what->ground);
	jw_kint(&w, "count", count);
	jw_end_object(&w);
}

void omission_add(struct bundle *b, struct section *sec, const char *record, const char *property, const struct disclosed *what, int64_t count)
{
	bool redacted = what->verdict == REDACT;
	if (what->quiet)
		return;
	place(b, sec, property, what)->count += count;
	*(redacted ? &sec->redacted : &sec->withheld) += count;
	if (redacted)
		list(&b->redactions, b->values_redacted++ > 0, sec, record, property, what, count);
	else
		list(&b->withheld, b->withheld_items++ > 0, sec, record, property, what, count);
}

void omission_of_column(struct bundle *b, struct section *sec, const struct map_column *c, const char *reason)
{
	struct disclosed what = {.verdict = WITHHOLD, .reason = reason};
	const char *name = property_name(b->s->arena, c->name);
	place(b, sec, name, &what)->count = sec->rows;
	if (strcmp(reason, "security_secret") == 0) /* what says nothing about the person is not withheld from them */
		list(&b->withheld, b->withheld_items++ > 0, sec, NULL, name, &what, sec->rows);
}
