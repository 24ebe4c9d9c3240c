/* SPDX-License-Identifier: Apache-2.0
 *
 * A group names only what stands above it, so the items are in an order in which one pass settles them all.  Each name may be a member once,
 * so no witness counts twice.
 */
#include "tlog/policy.h"

#include <string.h>

struct reading {
	struct scope *s;
	struct policy *p;
	unsigned line;
	bool has_quorum;
	bool taken[POLICY_ITEMS_MAX]; /* a member of some group */
};

static enum err bad(struct reading *r, const char *why)
{
	return scope_fail(r->s, ERR_BAD_REQUEST, "the policy's line %u: %s", r->line, why);
}

/* The next word of the line, or NULL. */
static char *word(char **line)
{
	char *w;
	do
		w = strsep(line, " \t");
	while (w != NULL && *w == '\0');
	return w;
}

static bool is_blank(const char *line)
{
	line += strspn(line, " \t");
	return *line == '\0' || *line == '#';
}

/* The witness or group of that name, or -1. */
static int find(const struct policy *p, const char *name)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->item[i].kind != POLICY_LOG && strcmp(p->item[i].name, name) == 0)
			return (int)i;
	return -1;
}

static enum err read_key(struct reading *r, char **line, struct policy_item *item)
{
	const char *vkey = word(line);
	if (vkey == NULL)
		return bad(r, "the verifier key is missing");
	struct scope inner = *r->s;
	inner.detail = NULL;
	if (note_key_parse(&inner, vkey, &item->key) != OK)
		return bad(r, inner.detail);
	if (item->key.type != (item->kind == POLICY_LOG ? NOTE_ED25519 : NOTE_COSIGNATURE))
		return bad(r, item->kind == POLICY_LOG ? "a log's key is of type 0x01" : "a witness's key is of type 0x04");
	for (unsigned i = 0; i < r->p->n; i++)
		if (r->p->item[i].kind == item->kind && memcmp(r->p->item[i].key.public_key, item->key.public_key, ED25519_KEY_BYTES) == 0)
			return bad(r, "the key stands in the policy already");
	item->url = word(line);
	return word(line) == NULL ? OK : bad(r, "there is more than a key and a URL");
}

static enum err read_name(struct reading *r, char **line, struct policy_item *item)
{
	item->name = word(line);
	if (item->name == NULL)
		return bad(r, "the name is missing");
	if (strcmp(item->name, "none") == 0 || find(r->p, item->name) >= 0)
		return bad(r, "the name is taken");
	return OK;
}

static bool read_need(const char *text, unsigned members, unsigned *ret)
{
	*ret = strcmp(text, "any") == 0 ? 1 : strcmp(text, "all") == 0 ? members : 0;
	if (*ret > 0)
		return true;
	if (strlen(text) > 3 || text[0] == '0')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		*ret = *ret * 10 + (unsigned)(*text - '0');
	return *text == '\0' && *ret >= 1 && *ret <= members;
}

static enum err read_group(struct reading *r, char **line, struct policy_item *item)
{
	const char *need, *name;
	TRY(read_name(r, line, item));
	need = word(line);
	while (need != NULL && (name = word(line)) != NULL) {
		int i = find(r->p, name);
		if (i < 0)
			return bad(r, "a member is not defined above");
		if (r->taken[i])
			return bad(r, "a member belongs to a group already");
		r->taken[i] = true;
		item->member[item->members++] = (uint8_t)i;
	}
	if (item->members == 0)
		return bad(r, "the group has no members");
	return read_need(need, item->members, &item->need) ? OK : bad(r, "how many must agree is not \"all\", \"any\" or a number up to that of the members");
}

static enum err read_quorum(struct reading *r, char **line)
{
	const char *name = word(line);
	if (r->has_quorum)
		return bad(r, "there is a quorum above");
	if (name == NULL || word(line) != NULL)
		return bad(r, "a quorum is one name, or none");
	r->has_quorum = true;
	r->p->quorum = strcmp(name, "none") == 0 ? -1 : find(r->p, name);
	return r->p->quorum >= 0 || strcmp(name, "none") == 0 ? OK : bad(r, "the quorum is not defined above");
}

static enum err read_line(struct reading *r, char *line)
{
	const char *kind = word(&line);
	struct policy_item *item = &r->p->item[r->p->n];
	if (strcmp(kind, "quorum") == 0)
		return read_quorum(r, &line);
	if (r->p->n == POLICY_ITEMS_MAX)
		return bad(r, "there are too many logs, witnesses and groups");
	if (strcmp(kind, "log") == 0) {
		item->kind = POLICY_LOG;
		TRY(read_key(r, &line, item));
		item->name = item->key.name;
	} else if (strcmp(kind, "witness") == 0) {
		item->kind = POLICY_WITNESS;
		TRY(read_name(r, &line, item));
		TRY(read_key(r, &line, item));
	} else if (strcmp(kind, "group") == 0) {
		item->kind = POLICY_GROUP;
		TRY(read_group(r, &line, item));
	} else {
		return bad(r, "it is not a log, witness, group or quorum");
	}
	r->p->n++;
	return OK;
}

enum err policy_parse(struct scope *s, const char *text, size_t len, struct policy *ret)
{
	struct reading r = {.s = s, .p = ret, .line = 1};
	memset(ret, 0, sizeof *ret);
	ret->quorum = -1;
	if (len > POLICY_BYTES_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "the policy is larger than 64 KiB");
	for (size_t i = 0; i < len; i++) {
		r.line += text[i] == '\n';
		if (((uint8_t)text[i] < ' ' && text[i] != '\n' && text[i] != '\t') || text[i] == 0x7f)
			return bad(&r, "it holds a control character");
	}
	char *rest = arena_strndup(s->arena, text, len), *line;
	for (r.line = 1; (line = strsep(&rest, "\n")) != NULL; r.line++)
		if (!is_blank(line))
			TRY(read_line(&r, line));
	return r.has_quorum ? OK : scope_fail(s, ERR_BAD_REQUEST, "the policy has no quorum line");
}

bool policy_satisfied(const struct policy *p, const bool *signed_)
{
	bool good[POLICY_ITEMS_MAX];
	for (unsigned i = 0; i < p->n; i++) {
		const struct policy_item *item = &p->item[i];
		unsigned agree = 0;
		for (unsigned k = 0; k < item->members; k++)
			agree += good[item->member[k]];
		good[i] = item->kind == POLICY_GROUP ? agree >= item->need : item->kind == POLICY_WITNESS && signed_[i];
	}
	return p->quorum < 0 || good[p->quorum];
}
