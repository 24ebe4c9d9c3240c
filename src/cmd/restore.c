/* SPDX-License-Identifier: Apache-2.0
 *
 * reeve restore FILE: the database out of a sealed copy, for a server that is stopped; `reeve restore verify FILE` checks the report of a replay
 * without any server; the other verbs are requests.
 *
 * What the next start does to a restored database is in privacy/restore/restore.h.  The old database holds what was meant to be left behind, maybe
 * of people who were erased since the copy, and no erasure will ever reach it: so it is removed, unless --keep-old says otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/format.h"
#include "base/clock.h"
#include "base/limits.h"
#include "cmd/cmd.h"
#include "cmd/settings.h"
#include "cmd/verbs.h"
#include "codec/base64.h"
#include "crypto/newfile.h"
#include "keeper/keeper.h"
#include "privacy/restore/restore.h"

int cmd_restore(int argc, char **argv);

static const char HELP[] =
	"usage: reeve restore FILE --data DIR [--keeper PLACE] [--replace [--keep-old]]\n"
	"       reeve restore --keeper PLACE --data DIR\n"
	"       reeve restore verify FILE [--key BASE64]\n\n"
	"Puts the database back from a sealed copy (SQLite; the server is stopped).  The next 'reeve serve' first erases again\n"
	"whoever was erased since the copy was made, and leaves a signed report.\n\n"
	"  --data DIR      the data directory, with its reeve.conf and its keeper\n"
	"  --keeper PLACE  on a new machine: takes keys and ledger from the keeper's second place (keeper_copy); without FILE\n"
	"                  nothing else (PostgreSQL: its own tools restore the database)\n"
	"  --replace       there is a database: it is removed when the copy is whole\n"
	"  --keep-old      with --replace: moved aside instead.  No erasure reaches it there: remove it as soon as you can\n\n";
static const char MORE_HELP[] = "  FILE --data DIR   puts the database back; see 'reeve restore --help'\n"
				"  verify        FILE [--key BASE64]: checks the report of a replay offline; --key: the issuer's public key from a\n"
				"                place you trust\n";

struct restoring {
	const char *file, *data, *place; /* file: NULL, the keeper alone */
	bool replace, keep_old;
	struct scope s;
	struct settings settings;
	const char *path; /* of the database */
	struct backup_header header;
	uint64_t bytes;
	char *detail;
};

/* ---- before anything is touched ---- */

static enum err fail(struct restoring *r, enum err e, const char *text)
{
	r->detail = arena_strdup(r->s.arena, text);
	return e;
}

static enum err find_database(struct restoring *r)
{
	struct stat st;
	if (strncmp(r->settings.database, "sqlite:", 7) != 0)
		return fail(r, ERR_NOT_IMPLEMENTED,
			    "the database is PostgreSQL's: restore it with its own tools (docs/operating/backup.md); 'reeve serve' then follows the "
			    "erasure ledger by itself");
	r->path = r->settings.database + 7;
	if (stat(r->path, &st) == 0 && st.st_size > 0 && !r->replace)
		return fail(r, ERR_EXISTS, arena_printf(r->s.arena, "%s is there: --replace removes it when the copy is whole", r->path));
	return OK;
}

/* What init made besides: a new machine has reeve.conf, and perhaps credentials. */
static enum err make_directories(struct restoring *r)
{
	static const char *const below[] = {"tls", "secrets", "credentials", "exports"};
	for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
		const char *path = data_path(r->s.arena, r->data, below[i]);
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return fail(r, err_from_errno(errno), arena_printf(r->s.arena, "%s: %s", path, strerror(errno)));
	}
	return OK;
}

static enum err open_keeper(struct restoring *r)
{
	char *detail = NULL;
	const char *dir = data_path(r->s.arena, r->data, "keeper");
	const struct keeper_options o = {.copy = r->settings.keeper_copy, .backups = *r->settings.backup_dir != '\0',
					 .backup_days = (int)r->settings.backup_days};
	enum err e = r->place != NULL ? keeper_take(r->place, dir, &detail) : OK;
	if (e == OK)
		e = keeper_open_with(dir, &o, &r->s.keeper, &detail);
	if (e != OK)
		r->detail = arena_strdup(r->s.arena, detail != NULL ? detail : err_text(e));
	free(detail);
	return e;
}

/* The ledger must reach at least as far as it did when the copy was begun: one that does not would bring back who was erased since. */
static enum err check_ledger(struct restoring *r)
{
	uint8_t hash[SHA256_BYTES] = {0};
	uint64_t size = keeper_ledger_size(r->s.keeper);
	if (r->header.ledger > size)
		return fail(r, ERR_CONFIG,
			    arena_printf(r->s.arena, "the erasure ledger ends at entry %" PRIu64 " and the copy was made at entry %" PRIu64
						     ": this keeper is older than the copy, and would bring back who was erased; put back the newest one",
					 size, r->header.ledger));
	if (r->header.ledger > 0)
		TRY(keeper_ledger_hash(r->s.keeper, &r->s, r->header.ledger, hash));
	return memcmp(hash, r->header.ledger_hash, sizeof hash) == 0
		       ? OK
		       : fail(r, ERR_CONFIG, "the erasure ledger is not the one that the copy was made beside: it is of another history");
}

static enum err check_header(struct restoring *r, const struct backup_reader *reader)
{
	r->header = *backup_header(reader);
	if (r->header.kind != BACKUP_SQLITE)
		return fail(r, ERR_BAD_REQUEST, "this is a sealed stream and no copy of an SQLite database: 'reeve backup open' gives it out");
	return check_ledger(r);
}

/* ---- the file ---- */

static enum err copy_content(struct restoring *r, struct backup_reader *reader, struct newfile *f)
{
	const void *p;
	size_t n;
	do {
		TRY(backup_read(&r->s, reader, &p, &n));
		enum err e = n > 0 ? newfile_write(f, p, n) : OK;
		if (e != OK)
			return fail(r, e, arena_printf(r->s.arena, "%s cannot be written: %s", r->path, err_text(e)));
		r->bytes += n;
	} while (n > 0);
	return OK;
}

static enum err move_aside(struct restoring *r, const char *suffix)
{
	const char *from = arena_printf(r->s.arena, "%s%s", r->path, suffix);
	const char *to = arena_printf(r->s.arena, "%s.before-%" PRId64 "%s", r->path, r->s.now / SECOND_US, suffix);
	if (rename(from, to) != 0)
		return errno == ENOENT ? OK : fail(r, err_from_errno(errno), arena_printf(r->s.arena, "%s: %s", from, strerror(errno)));
	printf("kept      %s: no erasure reaches it, remove it as soon as you can\n", to);
	return OK;
}

/* The old log of writes must be gone before the new file has the name: it would be applied to it. */
static enum err clear_way(struct restoring *r)
{
	static const char *const beside[] = {"-shm", "-wal", "-journal"};
	if (r->keep_old)
		TRY(move_aside(r, ""));
	for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
		const char *path = arena_printf(r->s.arena, "%s%s", r->path, beside[i]);
		if (r->keep_old && i == 1)
			TRY(move_aside(r, beside[i]));
		if (unlink(path) != 0 && errno != ENOENT)
			return fail(r, err_from_errno(errno), arena_printf(r->s.arena, "%s: %s", path, strerror(errno)));
	}
	return OK;
}

static enum err write_database(struct restoring *r, struct backup_reader *reader)
{
	struct newfile f;
	enum err e = newfile_begin(&f, AT_FDCWD, r->path);
	if (e != OK)
		return fail(r, e, arena_printf(r->s.arena, "%s cannot be written: %s", r->path, err_text(e)));
	e = copy_content(r, reader, &f);
	if (e == OK)
		e = clear_way(r);
	if (e != OK) {
		newfile_abandon(&f);
		return e;
	}
	e = newfile_commit(&f);
	return e == OK ? OK : fail(r, e, arena_printf(r->s.arena, "%s cannot be written: %s", r->path, err_text(e)));
}

static enum err restore_from(struct restoring *r, int fd)
{
	struct backup_reader *reader = NULL;
	TRY(backup_open(&r->s, fd, &reader));
	enum err e = check_header(r, reader);
	if (e == OK)
		e = write_database(r, reader);
	backup_close(reader);
	return e;
}

static enum err run(struct restoring *r)
{
	TRY(settings_load(r->s.arena, r->data, &r->settings, &r->detail));
	if (r->file != NULL)
		TRY(find_database(r));
	if (r->place != NULL)
		TRY(make_directories(r));
	TRY(open_keeper(r));
	if (r->file == NULL)
		return OK;
	int fd = open(r->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(r, err_from_errno(errno), arena_printf(r->s.arena, "%s: %s", r->file, strerror(errno)));
	enum err e = restore_from(r, fd);
	close(fd);
	return e;
}

static void print_result(const struct restoring *r)
{
	char when[TIME_TEXT];
	if (r->place != NULL)
		printf("keeper    taken from %s, with a ledger of %" PRIu64 " entries\n", r->place, keeper_ledger_size(r->s.keeper));
	if (r->file == NULL)
		return;
	uint64_t behind = keeper_ledger_size(r->s.keeper) - r->header.ledger;
	printf("restored  %s (%" PRIu64 " bytes) as it was at %s\n", r->path, r->bytes, time_format(r->header.created, when));
	printf("ledger    the copy was made at entry %" PRIu64 "; %" PRIu64 " came since\n", r->header.ledger, behind);
	printf("next      'reeve serve' carries out again whatever the database has not followed, before it answers anybody\n");
}

static int restore(struct restoring *r)
{
	scope_system(&r->s, arena_new(LIMIT_ARENA_BYTES), NULL, NULL);
	umask(077);
	enum err e = run(r);
	int code = 0;
	if (e == OK)
		print_result(r);
	else
		code = cmd_fail("restore", e, "%s", r->detail != NULL ? r->detail : scope_detail(&r->s, e));
	keeper_close(r->s.keeper);
	arena_free(r->s.arena);
	return code;
}

/* ---- verify ---- */

static int verify(struct scope *s, const char *file, const char *key_text)
{
	struct restore_summary r;
	char *json, *detail;
	void *key = NULL;
	size_t n;
	if (key_text != NULL && !(base64_decode(s->arena, key_text, strlen(key_text), &key, &n) && n == ED25519_KEY_BYTES))
		return cmd_fail("restore verify", ERR_USAGE, "--key is not the base64 of a 32-byte key");
	enum err e = file_read(s->arena, file, RESTORE_REPORT_FILE_MAX, &json, &detail);
	if (e != OK)
		return cmd_fail("restore verify", e, "%s", detail);
	e = restore_report_check(s, json, strlen(json), key, &r);
	if (e != OK)
		return cmd_fail("restore verify", e, "%s: %s", file, scope_detail(s, e));
	printf("report        %s\nissuer        %s\nissued        %s\n", r.id, r.issuer, r.issued);
	printf("ledger        followed to entry %" PRId64 ", now to entry %" PRId64 "\n", r.followed, r.head);
	printf("erased again  %zu of %zu entries\n", r.erased, r.entries);
	printf("key           %s%s\nverified      yes\n", r.public_key,
	       key == NULL ? " (the file's own: compare it with one that you trust)" : "");
	return 0;
}

static int verify_command(int argc, char **argv)
{
	if (argc != 3 && !(argc == 5 && strcmp(argv[3], "--key") == 0))
		return cmd_fail("restore verify", ERR_USAGE, "usage: reeve restore verify FILE [--key BASE64]");
	struct scope s;
	scope_system(&s, arena_new(4 * LIMIT_ARENA_BYTES), NULL, NULL);
	int code = verify(&s, argv[2], argc == 5 ? argv[4] : NULL);
	arena_free(s.arena);
	return code;
}

/* ---- the command ---- */

static bool parse(int argc, char **argv, struct restoring *r)
{
	static const struct option options[] = {{"data", required_argument, NULL, 'd'}, {"keeper", required_argument, NULL, 'k'},
						{"replace", no_argument, NULL, 'r'}, {"keep-old", no_argument, NULL, 'o'}, {0}};
	int c;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'd': r->data = optarg; break;
		case 'k': r->place = optarg; break;
		case 'r': r->replace = true; break;
		case 'o': r->keep_old = true; break;
		default: return false;
		}
	r->file = optind < argc ? argv[optind] : NULL;
	return optind + (r->file != NULL) == argc && (r->file != NULL || r->place != NULL) && r->data != NULL && (r->replace || !r->keep_old);
}

static bool is_verb(const char *word) { return strcmp(word, "reports") == 0 || strcmp(word, "report") == 0; }

int cmd_restore(int argc, char **argv)
{
	struct restoring r = {0};
	if (argc >= 2 && is_verb(argv[1]))
		return verbs_run(argc, argv, true, MORE_HELP);
	if (cmd_wants_help(argc, argv, HELP))
		return 0;
	if (argc >= 2 && strcmp(argv[1], "verify") == 0)
		return verify_command(argc, argv);
	if (!parse(argc, argv, &r))
		return cmd_fail("restore", ERR_USAGE, "usage: reeve restore FILE --data DIR [--keeper PLACE] [--replace [--keep-old]]");
	return restore(&r);
}
