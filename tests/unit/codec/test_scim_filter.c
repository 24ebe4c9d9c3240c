/* SPDX-License-Identifier: Apache-2.0
 * SCIM's filters and paths: the grammar of RFC 7644, section 3.4.2.2, how it binds, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "codec/scim_filter.h"

static struct arena *A;
static struct scope S;

static int up(void **state)
{
	A = arena_new(LIMIT_ARENA_BYTES);
	scope_system(&S, A, NULL, NULL);
	return 0;
}

static int down(void **state)
{
	arena_free(A);
	return 0;
}

static const char *const OPS[] = {"and", "or", "not", "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr", "has"};

static char *value_text(const struct scim_value *v)
{
	switch (v->type) {
	case SCIM_NULL: return arena_strdup(A, "null");
	case SCIM_BOOL: return arena_strdup(A, v->yes ? "true" : "false");
	case SCIM_NUMBER: return arena_printf(A, "%g", v->number);
	case SCIM_TEXT: break;
	}
	return arena_printf(A, "'%s'", v->text);
}

static char *path_text(const struct scim_path *p)
{
	return arena_printf(A, "%s%s%s%s%s", p->schema != NULL ? p->schema : "", p->schema != NULL ? "|" : "", p->attr, p->sub != NULL ? "." : "",
			    p->sub != NULL ? p->sub : "");
}

/* With every parenthesis that the tree has. */
static char *tree(const struct scim_filter *f)
{
	switch (f->op) {
	case SCIM_AND:
	case SCIM_OR: return arena_printf(A, "(%s %s %s)", tree(f->left), OPS[f->op], tree(f->right));
	case SCIM_NOT: return arena_printf(A, "not %s", tree(f->left));
	case SCIM_HAS: return arena_printf(A, "%s[%s]", path_text(&f->path), tree(f->left));
	case SCIM_PR: return arena_printf(A, "%s pr", path_text(&f->path));
	default: return arena_printf(A, "%s %s %s", path_text(&f->path), OPS[f->op], value_text(&f->value));
	}
}

static void says(const char *text, const char *want)
{
	struct scim_filter *f;
	S.detail = NULL;
	if (scim_filter_parse(&S, text, &f) != OK)
		fail_msg("%s: %s", text, S.detail);
	assert_string_equal(tree(f), want);
}

static void refused(const char *text)
{
	struct scim_filter *f;
	S.detail = NULL;
	if (scim_filter_parse(&S, text, &f) != ERR_BAD_FILTER)
		fail_msg("%s is taken", text);
	assert_non_null(S.detail);
	assert_null(strstr(S.detail, "secret"));
}

static void expressions(void **state)
{
	says("userName eq \"a\"", "userName eq 'a'");
	says("  a eq 1 or b EQ -2.5e1 And c pr ", "(a eq 1 or (b eq -25 and c pr))");
	says("(a pr or b pr) and c pr", "((a pr or b pr) and c pr)");
	says("not (a pr) and not(b eq true)", "(not a pr and not b eq true)");
	says("a pr and b pr and c pr", "((a pr and b pr) and c pr)");
	says("title pr or userType eq null", "(title pr or userType eq null)");
	says("name.familyName co \"O'M\\\"\\u00e9\"", "name.familyName co 'O'M\"é'");
	says("emails[type eq \"work\" and value co \"@x\"]", "emails[(type eq 'work' and value co '@x')]");
	says("emails[type eq \"work\"].value eq \"a\"", "emails[(type eq 'work' and value eq 'a')]");
	says("not eq \"x\"", "not eq 'x'"); /* an attribute may be called so */
	says("android eq \"x\" and order pr", "(android eq 'x' and order pr)");
	says("urn:ietf:params:scim:schemas:core:2.0:User:name.givenName sw \"J\"", "urn:ietf:params:scim:schemas:core:2.0:User|name.givenName sw 'J'");
	says("manager.$ref pr", "manager.$ref pr");
}

static void refusals(void **state)
{
	static const char *const bad[] = {
		"", " ", "a", "a eq", "a eq secret", "a eq \"secret", "a xx \"secret\"", "a eq \"secret\" b", "(a pr", "a pr)", "a pr and", "a pr or or b pr", "not a pr",
		"a[b pr", "a[b pr].c", "a[b[c pr]]", "a.b[c pr]", "a.b.c pr", ".a pr", "1a pr", "a eq \"\\u0000\"", "a eq \"\xff\"", "a eq +1", "a eq 1e999", "a eq [1]",
		"x:y pr", "a eq 'secret'", "a eq \"\\q\"", "[a pr]", "a eq TRUEx",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		refused(bad[i]);
}

/* As deep and as long as it may be, and one more. */
static void bounds(void **state)
{
	char text[LIMIT_URL_BYTES + 2], *at = text;
	struct scim_filter *f;
	for (int n = SCIM_FILTER_DEPTH; n <= SCIM_FILTER_DEPTH + 1; n++) {
		snprintf(text, sizeof text, "%.*sa pr%.*s", n, "((((((((((((((((((((", n, "))))))))))))))))))))");
		S.detail = NULL;
		assert_int_equal(scim_filter_parse(&S, text, &f) == OK, n == SCIM_FILTER_DEPTH);
	}
	for (size_t i = 0; i < LIMIT_FILTER_NODES / 2; i++) /* 50 terms and 49 times and */
		at += sprintf(at, "%sa pr", i == 0 ? "" : " and ");
	S.detail = NULL;
	assert_int_equal(scim_filter_parse(&S, text, &f), OK);
	strcat(text, " and a pr");
	refused(text);
	memset(text, ' ', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	refused(text);
}

static void targets(void **state)
{
	static const struct {
		const char *text, *path, *filter;
	} good[] = {
		{"displayName", "displayName", NULL},
		{"name.familyName", "name.familyName", NULL},
		{"emails[type eq \"work\"].value", "emails.value", "type eq 'work'"},
		{"members[value eq \"7\"]", "members", "value eq '7'"},
		{"urn:x:2.0:User:manager", "urn:x:2.0:User|manager", NULL},
		{"urn:x:2.0:User", "urn:x:2.0|User", NULL}, /* what it is, is seen where schemas are known */
	};
	static const char *const bad[] = {"", "a b", "a[b pr", "a[]", "a.b[c pr]", "a[b pr].", "a[b pr].c.d", "a[b pr]c", "a eq \"x\"", "a.b.c", "http://x"};
	struct scim_target t;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_int_equal(scim_target_parse(&S, good[i].text, &t), OK);
		assert_string_equal(path_text(&t.path), good[i].path);
		assert_int_equal(t.filter != NULL, good[i].filter != NULL);
		if (t.filter != NULL)
			assert_string_equal(tree(t.filter), good[i].filter);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		S.detail = NULL;
		assert_int_equal(scim_target_parse(&S, bad[i], &t), ERR_BAD_PATH);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions),
		cmocka_unit_test(refusals),
		cmocka_unit_test(bounds),
		cmocka_unit_test(targets),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, up, down);
}
