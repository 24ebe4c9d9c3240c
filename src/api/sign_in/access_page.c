/* SPDX-License-Identifier: Apache-2.0
 *
 * /account/access: every permission there is, whether the person who is signed in has it, and by which role; ?permission=…: why, or what is
 * missing and who could give it.
 */
#include <string.h>

#include "api/sign_in/cookie.h"
#include "api/sign_in/pages.h"
#include "codec/form.h"
#include "codec/html.h"
#include "directory/access/explain.h"
#include "directory/access/role.h"

enum err access_page_show(struct call *c);

static void escape_in(struct buf *b, const char *before, const char *text, const char *after)
{
	buf_adds(b, before);
	html_name_escape(b, text);
	buf_adds(b, after);
}

/* ---- all of them ---- */

static void write_row(struct buf *b, struct call *c, const struct permission_info *p)
{
	const struct access *a = c->s.actor.access;
	const struct access_grant *by = NULL;
	for (size_t i = 0; i < a->n; i++) /* one for everybody, where there is one */
		if (permission_granted(a->grants[i].permissions, p->name) && (by == NULL || id_is_nil(a->grants[i].scope_group)))
			by = &a->grants[i];
	buf_printf(b, "<tr><td>%s</td><td>", by != NULL ? "yes" : "no");
	html_escape(b, p->text);
	buf_printf(b, "<br><a href=\"/account/access?permission=%s\">%s</a></td><td>", p->name, p->name);
	if (by != NULL)
		html_name_escape(b, by->role_name);
	buf_adds(b, "</td></tr>\n");
}

static enum err write_all(struct call *c)
{
	size_t n;
	const struct permission_info *table = permission_table(&n);
	struct buf *b = page_begin(c, NULL, "What I may do, and why");
	buf_adds(b, "<p>By the roles that you hold, directly or through a group. Follow a permission to see why.</p>\n"
		    "<table><tr><th></th><th>What</th><th>Role</th></tr>\n");
	for (size_t i = 0; i < n; i++)
		if (table[i].reach != REACH_INSTALLATION)
			write_row(b, c, &table[i]);
	buf_adds(b, "</table>\n<p><a href=\"/account\">My account</a></p>\n");
	return sign_in_page_end(c, 200);
}

/* ---- one ---- */

static void write_because(struct buf *b, const struct access_because *v)
{
	escape_in(b, "<li>You hold the role <strong>", v->grant->role_name, "</strong>");
	if (v->group_name != NULL)
		escape_in(b, ", through the group <strong>", v->group_name, "</strong>");
	if (v->scope_name != NULL)
		escape_in(b, ", for the members of <strong>", v->scope_name, "</strong>");
	else
		buf_adds(b, ", for everybody");
	buf_adds(b, ".</li>\n");
}

static void write_missing(struct buf *b, const struct access_explanation *x)
{
	buf_adds(b, "<p>You may not: no role that you hold allows it. These roles would:</p>\n<ul>\n");
	for (size_t i = 0; i < x->role_n; i++)
		escape_in(b, "<li>", x->roles[i], "</li>\n");
	buf_adds(b, "</ul>\n<p>Who could give you one:</p>\n<ul>\n");
	for (size_t i = 0; i < x->giver_n; i++) {
		escape_in(b, "<li>", x->givers[i].who.name, "");
		buf_printf(b, " (%s)</li>\n", x->givers[i].who.type[0] == 'u' ? "person" : x->givers[i].who.type);
	}
	buf_adds(b, x->giver_n == 0 ? "<li>nobody at present</li>\n</ul>\n" : "</ul>\n");
}

static enum err write_one(struct call *c, const struct permission_info *p)
{
	char me[ID_TEXT];
	struct access_explanation x;
	TRY(access_explain(&c->s, id_format(c->s.actor.id, me), p->name, &x));
	struct buf *b = page_begin(c, NULL, p->name);
	buf_adds(b, "<p>To ");
	html_escape(b, p->text);
	buf_adds(b, ".</p>\n");
	if (x.because_n > 0) {
		buf_adds(b, "<p>You may:</p>\n<ul>\n");
		for (size_t i = 0; i < x.because_n; i++)
			write_because(b, &x.because[i]);
		buf_adds(b, "</ul>\n");
	} else {
		write_missing(b, &x);
	}
	buf_adds(b, "<p><a href=\"/account/access\">All permissions</a></p>\n");
	return sign_in_page_end(c, 200);
}

enum err access_page_show(struct call *c)
{
	struct form_field f[] = {{.name = "permission", .max_bytes = 128}};
	const char *query = c->in->query == NULL ? "" : c->in->query;
	size_t n;
	const struct permission_info *table = permission_table(&n);
	if (!page_within(c, LIMIT_PAGES, NULL))
		return OK;
	if (!sign_in_who(c))
		return sign_in_see_other(c, "/signin");
	if (!form_parse(c->s.arena, query, strlen(query), f, 1))
		return page_not_found(c);
	for (size_t i = 0; i < n; i++)
		if (table[i].reach != REACH_INSTALLATION && strcmp(table[i].name, f[0].value) == 0)
			return write_one(c, &table[i]);
	return *f[0].value == '\0' ? write_all(c) : page_not_found(c);
}
