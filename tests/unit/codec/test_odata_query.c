/* SPDX-License-Identifier: Apache-2.0
 * Query options: names with and without $, values, percent-encoding, and what is refused with which words. */
#include "fixture.h"

#include <inttypes.h>

#include "codec/odata.h"

/* "top=1 skip=- count=0 order=a,-b select=x,y filter=eq:name …": only what was given, in this order. */
static void print_query(struct buf *out, const struct odata_query *q)
{
	if (q->filter != NULL)
		buf_printf(out, "filter=%d:%s ", q->filter->op, q->filter->path);
	for (const struct odata_order *o = q->order; o != NULL; o = o->next)
		buf_printf(out, "order=%s%s ", o->descending ? "-" : "", o->path);
	for (size_t i = 0; q->select != NULL && q->select[i] != NULL; i++)
		buf_printf(out, "select=%s ", q->select[i]);
	for (const struct odata_expand *x = q->expand; x != NULL; x = x->next) {
		buf_printf(out, "expand=%s", x->name);
		for (size_t i = 0; x->select != NULL && x->select[i] != NULL; i++)
			buf_printf(out, ":%s", x->select[i]);
		buf_addc(out, ' ');
	}
	const char *const texts[] = {"search", q->search, "skiptoken", q->skiptoken};
	for (size_t i = 0; i < COUNT(texts); i += 2)
		if (texts[i + 1] != NULL)
			buf_printf(out, "%s=%s ", texts[i], texts[i + 1]);
	if (q->top != -1)
		buf_printf(out, "top=%" PRId64 " ", q->top);
	if (q->skip != -1)
		buf_printf(out, "skip=%" PRId64 " ", q->skip);
	buf_adds(out, q->count ? "count" : "");
}

static const struct {
	const char *query, *printed;
} QUERIES[] = {
	{"", ""},
	{"&&", ""},
	{"api-version=2&x&=&y=%41", ""},
	{"$top=5&$skip=10&$count=true", "top=5 skip=10 count"},
	{"top=5&skip=10&count=TRUE", "top=5 skip=10 count"},
	{"%24Top=0&$SKIP=0&$count=false", "top=0 skip=0 "},
	{"$top=9223372036854775807", "top=9223372036854775807 "},
	{"$filter=deviceName%20eq%20%27a%26b%3Dc%27", "filter=3:deviceName "},
	{"$filter=deviceName+eq+'a%2Bb'", "filter=3:deviceName "},
	{"$filter=a eq 'x=y'&$top=1", "filter=3:a top=1 "},
	{"filter=startsWith(a,'x')", "filter=10:a "},
	{"$orderby=a", "order=a "},
	{"$orderby=a%20desc,b/c%20ASC%2C+d+,e", "order=-a order=b/c order=d order=e "},
	{"$orderby=desc+desc", "order=-desc "},
	{"$select=id,deviceName%2C+user/upn", "select=id select=deviceName select=user/upn "},
	{"$select=*", ""},
	{"$select=id,*", ""},
	{"$select=microsoft.graph.user/id", "select=microsoft.graph.user/id "},
	{"$expand=apps($select=id,%20name),%20users,groups(select=id)", "expand=apps:id:name expand=users expand=groups:id "},
	{"$format=application/json", ""},
	{"$search=%22displayName:caf%C3%A9%22", "search=\"displayName:caf\xc3\xa9\" "},
	{"$skiptoken=eyJ%2B%3D%3D", "skiptoken=eyJ+== "},
	{"$skiptoken=a==", "skiptoken=a== "},
};

static void queries_are_read(void **state)
{
	for (size_t i = 0; i < COUNT(QUERIES); i++) {
		struct odata_query q;
		if (odata_parse(again(), QUERIES[i].query, &q) != OK)
			fail_msg("refused: %s: %s", QUERIES[i].query, scope.detail);
		auto_buf b;
		buf_init(&b, 10000);
		print_query(&b, &q);
		if (strcmp(b.data, QUERIES[i].printed) != 0)
			fail_msg("%s became %s, not %s", QUERIES[i].query, b.data, QUERIES[i].printed);
	}
	struct odata_query q;
	assert_int_equal(odata_parse(again(), NULL, &q), OK);
	assert_int_equal(q.top, -1);
	assert_int_equal(q.skip, -1);
	assert_null(q.filter);
	assert_null(q.select);
}

#define ORDER "malformed $orderby: a list of properties is expected, each followed by asc, desc or neither"
#define OPERATOR "eq, ne, gt, ge, lt, le or in is expected behind a property"
#define NUMBER "a number from 0 is expected"
#define ENCODING "the URL's query is not well percent-encoded UTF-8"

static const struct {
	const char *query, *detail;
} REFUSED[] = {
	{"$foo=1", "the query option $foo is not supported"},
	{"$apply=x", "the query option $apply is not supported"},
	{"$=1", "the query option $ is not supported"},
	{"$$top=1", "the query option $$top is not supported"},
	{"$top%20=1", "the query option $top? is not supported"},
	{"$a%0Ab%C3%A9=1", "the query option $a?b?? is not supported"},
	{"$averyveryveryveryverylongoptionname=1",
	 "the query option $averyveryveryveryverylongoption is not supported"},
	{"$top=1&$top=1", "the query option $top is given twice"},
	{"$top=1&TOP=1", "the query option $top is given twice"},
	{"$filter=a eq 1&filter=b eq 1", "the query option $filter is given twice"},
	{"$select=a&x=1&$select=b", "the query option $select is given twice"},
	{"$top", "malformed $top: a value is expected"},
	{"$top=", "malformed $top: a value is expected"},
	{"$filter=", "malformed $filter: a value is expected"},
	{"$top=-1", "malformed $top: " NUMBER},
	{"$top=+1", "malformed $top: " NUMBER},
	{"$top=1x", "malformed $top: " NUMBER},
	{"$top=1.0", "malformed $top: " NUMBER},
	{"$top=%201", "malformed $top: " NUMBER},
	{"$skip=x", "malformed $skip: " NUMBER},
	{"$skip=9223372036854775808", "malformed $skip: the number is out of range"},
	{"$count=1", "malformed $count: true or false is expected"},
	{"$count=truex", "malformed $count: true or false is expected"},
	{"$orderby=,a", ORDER},
	{"$orderby=a,", ORDER},
	{"$orderby=a/", ORDER},
	{"$orderby=length(a)", ORDER},
	{"$orderby=a+down", "malformed $orderby: asc or desc is expected behind a property"},
	{"$orderby=a+desc+asc", "malformed $orderby: asc or desc is expected behind a property"},
	{"$select=a,,b", "malformed $select: a list of properties is expected"},
	{"$select=a%20b", "malformed $select: a list of properties is expected"},
	{"$select=a%3Bdrop", "malformed $select: a list of properties is expected"},
	{"$select=+", "malformed $select: a list of properties is expected"},
	{"$filter=a+is+1", "malformed $filter at character 3: " OPERATOR},
	{"$filter=a%zz", ENCODING},
	{"x=%00", ENCODING},
	{"x%00=1", ENCODING},
	{"$search=%FF", ENCODING},
	{"$top=1&x=%", ENCODING},
};

static void other_queries_are_refused(void **state)
{
	for (size_t i = 0; i < COUNT(REFUSED); i++) {
		struct odata_query q = {.top = 42};
		if (odata_parse(again(), REFUSED[i].query, &q) != ERR_BAD_REQUEST)
			fail_msg("not refused: %s", REFUSED[i].query);
		if (strcmp(scope.detail, REFUSED[i].detail) != 0)
			fail_msg("%s: %s, not %s", REFUSED[i].query, scope.detail, REFUSED[i].detail);
		assert_int_equal(q.top, 42); /* untouched */
	}
}

static void order_is_bounded(void **state)
{
	struct odata_query q;
	auto_buf b;
	buf_init(&b, 10000);
	buf_adds(&b, "$orderby=a");
	for (unsigned i = 1; i < LIMIT_FILTER_NODES; i++)
		buf_adds(&b, ",a");
	assert_int_equal(odata_parse(again(), b.data, &q), OK);
	buf_adds(&b, ",a");
	assert_int_equal(odata_parse(again(), b.data, &q), ERR_BAD_REQUEST);
	assert_string_equal(scope.detail, "malformed $orderby: too many properties");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_are_read),
		cmocka_unit_test(other_queries_are_refused),
		cmocka_unit_test(order_is_bounded),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, scope_setup, scope_teardown);
}
