/* SPDX-License-Identifier: Apache-2.0
 * Any body of SCIM is refused with a reason, or leaves a document in the one form: what the schemas know, of the right types, without what is
 * read-only.  Input: a JSON object; it is taken as a PatchOp and as a whole resource, of a user and of a group. */
#include "fuzz.h"

#include "codec/json.h"
#include "directory/provisioning/document.h"

static const char USER[] =
	"{\"id\":\"01a205e6-4e6b-74e1-8000-cfce3f171ab8\",\"userName\":\"a@b\",\"displayName\":\"A\",\"active\":true,\"name\":{\"givenName\":\"A\"},"
	"\"emails\":[{\"value\":\"x@y\",\"type\":\"work\",\"primary\":true},{\"value\":\"z@y\"}],\"addresses\":[{\"type\":\"work\",\"locality\":\"T\"}],"
	"\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\":{\"department\":\"IT\",\"manager\":{\"value\":\"7\"}}}";
static const char GROUP[] = "{\"id\":\"01a205e6-4e6b-74e1-8000-cfce3f171ab8\",\"displayName\":\"A\"}";

static void whole(const struct scim_attribute *a, const json_t *v, bool element)
{
	const char *key;
	json_t *x;
	size_t i;
	if ((a->flags & SCIM_MULTI) && !element) {
		check(json_is_array(v) && json_array_size(v) > 0);
		json_array_foreach(v, i, x)
			whole(a, x, true);
	} else if (a->type == SCIM_COMPLEX) {
		check(json_is_object(v) && json_object_size(v) > 0);
		json_object_foreach((json_t *)v, key, x) {
			const struct scim_attribute *sub = scim_sub(a, key);
			check(sub != NULL && strcmp(sub->name, key) == 0 && !(sub->flags & SCIM_READ_ONLY));
			whole(sub, x, false);
		}
	} else if (a->type == SCIM_BOOLEAN)
		check(json_is_boolean(v));
	else
		check(json_is_string(v) && json_string_length(v) > 0 && (a->most == 0 || json_string_length(v) <= a->most));
}

static void part(enum scim_resource r, enum scim_schema schema, const json_t *object)
{
	const char *key;
	json_t *v;
	enum scim_schema named;
	json_object_foreach((json_t *)object, key, v) {
		if (scim_schema_named(key, &named) && scim_is_extension(named)) {
			part(r, named, v);
			continue;
		}
		const struct scim_attribute *a = scim_top(r, schema, key);
		check(a != NULL && strcmp(a->name, key) == 0);
		if (strcmp(key, "id") != 0 && strcmp(key, "members") != 0)
			whole(a, v, false);
	}
}

static void try_one(struct scope *s, enum scim_resource r, const json_t *body, const char *text)
{
	struct scim_member_step *steps = NULL;
	auto_json *doc = json_loads(text, 0, NULL);
	json_t *made = NULL;
	s->detail = NULL;
	enum err e = scim_patch_apply(s, r, body, doc, &steps);
	if (e == OK)
		part(r, scim_core_of(r), doc);
	else
		fuzz_refused(s, e);
	for (; e == OK && steps != NULL; steps = steps->next)
		check(r == SCIM_GROUP && (steps->n == 0 || steps->users != NULL));
	s->detail = NULL;
	e = scim_document(s, r, body, &made);
	auto_json *document = made;
	if (e != OK) {
		fuzz_refused(s, e);
		return;
	}
	part(r, scim_core_of(r), document);
	struct scim_projection only;
	scim_projection_of(s, "emails.value,name,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", NULL, &only);
	scim_project(r, &only, document);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct scope *s = fuzz_scope();
	json_t *read;
	if (n > 64 * KIB || json_read(s, (const char *)bytes, n, &read) != OK)
		return 0;
	auto_json *body = read;
	try_one(s, SCIM_USER, body, USER);
	try_one(s, SCIM_GROUP, body, GROUP);
	return 0;
}
