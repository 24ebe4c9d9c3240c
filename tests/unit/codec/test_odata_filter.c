/* SPDX-License-Identifier: Apache-2.0
 *
 * $filter: texts of Graph clients to trees, printed as (op path value …) so that precedence can be read; refusals with
 * the detail that people get; the limits on their exact values.
 */
#include "fixture.h"

#include <inttypes.h>

#include "base/clock.h"
#include "codec/odata.h"

static const char *const OPS[] = {
	[ODATA_AND] = "and", [ODATA_OR] = "or", [ODATA_NOT] = "not", [ODATA_EQ] = "eq", [ODATA_NE] = "ne",
	[ODATA_GT] = "gt", [ODATA_GE] = "ge", [ODATA_LT] = "lt", [ODATA_LE] = "le", [ODATA_IN] = "in",
	[ODATA_STARTSWITH] = "startswith", [ODATA_ENDSWITH] = "endswith", [ODATA_CONTAINS] = "contains",
};

static void print_value(struct buf *out, const struct odata_value *v)
{
	char text[TIME_TEXT];
	switch (v->type) {
	case ODATA_NULL: buf_adds(out, " null"); break;
	case ODATA_BOOL: buf_adds(out, v->i != 0 ? " true" : " false"); break;
	case ODATA_NUMBER: buf_printf(out, " %" PRId64, v->i); break;
	case ODATA_STRING: buf_printf(out, " <%s>", v->text); break;
	case ODATA_TIME: buf_printf(out, " @%s", time_format(v->i, text)); break;
	case ODATA_GUID: buf_printf(out, " #%s", v->text); break;
	}
}

static void print_node(struct buf *out, const struct odata_node *node)
{
	buf_printf(out, "(%s", OPS[node->op]);
	if (node->path != NULL)
		buf_printf(out, " %s", node->path);
	for (const struct odata_value *v = node->value; v != NULL; v = v->next)
		print_value(out, v);
	for (int i = 0; i < 2; i++) {
		const struct odata_node *child = i == 0 ? node->left : node->right;
		if (child != NULL) {
			buf_addc(out, ' ');
			print_node(out, child);
		}
	}
	buf_addc(out, ')');
}

#define GUID "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"

static const struct {
	const char *text, *tree;
} TREES[] = {
	/* comparisons and their literals */
	{"deviceName eq 'LAPTOP-1'", "(eq deviceName <LAPTOP-1>)"},
	{"a ne 'it''s'", "(ne a <it's>)"},
	{"a eq ''", "(eq a <>)"},
	{"a eq ''''", "(eq a <'>)"},
	{"a eq '''a'' and b eq ''c'''", "(eq a <'a' and b eq 'c'>)"},
	{"a eq 'caf\xc3\xa9, (not)'", "(eq a <caf\xc3\xa9, (not)>)"},
	{"a gt 5", "(gt a 5)"},
	{"a ge -5", "(ge a -5)"},
	{"a lt +5", "(lt a 5)"},
	{"a le 5.00", "(le a 5)"},
	{"a eq 9223372036854775807", "(eq a 9223372036854775807)"},
	{"a eq -9223372036854775808", "(eq a -9223372036854775808)"},
	{"a eq null", "(eq a null)"},
	{"a eq true or a eq false or a eq True", "(or (or (eq a true) (eq a false)) (eq a true))"},
	{"id eq " GUID, "(eq id #" GUID ")"},
	{"id eq 0a1d4fae-7dec-11d0-a765-00a0c91e6bf6", "(eq id #0a1d4fae-7dec-11d0-a765-00a0c91e6bf6)"},
	{"id eq 20261122-7dec-11d0-a765-00a0c91e6bf6", "(eq id #20261122-7dec-11d0-a765-00a0c91e6bf6)"},
	{"t ge 2018-01-24", "(ge t @2018-01-24T00:00:00Z)"},
	{"t ge 2018-01-24T08:30:00Z", "(ge t @2018-01-24T08:30:00Z)"},
	{"t lt 2018-01-24T08:30:00.1234567+02:00", "(lt t @2018-01-24T06:30:00.123456Z)"},
	{"t lt 2018-01-24T08:30:00.5-05:00", "(lt t @2018-01-24T13:30:00.500000Z)"},
	{"s eq microsoft.graph.complianceState'compliant'", "(eq s <compliant>)"},
	{"s eq ns.kind'it''s'", "(eq s <it's>)"},
	/* paths */
	{"actor/userPrincipalName eq 'a@b.c'", "(eq actor/userPrincipalName <a@b.c>)"},
	{"a/b/c_1 eq 1", "(eq a/b/c_1 1)"},
	{"microsoft.graph.user/x eq 1", "(eq microsoft.graph.user/x 1)"},
	{"_x eq 1", "(eq _x 1)"},
	{"nothing eq 1 and inside eq 2 and android eq 3", "(and (and (eq nothing 1) (eq inside 2)) (eq android 3))"},
	{"eq eq 1", "(eq eq 1)"},
	/* lists */
	{"a in ('x')", "(in a <x>)"},
	{"a in ('x','y', 'z' )", "(in a <x> <y> <z>)"},
	{"a in(1,null," GUID ")", "(in a 1 null #" GUID ")"},
	/* functions, in any case, and compared with a truth */
	{"startswith(a,'x')", "(startswith a <x>)"},
	/* lambdas over collections of one */
	{"resources/any(r:r/resourceId eq 'x')", "(eq resources/resourceId <x>)"},
	{"resources/ANY( res : res/id eq 'x' and (contains(res/n,'y') or not res/t in ('a','b')) ) and c eq 1",
	 "(and (and (eq resources/id <x>) (or (contains resources/n <y>) (not (in resources/t <a> <b>)))) (eq c 1))"},
	{"not a/any(x:x eq 1) or a/any(y:y/b eq 2)", "(or (not (eq a 1)) (eq a/b 2))"},
	{"startsWith( a/b , 'x' )", "(startswith a/b <x>)"},
	{"ENDSWITH(a,'x')", "(endswith a <x>)"},
	{"contains (a,')')", "(contains a <)>)"},
	{"contains(a,'x') eq true", "(contains a <x>)"},
	{"contains(a,'x') eq false", "(not (contains a <x>))"},
	{"contains(a,'x') ne true and b eq 1", "(and (not (contains a <x>)) (eq b 1))"},
	{"contains(a,'x') ne false", "(contains a <x>)"},
	/* precedence: not, comparison, and, or; from the left */
	{"a eq 1 and b eq 2", "(and (eq a 1) (eq b 2))"},
	{"a eq 1 or b eq 2 and c eq 3", "(or (eq a 1) (and (eq b 2) (eq c 3)))"},
	{"a eq 1 and b eq 2 or c eq 3", "(or (and (eq a 1) (eq b 2)) (eq c 3))"},
	{"a eq 1 or b eq 2 or c eq 3", "(or (or (eq a 1) (eq b 2)) (eq c 3))"},
	{"a eq 1 and b eq 2 and c eq 3", "(and (and (eq a 1) (eq b 2)) (eq c 3))"},
	{"(a eq 1 or b eq 2) and c eq 3", "(and (or (eq a 1) (eq b 2)) (eq c 3))"},
	{"a eq 1 and (b eq 2 and c eq 3)", "(and (eq a 1) (and (eq b 2) (eq c 3)))"},
	{"not a eq 1 and b eq 2", "(and (not (eq a 1)) (eq b 2))"},
	{"not (a eq 1 and b eq 2)", "(not (and (eq a 1) (eq b 2)))"},
	{"not(a eq 1)or(b eq 2)", "(or (not (eq a 1)) (eq b 2))"},
	{"not not a in (1)", "(not (not (in a 1)))"},
	{"NOT(startsWith(a,'x')) AND b EQ 1 Or c Ne 2", "(or (and (not (startswith a <x>)) (eq b 1)) (ne c 2))"},
	{"not startswith(a,'x') eq true", "(not (startswith a <x>))"},
	{"((((a eq 1))))", "(eq a 1)"},
	{"  \ta  eq\t1  ", "(eq a 1)"},
};

static void texts_become_trees(void **state)
{
	for (size_t i = 0; i < COUNT(TREES); i++) {
		struct odata_node *node = NULL;
		if (odata_parse_filter(again(), TREES[i].text, &node) != OK)
			fail_msg("refused: %s: %s", TREES[i].text, scope.detail);
		auto_buf b;
		buf_init(&b, 10000);
		print_node(&b, node);
		if (strcmp(b.data, TREES[i].tree) != 0)
			fail_msg("%s became %s, not %s", TREES[i].text, b.data, TREES[i].tree);
	}
}

#define AT(n, what) "malformed $filter at character " #n ": " what
#define START "a property, a function, not or ( is expected"
#define OPERATOR "eq, ne, gt, ge, lt, le or in is expected behind a property"
#define VALUE "a value is expected (texts stand in ')"
#define REST "and, or or the end is expected"

static const struct {
	const char *text, *detail;
} REFUSED[] = {
	{"", AT(1, START)},
	{"   ", AT(4, START)},
	{"a", AT(2, OPERATOR)},
	{"a eq", AT(5, VALUE)},
	{"a is 1", AT(3, OPERATOR)},
	{"a has 'x'", AT(3, OPERATOR)},
	{"a add 1 eq 2", AT(3, OPERATOR)},
	{"a = 1", AT(3, "this character is not expected")},
	{"a eq b", AT(6, VALUE)},
	{"a eq secret", AT(6, VALUE)},
	{"a eq \"secret\"", AT(6, "this character is not expected")},
	{"'secret' eq a", AT(1, START)},
	{"5 lt a", AT(1, START)},
	{"a eq 1 b eq 2", AT(8, REST)},
	{"a eq 1 and", AT(11, START)},
	{"a eq 1 and and b eq 2", AT(16, OPERATOR)},
	{"and a eq 1", AT(5, OPERATOR)},
	{"a eq 1 or", AT(10, START)},
	{"not", AT(4, START)},
	{"a not in (1)", AT(3, OPERATOR)},
	{"(a eq 1", AT(8, "and, or or ) is expected")},
	{"a eq 1)", AT(7, REST)},
	{"()", AT(2, START)},
	{"(a eq 1) eq true", AT(10, REST)},
	{"a eq (1)", AT(6, VALUE)},
	{"a eq 1 eq 1", AT(8, REST)},
	{"a in 1", AT(6, "( is expected behind in")},
	{"a in ()", AT(7, "a value is expected in the list")},
	{"a in (1,)", AT(9, "a value is expected in the list")},
	{"a in (1 2)", AT(9, ", or ) is expected in the list")},
	{"a in (1", AT(8, ", or ) is expected in the list")},
	{"a in (b)", AT(7, "a value is expected in the list")},
	/* literals */
	{"a eq 'secret", AT(6, "a text that starts with ' has no end")},
	{"a eq 'secret''", AT(6, "a text that starts with ' has no end")},
	{"a eq 1.5", AT(6, "numbers with a fraction are not supported")},
	{"a eq 1e3", AT(6, "this is no number, date or identifier")},
	{"a eq 1.", AT(6, "this is no number, date or identifier")},
	{"a eq 5L", AT(6, "this is no number, date or identifier")},
	{"a eq 0x10", AT(6, "this is no number, date or identifier")},
	{"a eq --5", AT(6, "a value is expected")},
	{"a eq -", AT(6, "a value is expected")},
	{"a eq 9223372036854775808", AT(6, "the number is out of range")},
	{"a eq -9223372036854775809", AT(6, "the number is out of range")},
	{"a eq 2018-02-30", AT(6, "this is no date")},
	{"a eq 2018-01-24T25:00:00Z", AT(6, "this is no date")},
	{"a eq 2018-01-24T08:00:00", AT(6, "this is no date")},
	{"a eq f81d4fae-7dec-11d0-a765-00a0c91e6bf", AT(6, VALUE)},
	{"a eq 181d4fae-7dec-11d0-a765-00a0c91e6bf60", AT(6, "this is no number, date or identifier")},
	{"a eq 181d4fae-7dec-11d0-a765-00a0c91e6bf6-1", AT(6, "this is no number, date or identifier")},
	{"a eq kind'secret'", AT(6, "a text may follow only a type with its namespace")},
	{"a eq guid'" GUID "'", AT(6, "a text may follow only a type with its namespace")},
	{"a eq x/y.kind'secret'", AT(6, "a text may follow only a type with its namespace")},
	{"a eq ns.kind'secret", AT(6, "a text that starts with ' has no end")},
	/* paths */
	{"a/ eq 1", AT(1, "a name is expected behind / or .")},
	{"/a eq 1", AT(1, "this character is not expected")},
	{"a//b eq 1", AT(1, "a name is expected behind / or .")},
	{"a/$count eq 1", AT(1, "a name is expected behind / or .")},
	{"a/1 eq 1", AT(1, "a name is expected behind / or .")},
	{"a-b eq 1", AT(2, "a value is expected")},
	{"\xc3\xa9 eq 1", AT(1, "this character is not expected")},
	{"a eq 1; drop", AT(7, "this character is not expected")},
	/* functions */
	{"startswith(a)", AT(13, "a comma is expected behind the function's first argument")},
	{"startswith('x',a)", AT(12, "a property is expected as the function's first argument")},
	{"startswith(a,5)", AT(14, "a text is expected as the function's second argument")},
	{"startswith(a,null)", AT(14, "a text is expected as the function's second argument")},
	{"startswith(a,b)", AT(14, "a text is expected as the function's second argument")},
	{"startswith(a,'x','y')", AT(17, ") is expected behind the function's arguments")},
	{"startswith(a,'x'", AT(17, ") is expected behind the function's arguments")},
	{"startswith(a,'x') eq 1", AT(22, "a function can be compared with true or false only")},
	{"startswith(a,'x') gt true", AT(19, REST)},
	{"tolower(a) eq 'x'", "the function tolower(...) is not supported in $filter"},
	{"contains(tolower(a),'x')", AT(17, "a comma is expected behind the function's first argument")},
	{"averyveryveryverylongfunctionnameindeed(a)",
	 "the function averyveryveryverylongfunctionnam(...) is not supported in $filter"},
	/* lambdas */
	{"a eq 1 and b/c/all(x:x eq 1)", "the lambda all(...) is not supported in $filter"},
	{"not tags/Any()", AT(14, "any(...) needs a variable and a condition: any(x:x/name eq 'text')")},
	{"any(x:x/a eq 1)", "the function any(...) is not supported in $filter"},
	{"a/any(x/y:x/y eq 1)", AT(10, "the variable of any(...) is a single name")},
	{"a/any(x eq 1)", AT(9, ": is expected behind the variable of any(...)")},
	{"a/any(x:y/b eq 'secret')", AT(13, "names inside any(...) begin with its variable")},
	{"a/any(x:xy/b eq 'secret')", AT(14, "names inside any(...) begin with its variable")},
	{"a/any(x:contains(b,'secret'))", AT(18, "names inside any(...) begin with its variable")},
	{"a/any(x:x/b/any(y:y/c eq 1))", AT(16, "any(...) inside any(...) is not supported")},
	{"a/any(x:x/b eq 1", AT(17, "and, or or ) is expected")},
	{"a/any(x:x/b eq 1) or x/b eq 1 :", AT(31, "and, or or the end is expected")},
	{"a: eq 1", AT(2, "eq, ne, gt, ge, lt, le or in is expected behind a property")},
};

static void what_is_not_understood_is_refused(void **state)
{
	for (size_t i = 0; i < COUNT(REFUSED); i++) {
		struct odata_node *node = NULL;
		if (odata_parse_filter(again(), REFUSED[i].text, &node) != ERR_BAD_REQUEST)
			fail_msg("not refused: %s", REFUSED[i].text);
		assert_null(node);
		if (strcmp(scope.detail, REFUSED[i].detail) != 0)
			fail_msg("%s: %s, not %s", REFUSED[i].text, scope.detail, REFUSED[i].detail);
		assert_null(strstr(scope.detail, "secret"));
	}
}

/* start, then `times` of middle, then `times` of end */
static enum err parse_repeated(const char *start, const char *middle, unsigned times, const char *end)
{
	auto_buf b;
	buf_init(&b, MIB);
	buf_adds(&b, start);
	for (unsigned i = 0; i < times; i++)
		buf_adds(&b, middle);
	if (strcmp(end, ")") == 0) {
		buf_adds(&b, "a eq 1");
		for (unsigned i = 0; i < times; i++)
			buf_adds(&b, end);
	} else {
		buf_adds(&b, end);
	}
	struct odata_node *node;
	return odata_parse_filter(again(), b.data, &node);
}

static void limits_are_exact(void **state)
{
	/* n comparisons have n - 1 connectives */
	assert_int_equal(LIMIT_FILTER_NODES % 2, 0);
	unsigned half = LIMIT_FILTER_NODES / 2;
	assert_int_equal(parse_repeated("a eq 1", " or a eq 1", half - 1, ""), OK);
	assert_int_equal(parse_repeated("not a eq 1", " or a eq 1", half - 1, ""), OK);
	assert_int_equal(parse_repeated("a eq 1", " or a eq 1", half, ""), ERR_BAD_REQUEST);
	assert_string_equal(scope.detail, "$filter has more than 100 terms");
	assert_int_equal(parse_repeated("a in (1", ",1", LIMIT_FILTER_NODES - 1, "  )"), OK);
	assert_int_equal(parse_repeated("a in (1", ",1", LIMIT_FILTER_NODES, "  )"), ERR_BAD_REQUEST);
	assert_string_equal(scope.detail, "$filter has more than 100 terms");
	assert_int_equal(parse_repeated("", "not ", LIMIT_FILTER_NODES - 1, "a eq 1"), OK);
	assert_int_equal(parse_repeated("", "not ", LIMIT_FILTER_NODES, "a eq 1"), ERR_BAD_REQUEST);
	assert_int_equal(parse_repeated("", "(", LIMIT_FILTER_NODES, ")"), OK);
	assert_int_equal(parse_repeated("", "(", LIMIT_FILTER_NODES + 1, ")"), ERR_BAD_REQUEST);
	assert_string_equal(scope.detail, "$filter is nested deeper than 100 levels");
	assert_int_equal(parse_repeated("", "(", 100000, ")"), ERR_BAD_REQUEST);
	/* brackets side by side do not add up */
	assert_int_equal(parse_repeated("(a eq 1)", " and (((a eq 1)))", half - 1, ""), OK);
}

static void past_the_arena_is_an_error(void **state)
{
	struct arena *small = arena_new(1024);
	struct odata_node *node = NULL;
	char text[1200] = "a eq '";
	memset(text + 6, 'x', 1100);
	strcat(text, "'");
	struct scope s;
	scope_system(&s, small, NULL, NULL);
	assert_int_equal(odata_parse_filter(&s, text, &node), ERR_LIMIT);
	assert_null(node);
	arena_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_become_trees),
		cmocka_unit_test(what_is_not_understood_is_refused),
		cmocka_unit_test(limits_are_exact),
		cmocka_unit_test(past_the_arena_is_an_error),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, scope_setup, scope_teardown);
}
