/* SPDX-License-Identifier: Apache-2.0
 *
 * The $filter grammar, by recursive descent:
 *
 *   or      = and { "or" and }
 *   and     = term { "and" term }
 *   term    = "not" term | "(" or ")" | compare | call | path "/any(" variable ":" or ")"
 *   compare = path ("eq" | "ne" | "gt" | "ge" | "lt" | "le") value | path "in" "(" value { "," value } ")"
 *   call    = ("startswith" | "endswith" | "contains") "(" path "," text ")" [("eq" | "ne") ("true" | "false")]
 *
 * Inside any() a name begins with the variable, which stands for the collection: `a/any(x:x/b eq 1)` is `a/b eq 1`.  So it can be used with
 * collections of one element, and whoever names the properties has to see to that.
 *
 * Keywords and function names are taken in any case, because clients write startsWith and NOT.  `not a eq 1` means not
 * (a eq 1): a path alone is no condition here, so there is no other reading.  Terms (comparisons, connectives, values
 * of an IN list) and the depth of brackets are both bounded by LIMIT_FILTER_NODES; nothing else in a filter costs stack
 * or SQL.
 */
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "codec/odata_lex.h"

struct parser {
	struct odata_lexer lex;
	unsigned terms, depth;
	const char *variable, *collection; /* of the any() that is open; NULL */
};

static enum err parse_or(struct parser *p, struct odata_node **ret);

static bool at_word(const struct parser *p, const char *word)
{
	return p->lex.token == TOKEN_NAME && strcasecmp(p->lex.text, word) == 0;
}

static enum err expect(struct parser *p, enum odata_token token, const char *what)
{
	if (p->lex.token != token)
		return odata_malformed(&p->lex, what);
	return odata_next(&p->lex);
}

static enum err count_term(struct parser *p)
{
	if (++p->terms > LIMIT_FILTER_NODES)
		return scope_fail(p->lex.s, ERR_BAD_REQUEST, "$filter has more than %u terms", LIMIT_FILTER_NODES);
	return OK;
}

static enum err new_node(struct parser *p, enum odata_op op, struct odata_node **ret)
{
	TRY(count_term(p));
	struct odata_node *node = arena_try(p->lex.s->arena, sizeof *node);
	if (node == NULL)
		return odata_no_room(p->lex.s);
	node->op = op;
	*ret = node;
	return OK;
}

static enum err enter(struct parser *p)
{
	if (++p->depth > LIMIT_FILTER_NODES)
		return scope_fail(p->lex.s, ERR_BAD_REQUEST, "$filter is nested deeper than %u levels",
				  LIMIT_FILTER_NODES);
	return odata_next(&p->lex);
}

/* Behind `path in`. */
static enum err parse_list(struct parser *p, struct odata_value **ret)
{
	TRY(expect(p, TOKEN_OPEN, "( is expected behind in"));
	for (bool first = true;; first = false) {
		if (p->lex.token != TOKEN_VALUE)
			return odata_malformed(&p->lex, "a value is expected in the list");
		if (!first)
			TRY(count_term(p));
		*ret = p->lex.value;
		ret = &p->lex.value->next;
		TRY(odata_next(&p->lex));
		if (p->lex.token != TOKEN_COMMA)
			break;
		TRY(odata_next(&p->lex));
	}
	return expect(p, TOKEN_CLOSE, ", or ) is expected in the list");
}

static enum err parse_compare(struct parser *p, const char *path, struct odata_node **ret)
{
	static const struct {
		const char *word;
		enum odata_op op;
	} operators[] = {{"eq", ODATA_EQ}, {"ne", ODATA_NE}, {"gt", ODATA_GT}, {"ge", ODATA_GE},
			 {"lt", ODATA_LT}, {"le", ODATA_LE}, {"in", ODATA_IN}};
	for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
		if (!at_word(p, operators[i].word))
			continue;
		TRY(new_node(p, operators[i].op, ret));
		(*ret)->path = path;
		TRY(odata_next(&p->lex));
		if (operators[i].op == ODATA_IN)
			return parse_list(p, &(*ret)->value);
		(*ret)->value = p->lex.value;
		return expect(p, TOKEN_VALUE, "a value is expected (texts stand in ')");
	}
	return odata_malformed(&p->lex, "eq, ne, gt, ge, lt, le or in is expected behind a property");
}

/* `contains(a,'b') eq true`, as some clients write it; eq false and ne true negate. */
static enum err parse_truth(struct parser *p, struct odata_node **ret)
{
	bool equal = at_word(p, "eq");
	if (!equal && !at_word(p, "ne"))
		return OK;
	TRY(odata_next(&p->lex));
	if (p->lex.token != TOKEN_VALUE || p->lex.value->type != ODATA_BOOL)
		return odata_malformed(&p->lex, "a function can be compared with true or false only");
	if ((p->lex.value->i != 0) != equal) {
		struct odata_node *node = NULL;
		TRY(new_node(p, ODATA_NOT, &node));
		node->left = *ret;
		*ret = node;
	}
	return odata_next(&p->lex);
}

/* The path that a name means: inside any() its variable is the collection. */
static enum err resolve(struct parser *p, const char *name, const char **ret)
{
	*ret = name;
	if (p->variable == NULL)
		return OK;
	size_t n = strlen(p->variable), from = strlen(p->collection), rest = strlen(name);
	if (strncmp(name, p->variable, n) != 0 || (name[n] != '/' && name[n] != '\0'))
		return odata_malformed(&p->lex, "names inside any(...) begin with its variable");
	char *path = arena_try(p->lex.s->arena, from + rest - n + 1);
	if (path == NULL)
		return odata_no_room(p->lex.s);
	memcpy(path, p->collection, from);
	memcpy(path + from, name + n, rest - n);
	*ret = path;
	return OK;
}

/* Stands on the bracket. */
static enum err parse_any(struct parser *p, const char *collection, struct odata_node **ret)
{
	if (p->variable != NULL)
		return odata_malformed(&p->lex, "any(...) inside any(...) is not supported");
	TRY(enter(p));
	const char *variable = p->lex.text;
	TRY(expect(p, TOKEN_NAME, "any(...) needs a variable and a condition: any(x:x/name eq 'text')"));
	if (strpbrk(variable, "/.") != NULL)
		return odata_malformed(&p->lex, "the variable of any(...) is a single name");
	TRY(expect(p, TOKEN_COLON, ": is expected behind the variable of any(...)"));
	p->variable = variable;
	p->collection = collection;
	TRY(parse_or(p, ret));
	p->variable = NULL;
	p->depth--;
	return expect(p, TOKEN_CLOSE, "and, or or ) is expected");
}

static enum err not_supported(struct parser *p, const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *last = slash == NULL ? name : slash + 1;
	if (strcasecmp(last, "all") == 0)
		return scope_fail(p->lex.s, ERR_BAD_REQUEST, "the lambda %s(...) is not supported in $filter", last);
	return scope_fail(p->lex.s, ERR_BAD_REQUEST, "the function %.32s(...) is not supported in $filter", name);
}

static enum err parse_call(struct parser *p, const char *name, struct odata_node **ret)
{
	enum odata_op op;
	size_t n = strlen(name);
	if (n > 4 && strcasecmp(name + n - 4, "/any") == 0)
		return parse_any(p, arena_strndup(p->lex.s->arena, name, n - 4), ret);
	if (strcasecmp(name, "startswith") == 0)
		op = ODATA_STARTSWITH;
	else if (strcasecmp(name, "endswith") == 0)
		op = ODATA_ENDSWITH;
	else if (strcasecmp(name, "contains") == 0)
		op = ODATA_CONTAINS;
	else
		return not_supported(p, name);
	TRY(new_node(p, op, ret));
	TRY(odata_next(&p->lex));
	if (p->lex.token != TOKEN_NAME)
		return odata_malformed(&p->lex, "a property is expected as the function's first argument");
	TRY(resolve(p, p->lex.text, &(*ret)->path));
	TRY(odata_next(&p->lex));
	TRY(expect(p, TOKEN_COMMA, "a comma is expected behind the function's first argument"));
	(*ret)->value = p->lex.value;
	if (p->lex.token != TOKEN_VALUE || p->lex.value->type != ODATA_STRING)
		return odata_malformed(&p->lex, "a text is expected as the function's second argument");
	TRY(odata_next(&p->lex));
	TRY(expect(p, TOKEN_CLOSE, ") is expected behind the function's arguments"));
	return parse_truth(p, ret);
}

static enum err parse_term(struct parser *p, struct odata_node **ret)
{
	if (at_word(p, "not")) {
		TRY(new_node(p, ODATA_NOT, ret));
		TRY(enter(p));
		TRY(parse_term(p, &(*ret)->left));
		p->depth--;
		return OK;
	}
	if (p->lex.token == TOKEN_OPEN) {
		TRY(enter(p));
		TRY(parse_or(p, ret));
		p->depth--;
		return expect(p, TOKEN_CLOSE, "and, or or ) is expected");
	}
	const char *name = p->lex.text;
	TRY(expect(p, TOKEN_NAME, "a property, a function, not or ( is expected"));
	if (p->lex.token == TOKEN_OPEN)
		return parse_call(p, name, ret);
	TRY(resolve(p, name, &name));
	return parse_compare(p, name, ret);
}

/* operand { word operand }, from the left. */
static enum err parse_chain(struct parser *p, const char *word, enum odata_op op,
			    enum err (*operand)(struct parser *, struct odata_node **), struct odata_node **ret)
{
	TRY(operand(p, ret));
	while (at_word(p, word)) {
		struct odata_node *node = NULL;
		TRY(new_node(p, op, &node));
		TRY(odata_next(&p->lex));
		node->left = *ret;
		TRY(operand(p, &node->right));
		*ret = node;
	}
	return OK;
}

static enum err parse_and(struct parser *p, struct odata_node **ret)
{
	return parse_chain(p, "and", ODATA_AND, parse_term, ret);
}

static enum err parse_or(struct parser *p, struct odata_node **ret)
{
	return parse_chain(p, "or", ODATA_OR, parse_and, ret);
}

enum err odata_parse_filter(struct scope *s, const char *text, struct odata_node **ret)
{
	struct parser p = {0};
	struct odata_node *node = NULL;
	TRY(odata_lex(&p.lex, s, text));
	TRY(parse_or(&p, &node));
	if (p.lex.token != TOKEN_END)
		return odata_malformed(&p.lex, "and, or or the end is expected");
	*ret = node;
	return OK;
}
