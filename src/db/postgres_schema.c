/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema on PostgreSQL: migrating as its owner, row security and grants.
 *
 * Promises: after each migration every table with a column tenant_id has row security with a policy on it, and the
 * application role has SELECT, INSERT, UPDATE and DELETE on every table except audit_events (SELECT, INSERT),
 * schema_migrations (SELECT) and partitions (nothing: they are reached through their table).  The owner's functions may
 * be called by that role alone.  A migration cannot forget any of this.
 */
#include <stdlib.h>
#include <string.h>

#include "db/postgres_internal.h"

/* CASE keeps decode() away from '*'.  An unset tenant is NULL or '', which equals no id. */
static const char tenant_function[] = "CREATE OR REPLACE FUNCTION reeve_tenant_ok(row_tenant bytea) RETURNS boolean "
				      "LANGUAGE sql STABLE PARALLEL SAFE AS $$"
				      " SELECT CASE WHEN current_setting('reeve.tenant', true) = '*' THEN true"
				      " ELSE row_tenant = decode(current_setting('reeve.tenant', true), 'hex') END $$";

static const char protect[] =
	"DO $$\n"
	"DECLARE t record; app text := current_database() || '_app';\n"
	"BEGIN\n"
	"  FOR t IN SELECT c.oid::regclass AS name, EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND "
	"p.polname = 'reeve_tenant') AS done\n"
	"    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT "
	"c.relispartition AND EXISTS\n"
	"      (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT "
	"a.attisdropped)\n"
	"  LOOP\n"
	"    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t.name);\n"
	"    IF NOT t.done THEN\n"
	"      EXECUTE format('CREATE POLICY reeve_tenant ON %s USING (reeve_tenant_ok(tenant_id)) WITH CHECK "
	"(reeve_tenant_ok(tenant_id))', t.name);\n"
	"    END IF;\n"
	"  END LOOP;\n"
	"  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = app) THEN RETURN; END IF;\n"
	"  FOR t IN SELECT c.oid::regclass AS name, CASE c.relname WHEN 'audit_events' THEN 'SELECT, INSERT'\n"
	"      WHEN 'schema_migrations' THEN 'SELECT' ELSE 'SELECT, INSERT, UPDATE, DELETE' END AS rights\n"
	"    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT "
	"c.relispartition AND c.relowner = current_user::regrole\n"
	"  LOOP\n"
	"    EXECUTE format('REVOKE ALL ON %s FROM %I', t.name, app);\n"
	"    EXECUTE format('GRANT %s ON %s TO %I', t.rights, t.name, app);\n"
	"  END LOOP;\n"
	"  FOR t IN SELECT p.oid::regprocedure AS name FROM pg_proc p\n"
	"    WHERE p.pronamespace = 'public'::regnamespace AND p.proowner = current_user::regrole\n"
	"  LOOP\n"
	"    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', t.name);\n"
	"    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', t.name, app);\n"
	"  END LOOP;\n"
	"END $$";

enum err pg_schema_version(void *conn, int64_t *ret, char **detail)
{
	int64_t exists = 0;
	*ret = -1;
	TRY(pg_query_int(conn, "SELECT (to_regclass('public.schema_migrations') IS NOT NULL)::int", &exists, detail));
	if (!exists)
		return OK;
	return pg_query_int(conn, "SELECT coalesce(max(version), 0) FROM public.schema_migrations", ret, detail);
}

static enum err migrate_exec(void *ctx, const char *sql, char **detail)
{
	return pg_exec_text(ctx, sql, detail);
}

/* Several servers may start at once: the lock, which goes with the connection, lets one migrate and the others find it
 * done. */
enum err pg_migrate(const char *owner_url, const struct db_migration *list, char **detail)
{
	struct pg_conn *c = NULL;
	TRY(pg_connect(owner_url, &c, detail));
	struct db_migrator m = {.engine = DB_POSTGRES,
				.ctx = c,
				.exec = migrate_exec,
				.version = pg_schema_version,
				.bootstrap = tenant_function,
				.after = protect};
	enum err e = pg_exec_text(
		c, "SET lock_timeout = 0; SET statement_timeout = 0; SELECT pg_advisory_lock(7738151096)", detail);
	if (e == OK)
		e = db_migrate(&m, list, detail);
	pg_conn_free(c);
	return e;
}
