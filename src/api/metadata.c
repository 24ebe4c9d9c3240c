/* SPDX-License-Identifier: Apache-2.0
 * $metadata and the service document: written once per version, then answered from memory. */
#include "api/metadata.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/limits.h"

enum err metadata_document(struct call *c);
enum err metadata_service(struct call *c);

enum { DOCUMENT_BYTES = 4 * 1024 * 1024 };

/* ---- the writing ---- */

/* Names come from our own tables: none needs escaping. */
static const char *plain(const char *text)
{
	check(strpbrk(text, "<>&\"'") == NULL);
	return text;
}

static void write_members(const struct md_type *t, struct buf *out)
{
	for (const struct md_member *p = t->members; p != NULL; p = p->next) {
		buf_printf(out, "<%s Name=\"%s\" Type=\"%s\"", p->navigation ? "NavigationProperty" : "Property", plain(p->name), plain(p->type));
		if (p->contained)
			buf_adds(out, " ContainsTarget=\"true\"");
		if (p->required && strncmp(p->type, "Collection(", 11) != 0)
			buf_adds(out, " Nullable=\"false\"");
		buf_adds(out, "/>");
	}
}

static void write_enum(const struct md_type *t, struct buf *out)
{
	unsigned number = 0;
	buf_printf(out, "<EnumType Name=\"%s\">", plain(t->name));
	for (const char *at = t->values; *at != '\0'; number++) {
		size_t n = strcspn(at, "|"), name_n = strcspn(at, "=|");
		if (name_n < n)
			number = (unsigned)atoi(at + name_n + 1);
		buf_printf(out, "<Member Name=\"%.*s\" Value=\"%u\"/>", (int)name_n, at, number);
		at += n + (at[n] == '|');
	}
	buf_adds(out, "</EnumType>");
}

static void write_type(const struct md_type *t, struct buf *out)
{
	const char *element = t->kind == MD_ENTITY ? "EntityType" : "ComplexType";
	if (t->kind == MD_ENUM) {
		write_enum(t, out);
		return;
	}
	buf_printf(out, "<%s Name=\"%s\"", element, plain(t->name));
	if (t->base != NULL)
		buf_printf(out, " BaseType=\"graph.%s\"", plain(t->base));
	if (t->open)
		buf_adds(out, " OpenType=\"true\"");
	if (t->kind == MD_ENTITY && t->base == NULL)
		buf_adds(out, " Abstract=\"true\"><Key><PropertyRef Name=\"id\"/></Key>");
	else
		buf_adds(out, ">");
	write_members(t, out);
	buf_printf(out, "</%s>", element);
}

static void write_operation(const struct md_operation *o, struct buf *out)
{
	const char *element = o->action ? "Action" : "Function";
	buf_printf(out, "<%s Name=\"%s\" IsBound=\"true\"><Parameter Name=\"bindingParameter\" Type=\"%s\"/>", element, plain(o->name),
		   plain(o->binding));
	if (o->parameter != NULL)
		buf_printf(out, "<Parameter Name=\"%s\" Type=\"Edm.String\"/>", plain(o->parameter));
	if (o->returns != NULL)
		buf_printf(out, "<ReturnType Type=\"%s\"/>", plain(o->returns));
	buf_printf(out, "</%s>", element);
}

void md_write(const struct metadata *m, struct buf *out)
{
	buf_adds(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
		      "<edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\"><edmx:DataServices>"
		      "<Schema Namespace=\"microsoft.graph\" Alias=\"graph\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">");
	for (const struct md_type *t = m->types; t != NULL; t = t->next)
		write_type(t, out);
	for (const struct md_operation *o = m->operations; o != NULL; o = o->next)
		write_operation(o, out);
	buf_adds(out, "<EntityContainer Name=\"GraphService\">");
	for (const struct md_set *s = m->sets; s != NULL; s = s->next)
		buf_printf(out, s->singleton ? "<Singleton Name=\"%s\" Type=\"graph.%s\"/>" : "<EntitySet Name=\"%s\" EntityType=\"graph.%s\"/>",
			   plain(s->name), plain(s->type));
	buf_adds(out, "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>\n");
}

/* ---- once per version ---- */

static struct metadata MADE[2];
static struct buf TEXT[2];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make(enum api_version v)
{
	struct metadata *m = &MADE[v - 1];
	*m = (struct metadata){.arena = arena_new(DOCUMENT_BYTES), .version = v};
	m->types_tail = &m->types;
	m->operations_tail = &m->operations;
	m->sets_tail = &m->sets;
	md_types(m);
	md_routes(m);
	md_close(m);
	buf_init(&TEXT[v - 1], DOCUMENT_BYTES);
	md_write(m, &TEXT[v - 1]);
	check(!TEXT[v - 1].failed);
}

static void make_all(void)
{
	make(API_V1);
	make(API_BETA);
}

/* ---- handlers ---- */

enum err metadata_document(struct call *c)
{
	pthread_once(&once, make_all);
	c->out->content_type = "application/xml";
	http_response_header(c->out, "OData-Version", "4.0");
	buf_add(&c->out->body, TEXT[c->version - 1].data, TEXT[c->version - 1].len);
	return OK;
}

enum err metadata_service(struct call *c)
{
	pthread_once(&once, make_all);
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata", call_base_url(c)));
	jw_key(&w, "value");
	jw_array(&w);
	for (const struct md_set *s = MADE[c->version - 1].sets; s != NULL; s = s->next) {
		jw_object(&w);
		jw_kstring(&w, "name", s->name);
		jw_kstring(&w, "kind", s->singleton ? "Singleton" : "EntitySet");
		jw_kstring(&w, "url", s->name);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	return OK;
}
