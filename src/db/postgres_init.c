/* SPDX-License-Identifier: Apache-2.0
 *
 * Making a PostgreSQL database ours: two roles, their rights, the schema.
 *
 * Promises: neither role is a superuser or passes row security; their passwords are random and reach the server only as
 * SCRAM verifiers, so that no log of statements holds them; a database that holds tables already is refused untouched.
 * A role of the same name that is there (of a database that was dropped) gets a new password.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "db/postgres_internal.h"

enum { PASSWORD_BYTES = 24, NAME_MAX_BYTES = 63 };

struct role {
	char name[NAME_MAX_BYTES + 1];
	char password[2 * PASSWORD_BYTES + 1];
};

/* ---- conninfo ---- */

static void conninfo_add(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, "%s%s='", b->len == 0 ? "" : " ", key);
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			buf_addc(b, '\\');
		buf_addc(b, *value);
	}
	buf_addc(b, '\'');
}

/* What is the administrator's own is not handed on. */
static bool is_personal(const char *key)
{
	static const char *const keys[] = {"user",        "password", "passfile", "sslcert", "sslkey",
					   "sslpassword", "host",     "port",     "dbname"};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

/* The administrator's conninfo with another user; host, port and database as they turned out to be. */
static char *conninfo_for(const struct pg_conn *c, const char *admin_url, const struct role *r)
{
	PQconninfoOption *options = PQconninfoParse(admin_url, NULL);
	if (options == NULL)
		return NULL;
	struct buf b;
	buf_init(&b, 16 * KIB);
	conninfo_add(&b, "host", PQhost(c->pg));
	conninfo_add(&b, "port", PQport(c->pg));
	conninfo_add(&b, "dbname", PQdb(c->pg));
	conninfo_add(&b, "user", r->name);
	conninfo_add(&b, "password", r->password);
	for (PQconninfoOption *o = options; o->keyword != NULL; o++)
		if (o->val != NULL && !is_personal(o->keyword))
			conninfo_add(&b, o->keyword, o->val);
	PQconninfoFree(options);
	return buf_steal(&b, NULL);
}

/* ---- roles ---- */

static enum err role_make(struct pg_conn *c, const char *suffix, struct role *r, char **detail)
{
	unsigned char raw[PASSWORD_BYTES];
	random_bytes(raw, sizeof raw);
	hex_encode(raw, sizeof raw, r->password);
	if (snprintf(r->name, sizeof r->name, "%s_%s", PQdb(c->pg), suffix) >= (int)sizeof r->name)
		return db_detail(detail, ERR_CONFIG, "the database's name \"%s\" is too long for its roles",
				 PQdb(c->pg));
	return OK;
}

static enum err role_create(struct pg_conn *c, const struct role *r, char **detail)
{
	char *verifier = PQencryptPasswordConn(c->pg, r->password, r->name, "scram-sha-256");
	char *name = PQescapeIdentifier(c->pg, r->name, strlen(r->name));
	char *literal = PQescapeLiteral(c->pg, r->name, strlen(r->name));
	enum err e = ERR_UNAVAILABLE;
	struct buf b;
	buf_init(&b, 4 * KIB);
	if (verifier != NULL && name != NULL && literal != NULL) {
		int64_t exists = 0;
		buf_printf(&b, "SELECT count(*) FROM pg_roles WHERE rolname = %s", literal);
		e = pg_query_int(c, b.data, &exists, detail);
		buf_clear(&b);
		/* Only a superuser may name SUPERUSER or BYPASSRLS at all, so they are named where there is something
		 * to take away. */
		buf_printf(&b, "%s ROLE %s LOGIN NOCREATEDB NOCREATEROLE PASSWORD '%s'", exists ? "ALTER" : "CREATE",
			   name, verifier);
		if (e == OK)
			e = pg_exec_text(c, b.data, detail);
		buf_clear(&b);
		buf_printf(&b, "SELECT count(*) FROM pg_roles WHERE rolname = %s AND (rolsuper OR rolbypassrls)",
			   literal);
		if (e == OK)
			e = pg_query_int(c, b.data, &exists, detail);
		if (e == OK && exists)
			e = db_detail(detail, ERR_EXISTS, "the role %s exists and bypasses row security: drop it",
				      r->name);
	}
	buf_release(&b);
	PQfreemem(verifier);
	PQfreemem(name);
	PQfreemem(literal);
	return e;
}

/* What helps and what not every administrator can give: we live without it. */
static const struct {
	const char *sql;
	bool names_database; /* before the owner */
} extras[] = {
	{"GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO %s", false},
	{"GRANT pg_checkpoint TO %s", false},
	{"ALTER DATABASE %s OWNER TO %s", true}, /* statistics hold values, and only the database's owner may rewrite them */
	/* Else row security keeps lower() from every index, and a mail address is looked for in all rows.  It is: it tells nothing of its argument. */
	{"ALTER FUNCTION pg_catalog.lower(text) LEAKPROOF", false},
};

static enum err extras_grant(struct pg_conn *c, const char *db, const char *owner, char **detail)
{
	enum err e = OK;
	for (size_t i = 0; i < sizeof extras / sizeof *extras && e == OK; i++) {
		char *sql = NULL;
		if (asprintf(&sql, extras[i].sql, extras[i].names_database ? db : owner, owner) < 0)
			return ERR_UNAVAILABLE;
		e = pg_exec_text(c, "SAVEPOINT extra", detail);
		if (e == OK && pg_exec_text(c, sql, NULL) != OK)
			e = pg_exec_text(c, "ROLLBACK TO extra", detail);
		free(sql);
	}
	return e;
}

static enum err rights_grant(struct pg_conn *c, const struct role *owner, const struct role *app, char **detail)
{
	char *db = PQescapeIdentifier(c->pg, PQdb(c->pg), strlen(PQdb(c->pg)));
	char *o = PQescapeIdentifier(c->pg, owner->name, strlen(owner->name));
	char *a = PQescapeIdentifier(c->pg, app->name, strlen(app->name));
	enum err e = ERR_UNAVAILABLE;
	struct buf b;
	buf_init(&b, 4 * KIB);
	if (db != NULL && o != NULL && a != NULL) {
		buf_printf(&b,
			   "REVOKE CREATE ON SCHEMA public FROM PUBLIC; REVOKE ALL ON DATABASE %s FROM PUBLIC;"
			   "GRANT CONNECT ON DATABASE %s TO %s, %s; GRANT USAGE, CREATE ON SCHEMA public TO %s;"
			   "GRANT USAGE ON SCHEMA public TO %s",
			   db, db, o, a, o, a);
		e = pg_exec_text(c, b.data, detail);
	}
	if (e == OK)
		e = extras_grant(c, db, o, detail);
	buf_release(&b);
	PQfreemem(db);
	PQfreemem(o);
	PQfreemem(a);
	return e;
}

/* ---- steps ---- */

static enum err suits(struct pg_conn *c, char **detail)
{
	int64_t tables = 0;
	const char *encoding = PQparameterStatus(c->pg, "server_encoding");
	if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
		return db_detail(detail, ERR_CONFIG, "the database's encoding is %s: make it with ENCODING 'UTF8'",
				 encoding == NULL ? "unknown" : encoding);
	TRY(pg_query_int(
		c,
		"SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')",
		&tables, detail));
	return tables == 0 ? OK
			   : db_detail(detail, ERR_EXISTS, "the database \"%s\" holds tables already", PQdb(c->pg));
}

static enum err roles_make(struct pg_conn *c, const struct role *owner, const struct role *app, char **detail)
{
	TRY(pg_exec_text(c, "BEGIN", detail));
	enum err e = role_create(c, owner, detail);
	if (e == OK)
		e = role_create(c, app, detail);
	if (e == OK)
		e = rights_grant(c, owner, app, detail);
	if (e == OK)
		return pg_exec_text(c, "COMMIT", detail);
	enum err ignored = pg_exec_text(c, "ROLLBACK", NULL);
	(void)ignored; /* the connection ends anyway */
	return e;
}

static enum err init_steps(struct pg_conn *c, const char *admin_url, const struct db_migration *list, char **ret_app,
			   char **ret_owner, char **detail)
{
	struct role owner, app;
	TRY(suits(c, detail));
	TRY(role_make(c, "owner", &owner, detail));
	TRY(role_make(c, "app", &app, detail));
	TRY(roles_make(c, &owner, &app, detail));
	*ret_app = conninfo_for(c, admin_url, &app);
	*ret_owner = conninfo_for(c, admin_url, &owner);
	if (*ret_app == NULL || *ret_owner == NULL)
		return ERR_UNAVAILABLE;
	return pg_migrate(*ret_owner, list, detail);
}

enum err postgres_init(const char *admin_url, const struct db_migration *list, char **ret_app, char **ret_owner,
		       char **detail)
{
	struct pg_conn *c = NULL;
	TRY(pg_connect(admin_url, &c, detail));
	enum err e = init_steps(c, admin_url, list, ret_app, ret_owner, detail);
	pg_conn_free(c);
	if (e == OK)
		return OK;
	free(*ret_app);
	free(*ret_owner);
	*ret_app = *ret_owner = NULL;
	return e;
}
