/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking for byte strings in the files of a PostgreSQL server on this machine: those of our database, each told with its table, and whatever else
 * the server writes (its write-ahead log, temporary files, statistics), but not those of other databases.
 *
 * https://www.postgresql.org/docs/15/storage-file-layout.html.  What the server has in memory and not on disk yet is there after the checkpoint that
 * a scrub ends with.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "db/postgres_internal.h"

enum { DEPTH_MAX = 6, PATH_BYTES = 512 };

/* The number that a file is named by, and whose it is: of an index and of a TOAST table the table's, of a partition its parent's. */
static const char relations[] =
	"SELECT pg_relation_filenode(c.oid), coalesce(p.relname, m.relname) FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid "
	"LEFT JOIN pg_class t ON t.reltoastrelid = coalesce(i.indrelid, c.oid) JOIN pg_class m ON m.oid = coalesce(t.oid, i.indrelid, c.oid) "
	"LEFT JOIN pg_inherits h ON h.inhrelid = m.oid LEFT JOIN pg_class p ON p.oid = h.inhparent "
	"WHERE pg_relation_filenode(c.oid) IS NOT NULL";

struct relation {
	unsigned long node;
	char table[sizeof((struct db_hit *)0)->table];
};

struct scan {
	struct pg_db *d;
	struct arena *a;
	struct db_needle *needles; /* of one file */
	uint64_t *sums;
	size_t n;
	struct relation *relations;
	size_t relation_n;
	char database[24]; /* its directory's name */
	struct db_hit *hits;
	size_t hit_n, room;
};

/* ---- whose file ---- */

static enum err read_relations(struct scan *s, struct pg_conn *c)
{
	bool again;
	int64_t oid;
	TRY(pg_query_int(c, "SELECT oid FROM pg_database WHERE datname = current_database()", &oid, NULL));
	snprintf(s->database, sizeof s->database, "%lld", (long long)oid);
	PGresult *res = PQexec(c->pg, relations);
	enum err e = PQresultStatus(res) == PGRES_TUPLES_OK ? OK : pg_error(c, res, &again);
	s->relations = arena_alloc(s->a, (size_t)(PQntuples(res) + 1) * sizeof *s->relations);
	for (int i = 0; e == OK && i < PQntuples(res); i++) {
		struct relation *r = &s->relations[s->relation_n++];
		r->node = strtoul(PQgetvalue(res, i, 0), NULL, 10);
		snprintf(r->table, sizeof r->table, "%.63s", PQgetvalue(res, i, 1));
	}
	PQclear(res);
	return e;
}

/* A directory of that name may be another server's. */
static bool is_this_server(const struct scan *s, struct pg_conn *c)
{
	char path[PATH_BYTES];
	PGresult *res = PQexec(c->pg, "SELECT pg_relation_filepath('public.schema_migrations'), current_setting('server_version_num')");
	bool good = PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) == 1;
	if (good) {
		snprintf(path, sizeof path, "%s/%s", s->d->data_dir, PQgetvalue(res, 0, 0));
		good = access(path, R_OK) == 0;
	}
	PQclear(res);
	return good;
}

static const char *table_of(const struct scan *s, const char *name)
{
	unsigned long node = strtoul(name, NULL, 10); /* NODE, NODE.1, NODE_fsm */
	for (size_t i = 0; node != 0 && i < s->relation_n; i++)
		if (s->relations[i].node == node)
			return s->relations[i].table;
	return NULL;
}

/* ---- reading ---- */

static void add_hit(struct scan *s, size_t needle, const char *table, bool dead)
{
	s->sums[needle] += s->needles[needle].hits;
	for (size_t i = 0; i < s->hit_n; i++)
		if (s->hits[i].needle == needle && s->hits[i].dead == dead && strcmp(s->hits[i].table, table) == 0) {
			s->hits[i].hits += s->needles[needle].hits;
			return;
		}
	if (s->hit_n == s->room) {
		s->room = s->room == 0 ? 64 : 2 * s->room;
		struct db_hit *more = arena_alloc(s->a, s->room * sizeof *more);
		if (s->hit_n > 0)
			memcpy(more, s->hits, s->hit_n * sizeof *more);
		s->hits = more;
	}
	struct db_hit *h = &s->hits[s->hit_n++];
	*h = (struct db_hit){.needle = needle, .dead = dead, .hits = s->needles[needle].hits};
	snprintf(h->table, sizeof h->table, "%.63s", table); /* names have 63 bytes at most */
}

/* top: the directory below data_dir; relation: it is one of the database's files. */
static enum err read_file(struct scan *s, int fd, const char *name, const char *top, bool relation)
{
	const char *table = relation ? table_of(s, name) : NULL;
	enum err e = db_scan_file(fd, s->needles, s->n);
	for (size_t i = 0; e == OK && i < s->n; i++)
		if (s->needles[i].hits > 0) {
			add_hit(s, i, table != NULL ? table : top, table == NULL);
			if (strcmp(top, "pg_wal") == 0)
				atomic_store(&s->d->wal_dirty, true);
		}
	return e;
}

static bool is_number(const char *name)
{
	return *name != '\0' && strspn(name, "0123456789") == strlen(name);
}

static enum err read_dir(struct scan *s, int fd, const char *top, int depth, bool relation);

/* A link is followed below pg_tblspc, and nowhere else; what went meanwhile is gone. */
static enum err read_entry(struct scan *s, int dir, const char *name, const char *top, int depth, bool relation)
{
	struct stat st;
	bool link = depth == 1 && strcmp(top, "pg_tblspc") == 0, database = depth > 0 && is_number(name);
	int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | (link ? 0 : O_NOFOLLOW));
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == ENXIO ? OK : ERR_IO;
	enum err e = fstat(fd, &st) != 0 ? ERR_IO : OK;
	if (e == OK && S_ISDIR(st.st_mode)) {
		if (database && !link && strcmp(name, s->database) != 0) { /* another's */
			close(fd);
			return OK;
		}
		return read_dir(s, fd, depth == 0 ? name : top, depth + 1, relation || (database && !link));
	}
	if (e == OK && S_ISREG(st.st_mode))
		e = read_file(s, fd, name, depth == 0 ? name : top, relation);
	close(fd);
	return e;
}

static enum err read_dir(struct scan *s, int fd, const char *top, int depth, bool relation)
{
	DIR *d = depth > DEPTH_MAX ? NULL : fdopendir(fd);
	enum err e = OK;
	if (d == NULL) {
		close(fd);
		return ERR_IO;
	}
	for (struct dirent *entry; e == OK && (entry = readdir(d)) != NULL;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			e = read_entry(s, fd, entry->d_name, top, depth, relation);
	closedir(d);
	return e;
}

static enum err read_all(struct scan *s)
{
	struct pg_conn *c = NULL;
	TRY(pg_connect(s->d->url, &c, NULL));
	bool ours = is_this_server(s, c);
	enum err e = ours ? read_relations(s, c) : ERR_NOT_IMPLEMENTED;
	pg_conn_free(c);
	if (!ours)
		log_event(LOG_WARN, "db.files", "detail=\"postgres_data_dir is not the directory of this server, or not readable: nothing is scanned\"");
	TRY(e);
	int fd = open(s->d->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? ERR_IO : read_dir(s, fd, "", 0, false);
}

enum err pg_scan_tables(struct db *db, struct arena *a, struct db_needle *needles, size_t n, struct db_hit **ret, size_t *ret_n)
{
	struct scan s = {.d = (struct pg_db *)db, .a = a, .n = n};
	if (s.d->data_dir == NULL)
		return ERR_NOT_IMPLEMENTED;
	s.needles = arena_alloc(a, (n + 1) * sizeof *s.needles);
	if (n > 0)
		memcpy(s.needles, needles, n * sizeof *needles);
	s.sums = arena_alloc(a, (n + 1) * sizeof *s.sums);
	memset(s.sums, 0, (n + 1) * sizeof *s.sums);
	TRY(read_all(&s));
	for (size_t i = 0; i < n; i++)
		needles[i].hits = s.sums[i];
	*ret = s.hits;
	*ret_n = s.hit_n;
	return OK;
}

int pg_wal_segments(const struct pg_db *d)
{
	int n = 0;
	char path[PATH_BYTES];
	if (d->data_dir == NULL)
		return 0;
	snprintf(path, sizeof path, "%s/pg_wal", d->data_dir);
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
		n += strlen(entry->d_name) == 24; /* a segment's name */
	if (dir != NULL)
		closedir(dir);
	return n;
}
