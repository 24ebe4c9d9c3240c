/* SPDX-License-Identifier: Apache-2.0
 * SCIM's documents, without a database: what PATCH makes of one, every form that providers write; what is refused; the table of attributes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "codec/json.h"
#include "directory/provisioning/document.h"
#include "directory/provisioning/rows.h"

#define E "\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\""
#define ID "01a205e6-4e6b-74e1-8000-cfce3f171ab8"
#define ID2 "01a205e6-4e6b-74e1-8000-cfce3f171ab9"

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

/* In single quotes, so that tables of them can be read. */
static json_t *parse(const char *text)
{
	char *plain = arena_strdup(A, text);
	for (char *p = plain; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	json_error_t error;
	json_t *j = json_loads(plain, 0, &error);
	if (j == NULL)
		fail_msg("%s: %s", text, error.text);
	return j;
}

#define DOC "{'id':'" ID "','userName':'a@b','displayName':'A','active':true,'name':{'givenName':'G','familyName':'F'}," \
	    "'emails':[{'value':'w@x','type':'work','primary':true},{'value':'h@x','type':'home'}]," E ":{'department':'IT'}}"

/* What stands in the document afterwards: of each case the whole value at a top attribute. */
static const struct {
	const char *operation, *attribute, *want; /* want NULL: it is not there */
} PATCHES[] = {
	{"{'op':'Replace','path':'displayName','value':'B'}", "displayName", "'B'"},
	{"{'OP':'REPLACE','PATH':'DISPLAYNAME','VALUE':'B'}", "displayName", "'B'"},
	{"{'op':'Replace','path':'active','value':'False'}", "active", "false"},
	{"{'op':'add','path':'active','value':[{'value':'true'}]}", "active", "true"},
	{"{'op':'replace','value':{'active':false}}", "active", "false"},
	{"{'op':'replace','value':{'displayName':'B','name.givenName':'H'}}", "name", "{'givenName':'H','familyName':'F'}"},
	{"{'op':'add','value':{'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department':'HR'}}", E, "{'department':'HR'}"},
	{"{'op':'add','value':{" E ":{'division':'D'}}}", E, "{'department':'IT','division':'D'}"},
	{"{'op':'add','value':{" E ":{'manager':'7'}}}", E, "{'department':'IT','manager':{'value':'7'}}"},
	{"{'op':'add','path':'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User','value':{'division':'D'}}", E, "{'department':'IT','division':'D'}"},
	{"{'op':'remove','path':'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'}", E, NULL},
	{"{'op':'remove','path':'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department'}", E, NULL},
	{"{'op':'replace','path':'displayName','value':[{'$ref':null,'value':'B'}]}", "displayName", "'B'"},
	{"{'op':'replace','path':'displayName','value':null}", "displayName", NULL},
	{"{'op':'replace','path':'displayName','value':''}", "displayName", NULL},
	{"{'op':'replace','path':'nickName','value':'N'}", "nickName", "'N'"},
	{"{'op':'replace','path':'name','value':{'familyName':'X'}}", "name", "{'givenName':'G','familyName':'X'}"},
	{"{'op':'remove','path':'name.givenName'}", "name", "{'familyName':'F'}"},
	{"{'op':'Add','path':'emails[type eq \\'home\\'].value','value':'n@x'}", "emails", "[{'value':'w@x','type':'work','primary':true},{'value':'n@x','type':'home'}]"},
	{"{'op':'Add','path':'emails[type eq \\'other\\'].value','value':'o@x'}", "emails",
	 "[{'value':'w@x','type':'work','primary':true},{'value':'h@x','type':'home'},{'type':'other','value':'o@x'}]"},
	{"{'op':'replace','path':'emails[type eq \\'home\\'].primary','value':true}", "emails", "[{'value':'w@x','type':'work'},{'value':'h@x','type':'home','primary':true}]"},
	{"{'op':'replace','path':'emails[type eq \\'home\\']','value':{'value':'n@x'}}", "emails", "[{'value':'w@x','type':'work','primary':true},{'value':'n@x','type':'home'}]"},
	{"{'op':'remove','path':'emails[type eq \\'home\\']'}", "emails", "[{'value':'w@x','type':'work','primary':true}]"},
	{"{'op':'remove','path':'emails[type eq \\'home\\'].value'}", "emails", "[{'value':'w@x','type':'work','primary':true}]"},
	{"{'op':'remove','path':'emails','value':[{'value':'w@x'}]}", "emails", "[{'value':'h@x','type':'home'}]"},
	{"{'op':'remove','path':'emails'}", "emails", NULL},
	{"{'op':'remove','path':'emails.type'}", "emails", "[{'value':'w@x','primary':true},{'value':'h@x'}]"},
	{"{'op':'add','path':'emails','value':{'value':'h@x','display':'D'}}", "emails", "[{'value':'w@x','type':'work','primary':true},{'value':'h@x','type':'home','display':'D'}]"},
	{"{'op':'add','path':'emails','value':['n@x']}", "emails", "[{'value':'w@x','type':'work','primary':true},{'value':'h@x','type':'home'},{'value':'n@x'}]"},
	{"{'op':'replace','path':'emails','value':[]}", "emails", NULL},
	{"{'op':'replace','value':{'id':'" ID "','displayName':'B','meta':1,'groups':[],'nobodys':1}}", "displayName", "'B'"},
	{"{'op':'replace','path':'roles','value':'x'}", "roles", NULL},
	{"{'op':'replace','path':'urn:other:2.0:X:y','value':'x'}", "y", NULL},
};

static json_t *one_operation(const char *operation)
{
	return parse(arena_printf(A, "{'schemas':['urn:ietf:params:scim:api:messages:2.0:PatchOp'],'Operations':[%s]}", operation));
}

/* Quotes inside of a JSON text inside of single quotes. */
static const char *inner(const char *text)
{
	char *out = arena_strdup(A, text), *to = out;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\\' && p[1] == '\'') {
			*to++ = '\\';
			*to++ = '"';
			p++;
		} else
			*to++ = *p;
	}
	*to = '\0';
	return out;
}

static void patches(void **state)
{
	for (size_t i = 0; i < sizeof PATCHES / sizeof PATCHES[0]; i++) {
		struct scim_member_step *steps;
		auto_json *doc = parse(DOC), *body = one_operation(inner(PATCHES[i].operation));
		S.detail = NULL;
		if (scim_patch_apply(&S, SCIM_USER, body, doc, &steps) != OK)
			fail_msg("%s: %s", PATCHES[i].operation, S.detail);
		const char *name = PATCHES[i].attribute;
		json_t *have = json_object_get(doc, *name == '"' ? scim_schema_urn(SCIM_ENTERPRISE_USER) : name);
		if (PATCHES[i].want == NULL) {
			if (have != NULL)
				fail_msg("%s: %s is there", PATCHES[i].operation, name);
			continue;
		}
		auto_json *want = parse(arena_printf(A, "{'x':%s}", PATCHES[i].want));
		if (have == NULL || !json_equal(json_object_get(want, "x"), have))
			fail_msg("%s: %s", PATCHES[i].operation, json_dumps(have, JSON_ENCODE_ANY));
	}
}

static void refusals(void **state)
{
	static const struct {
		const char *operation;
		enum err err;
	} bad[] = {
		{"{'op':'remove'}", ERR_NO_TARGET},
		{"{'op':'replace','path':'emails[value sw \\'q\\'].type','value':'home'}", ERR_NO_TARGET},
		{"{'op':'replace','path':'nobodys','value':'x'}", ERR_BAD_PATH},
		{"{'op':'replace','path':'emails[nobodys eq 1].type','value':'home'}", ERR_BAD_PATH},
		{"{'op':'replace','path':'displayName[value eq 1]','value':'home'}", ERR_BAD_PATH},
		{"{'op':'replace','path':'name..x','value':'home'}", ERR_BAD_PATH},
		{"{'op':'replace','path':7,'value':'home'}", ERR_BAD_PATH},
		{"{'op':'replace','path':'displayName','value':7}", ERR_BAD_REQUEST},
		{"{'op':'replace','path':'active','value':'perhaps'}", ERR_BAD_REQUEST},
		{"{'op':'replace','value':'x'}", ERR_BAD_REQUEST},
		{"{'op':'replace','path':'groups','value':[]}", ERR_MUTABILITY},
		{"{'op':'replace','path':'meta.version','value':'x'}", ERR_MUTABILITY},
		{"{'op':'replace','path':'id','value':'x'}", ERR_MUTABILITY},
		{"{'op':'replace','value':{'id':'x'}}", ERR_MUTABILITY},
		{"{'op':'remove','path':'userName'}", ERR_MUTABILITY},
		{"{'op':'remove','path':'active'}", ERR_MUTABILITY},
		{"{'op':'move','path':'displayName'}", ERR_BAD_SYNTAX},
		{"{}", ERR_BAD_SYNTAX},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct scim_member_step *steps;
		auto_json *doc = parse(DOC), *body = one_operation(inner(bad[i].operation));
		S.detail = NULL;
		enum err err = scim_patch_apply(&S, SCIM_USER, body, doc, &steps);
		if (err != bad[i].err || S.detail == NULL)
			fail_msg("%s: %s", bad[i].operation, err_name(err));
	}
}

/* What happens to members, in a line: "+1" added, "-2" removed, "0" all. */
static const char *members_of(const char *operations)
{
	struct scim_member_step *steps;
	auto_json *doc = parse("{'id':'" ID "','displayName':'A'}"), *body = one_operation(inner(operations));
	const char *line = "";
	S.detail = NULL;
	if (scim_patch_apply(&S, SCIM_GROUP, body, doc, &steps) != OK)
		return err_name(scim_patch_apply(&S, SCIM_GROUP, body, doc, &steps));
	for (; steps != NULL; steps = steps->next)
		line = steps->what == SCIM_MEMBERS_CLEAR ? arena_printf(A, "%s0", line) : arena_printf(A, "%s%s%zu", line, steps->what == SCIM_MEMBERS_ADD ? "+" : "-", steps->n);
	return line;
}

static void members(void **state)
{
#define ONE "{'value':'" ID "'}"
#define TWO "{'$ref':null,'value':'" ID2 "'}"
	assert_string_equal(members_of("{'op':'Add','path':'members','value':[" ONE "," TWO "]}"), "+2");
	assert_string_equal(members_of("{'op':'add','path':'members','value':" ONE "}"), "+1");
	assert_string_equal(members_of("{'op':'add','value':{'members':[" ONE "]}}"), "+1");
	assert_string_equal(members_of("{'op':'Remove','path':'members','value':[" ONE "," TWO "]}"), "-2"); /* not all */
	assert_string_equal(members_of("{'op':'Remove','path':'members','value':[]}"), "-0");
	assert_string_equal(members_of("{'op':'remove','path':'members[value eq \\'" ID "\\']'}"), "-1");
	assert_string_equal(members_of("{'op':'remove','path':'members[value eq \\'" ID "\\' or value eq \\'" ID2 "\\']'}"), "-1-1");
	assert_string_equal(members_of("{'op':'remove','path':'members[value eq \\'nobody\\']'}"), "-0");
	assert_string_equal(members_of("{'op':'remove','path':'members'}"), "0");
	assert_string_equal(members_of("{'op':'replace','path':'members','value':[" ONE "]}"), "0+1");
	assert_string_equal(members_of("{'op':'replace','value':{'id':'" ID "','displayName':'B','members':[" ONE "]}}"), "0+1");
	assert_string_equal(members_of("{'op':'remove','path':'members[display eq \\'x\\']'}"), "BAD_PATH");
	assert_string_equal(members_of("{'op':'remove','path':'members[not (value eq \\'" ID "\\')]'}"), "BAD_PATH");
	assert_string_equal(members_of("{'op':'remove','path':'members.value'}"), "MUTABILITY");
	assert_string_equal(members_of("{'op':'replace','path':'members[value eq \\'" ID "\\']','value':" ONE "}"), "MUTABILITY");
	assert_string_equal(members_of("{'op':'add','path':'members','value':[{'value':'7'}]}"), "BAD_REQUEST");
	assert_string_equal(members_of("{'op':'add','path':'members','value':[{'value':'" ID "','type':'Group'}]}"), "BAD_REQUEST");
}

/* A whole body in every dress is one document. */
static void bodies(void **state)
{
	static const char *const same[] = {
		"{'userName':'a','active':true,'emails':[{'value':'x@y','type':'work'}]," E ":{'department':'IT','manager':{'value':'7'}}}",
		"{'USERNAME':'a','Active':'True','emails':{'value':'x@y','type':'work'},'URN:IETF:params:scim:schemas:extension:enterprise:2.0:user':{'Department':'IT','manager':'7'}}",
		"{'schemas':['x'],'id':'7','meta':{},'groups':[],'password':'p','unknown':{},'userName':'a','active':true,'nickName':null,'title':'','name':{}," 
		"'emails':[{'value':'x@y','type':'work','display':null},{'type':'home'},{}]," E ":{'department':'IT','manager':{'$ref':'https://h/scim/v2/Users/7','displayName':'x'}}}",
		"{'urn:ietf:params:scim:schemas:core:2.0:User':{'userName':'a','active':true},'emails':[{'value':'x@y','type':'work'}]," E ":{'department':'IT','manager':[{'value':'7'}]}}",
	};
	auto_json *want = parse(same[0]);
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
		auto_json *body = parse(same[i]);
		json_t *made;
		S.detail = NULL;
		if (scim_document(&S, SCIM_USER, body, &made) != OK)
			fail_msg("%s: %s", same[i], S.detail);
		auto_json *doc = made;
		if (!json_equal(want, doc))
			fail_msg("%s: %s", same[i], json_dumps(doc, 0));
		assert_int_equal(scim_document_check(&S, SCIM_USER, doc), OK);
	}
}

/* Two names that are one to a provider are one here; a userPrincipalName is always valid. */
static void user_names(void **state)
{
	static const char *const names[] = {"a@b.example", "jdoe", "J Doe", "é", "a@b@c", "@", "a@", ".", "name with \"quotes\"", "x"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *upn = scim_upn(A, names[i]);
		assert_null(upn_problem(upn));
		assert_int_equal(strcmp(upn, names[i]) == 0, upn_problem(names[i]) == NULL);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(upn_key(A, upn), upn_key(A, scim_upn(A, names[k])));
	}
	assert_string_equal(scim_upn(A, "jdoe"), "jdoe@username.invalid");
	assert_string_equal(upn_key(A, scim_upn(A, "J DOE")), upn_key(A, scim_upn(A, "j doe")));
}

/* Every property that the table names is there, and every sub-attribute stands behind its parent. */
static void table(void **state)
{
	size_t n;
	const struct scim_attribute *a = scim_attributes(&n);
	for (size_t i = 0; i < n; i++) {
		struct scim_place p;
		struct scim_path path;
		const char *text = arena_printf(A, "%s:%s", scim_schema_urn(a[i].schema), a[i].path);
		assert_int_equal(scim_path_parse(&S, text, strlen(text), &path), OK);
		assert_true(scim_resolve(a[i].resource, &path, &p));
		assert_ptr_equal(p.sub != NULL ? p.sub : p.attr, &a[i]);
		if (a[i].type == SCIM_STRING && !(a[i].flags & (SCIM_READ_ONLY | SCIM_COMMON)))
			assert_true(a[i].most > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patches), cmocka_unit_test(refusals),	 cmocka_unit_test(members),
		cmocka_unit_test(bodies),  cmocka_unit_test(user_names), cmocka_unit_test(table),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, up, down);
}
