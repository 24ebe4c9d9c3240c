/* SPDX-License-Identifier: Apache-2.0
 * Any filter and any path of SCIM is refused with a reason, or becomes a bounded tree in which each node has exactly what its kind needs; and a
 * tree that fits the schemas can be asked of a document. */
#include "fuzz.h"

#include "codec/json.h"
#include "directory/provisioning/document.h"

static unsigned nodes(const struct scim_filter *f, bool inside)
{
	check(f != NULL);
	switch (f->op) {
	case SCIM_AND:
	case SCIM_OR: return 1 + nodes(f->left, inside) + nodes(f->right, inside);
	case SCIM_NOT: check(f->right == NULL); return 1 + nodes(f->left, inside);
	case SCIM_HAS: check(!inside && f->path.sub == NULL && f->right == NULL); return 1 + nodes(f->left, true);
	default: break;
	}
	check(f->left == NULL && f->right == NULL && f->path.attr != NULL && f->path.attr[0] != '\0');
	check(f->op == SCIM_PR || f->value.type != SCIM_TEXT || f->value.text != NULL);
	return 1;
}

static void ask(struct scope *s, const struct scim_filter *f)
{
	static const char *const docs[SCIM_RESOURCES] = {
		"{\"id\":\"1\",\"userName\":\"a@b\",\"active\":true,\"name\":{\"givenName\":\"A\"},\"emails\":[{\"value\":\"x\",\"primary\":true},{\"type\":\"work\"}],"
		"\"meta\":{\"created\":\"2026-01-01T00:00:00Z\"},\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\":{\"manager\":{\"value\":\"1\"}}}",
		"{\"id\":\"1\",\"displayName\":\"a\",\"members\":[{\"value\":\"x\"}]}",
	};
	for (int r = 0; r < SCIM_RESOURCES; r++) {
		auto_json *doc = json_loads(docs[r], 0, NULL);
		s->detail = NULL;
		enum err e = scim_filter_check(s, (enum scim_resource)r, false, f);
		bool yes = scim_matches((enum scim_resource)r, f, doc); /* one that does not fit matches or not, and harms nobody */
		if (e != OK)
			fuzz_refused(s, e);
		struct scim_filter not = {.op = SCIM_NOT, .left = (struct scim_filter *)f};
		check(scim_matches((enum scim_resource)r, &not, doc) != yes);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > 16 * KIB)
		return 0;
	struct scope *s = fuzz_scope();
	struct scim_filter *f = NULL;
	struct scim_target t;
	char *text = arena_strndup(s->arena, (const char *)bytes, n);
	enum err e = scim_filter_parse(s, text, &f);
	if (e == OK) {
		check(nodes(f, false) <= LIMIT_FILTER_NODES);
		ask(s, f);
	} else
		fuzz_refused(s, e);
	s->detail = NULL;
	e = scim_target_parse(s, text, &t);
	if (e != OK)
		fuzz_refused(s, e);
	else if (t.filter != NULL)
		check(nodes(t.filter, true) <= LIMIT_FILTER_NODES);
	return 0;
}
