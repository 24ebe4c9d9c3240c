/* SPDX-License-Identifier: Apache-2.0
 * Any query and any filter is refused with a reason, or becomes a bounded tree in which each node has exactly what its kind needs. */
#include "fuzz.h"

#include "codec/odata.h"

static unsigned values(const struct odata_value *v)
{
	unsigned n = 0;
	for (; v != NULL; v = v->next, n++) {
		check((unsigned)v->type <= ODATA_GUID);
		check(v->text != NULL);
	}
	return n;
}

static unsigned terms(const struct odata_node *node)
{
	check(node != NULL);
	switch (node->op) {
	case ODATA_AND:
	case ODATA_OR:
		check(node->path == NULL && node->value == NULL);
		return 1 + terms(node->left) + terms(node->right);
	case ODATA_NOT:
		check(node->path == NULL && node->value == NULL && node->right == NULL);
		return 1 + terms(node->left);
	case ODATA_IN:
		break;
	case ODATA_STARTSWITH:
	case ODATA_ENDSWITH:
	case ODATA_CONTAINS:
		check(node->value != NULL && node->value->type == ODATA_STRING);
		/* fall through */
	default:
		check(values(node->value) == 1);
	}
	check(node->left == NULL && node->right == NULL);
	check(node->path != NULL && node->path[0] != '\0');
	check(values(node->value) >= 1);
	return values(node->value);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > 64 * KIB)
		return 0;
	struct scope *s = fuzz_scope();
	struct odata_query q;
	struct odata_node *node;
	char *text = arena_strndup(s->arena, (const char *)bytes, n);
	enum err e = odata_parse_filter(s, text, &node);
	if (e == OK)
		check(terms(node) <= LIMIT_FILTER_NODES);
	else
		fuzz_refused(s, e);
	s->detail = NULL;
	e = odata_parse(s, text, &q);
	if (e == ERR_EXPAND) /* the one refusal that is a 501 */
		check(s->detail != NULL && s->detail[0] != '\0');
	else if (e != OK)
		fuzz_refused(s, e);
	if (e != OK)
		return 0;
	check(q.top >= -1 && q.skip >= -1);
	check(q.filter == NULL || terms(q.filter) <= LIMIT_FILTER_NODES);
	for (size_t i = 0; q.select != NULL && q.select[i] != NULL; i++)
		check(q.select[i][0] != '\0');
	unsigned relations = 0;
	for (const struct odata_expand *x = q.expand; x != NULL; x = x->next, relations++)
		check(x->name[0] != '\0' && strpbrk(x->name, "(),;") == NULL);
	check(relations <= ODATA_EXPAND_MAX);
	for (const struct odata_order *o = q.order; o != NULL; o = o->next)
		check(o->path[0] != '\0');
	return 0;
}
