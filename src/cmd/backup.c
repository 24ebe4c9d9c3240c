/* SPDX-License-Identifier: Apache-2.0
 * reeve backup: its verbs; seal and open, which are filters for PostgreSQL's tools and run beside a server; verify, which needs none. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/format.h"
#include "base/clock.h"
#include "base/limits.h"
#include "cmd/cmd.h"
#include "cmd/settings.h"
#include "cmd/verbs.h"
#include "crypto/newfile.h"
#include "db/db.h"

int cmd_backup(int argc, char **argv);

static const char MORE_HELP[] =
	"  verify        FILE --data DIR | --keeper DIR: decrypts all of it, in memory, and checks the database in it\n"
	"  seal          --data DIR < IN > OUT: seals a stream under the key of the day (PostgreSQL: pg_basebackup, archive_command)\n"
	"  open          --data DIR | --keeper DIR < IN > OUT: opens what was sealed (restore_command); good only where the exit status is 0\n"
	"\n--keeper DIR is the keeper's directory: DIR/keeper of a data directory, or the second place (keeper_copy).\n";

enum { PIECE = 256 * 1024 };
/* A database up to this size is checked whole in memory; of a larger one what the sealing proves, and its size. */
#define IMAGE_MAX (UINT64_C(512) * MIB)

struct place {
	const char *data, *keeper; /* keeper: given, or of data */
};

static int take_place(struct scope *s, const char *what, int *argc, char **argv, struct place *ret)
{
	ret->data = option_take(argc, argv, "--data");
	ret->keeper = option_take(argc, argv, "--keeper");
	if ((ret->data == NULL) == (ret->keeper == NULL))
		return cmd_fail(what, ERR_USAGE, "either --data DIR or --keeper DIR is needed");
	if (ret->keeper == NULL)
		ret->keeper = data_path(s->arena, ret->data, "keeper");
	return 0;
}

static int open_keeper(struct scope *s, const char *what, const struct place *place)
{
	char *detail = NULL;
	enum err err = keeper_open_sealed(place->keeper, &s->keeper, &detail);
	int code = err == OK ? 0 : cmd_fail(what, err, "%s", detail != NULL ? detail : err_text(err));
	free(detail);
	return code;
}

/* ---- seal ---- */

static enum err seal_stream_in(struct scope *s, struct backup_writer *w)
{
	char *piece = arena_alloc(s->arena, PIECE);
	for (;;) {
		ssize_t n = read(STDIN_FILENO, piece, PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return scope_fail(s, ERR_IO, "standard input cannot be read: %s", strerror(errno));
		if (n == 0)
			return OK;
		enum err err = backup_write(w, piece, (size_t)n);
		if (err != OK)
			return scope_fail(s, err, "standard output cannot be written: %s", strerror(errno));
	}
}

static enum err seal_with(struct scope *s, const struct keeper_seal_half *half, struct backup_header *h)
{
	struct backup_writer *w;
	TRY(backup_begin(s, half, h, STDOUT_FILENO, &w));
	enum err err = seal_stream_in(s, w);
	if (err != OK) {
		backup_abandon(w);
		return err;
	}
	err = backup_end(w);
	return err == OK ? OK : scope_fail(s, err, "standard output cannot be written: %s", strerror(errno));
}

static enum err prepare(struct scope *s, const struct place *place, struct keeper_seal_half *half, struct backup_header *h)
{
	struct settings settings;
	char *detail = NULL, *lower = NULL;
	if (settings_load(s->arena, place->data, &settings, &detail) != OK)
		return scope_fail(s, ERR_CONFIG, "%s", detail);
	if (*settings.backup_dir == '\0')
		return scope_fail(s, ERR_CONFIG, "backups are off: set backup_dir in %s/reeve.conf and start the server", place->data);
	enum err err = keeper_seal_half(place->keeper, s->now, half, &lower);
	if (err == OK)
		err = keeper_ledger_peek(place->keeper, &h->ledger, h->ledger_hash, &lower);
	if (err != OK)
		err = scope_fail(s, err, "%s", lower != NULL ? lower : err_text(err));
	free(lower);
	return err;
}

static int seal_stdin(struct scope *s, int argc, char **argv)
{
	struct place place;
	struct keeper_seal_half half;
	struct backup_header h = {.kind = BACKUP_STREAM, .created = s->now, .bytes = BACKUP_BYTES_UNKNOWN};
	int code = take_place(s, "backup seal", &argc, argv, &place);
	if (code != 0)
		return code;
	if (argc != 2 || place.data == NULL || isatty(STDOUT_FILENO))
		return cmd_fail("backup seal", ERR_USAGE, "usage: reeve backup seal --data DIR < IN > OUT");
	enum err err = prepare(s, &place, &half, &h);
	if (err == OK && half.day < s->now / DAY_US)
		fprintf(stderr, "reeve backup seal: today has no key (does the server run?): the newest one is used, and dies earlier\n");
	if (err == OK)
		err = seal_with(s, &half, &h);
	wipe(&half, sizeof half);
	return err == OK ? 0 : cmd_fail("backup seal", err, "%s", scope_detail(s, err));
}

/* ---- open ---- */

typedef enum err (*piece_fn)(struct scope *s, void *arg, const void *p, size_t n);

static enum err each_piece(struct scope *s, struct backup_reader *r, piece_fn fn, void *arg)
{
	const void *p;
	size_t n;
	do {
		TRY(backup_read(s, r, &p, &n));
		TRY(n > 0 ? fn(s, arg, p, n) : OK);
	} while (n > 0);
	return OK;
}

static enum err write_out(struct scope *s, void *arg, const void *p, size_t n)
{
	enum err err = write_all(STDOUT_FILENO, p, n);
	return err == OK ? OK : scope_fail(s, err, "standard output cannot be written: %s", strerror(errno));
}

static int open_stdin(struct scope *s, int argc, char **argv)
{
	struct place place;
	struct backup_reader *r;
	int code = take_place(s, "backup open", &argc, argv, &place);
	if (code == 0 && (argc != 2 || isatty(STDOUT_FILENO)))
		code = cmd_fail("backup open", ERR_USAGE, "usage: reeve backup open --data DIR | --keeper DIR < IN > OUT");
	if (code == 0)
		code = open_keeper(s, "backup open", &place);
	if (code != 0)
		return code;
	enum err err = backup_open(s, STDIN_FILENO, &r);
	if (err == OK) {
		err = each_piece(s, r, write_out, NULL);
		backup_close(r);
	}
	return err == OK ? 0 : cmd_fail("backup open", err, "%s", scope_detail(s, err));
}

/* ---- verify ---- */

struct image {
	uint8_t *bytes; /* NULL: too large, or a stream */
	uint64_t n, had;
};

static enum err keep(struct scope *s, void *arg, const void *p, size_t n)
{
	struct image *i = arg;
	if (i->bytes != NULL && n > i->n - i->had)
		return scope_fail(s, ERR_BAD_REQUEST, "the copy is longer than its header says");
	if (i->bytes != NULL)
		memcpy(i->bytes + i->had, p, n);
	i->had += n;
	return OK;
}

static enum err check_content(struct scope *s, struct backup_reader *r, const char **ret_checked, uint64_t *ret_bytes)
{
	const struct backup_header *h = backup_header(r);
	struct image image = {.n = h->bytes};
	char *detail = NULL;
	if (h->kind == BACKUP_SQLITE && h->bytes <= IMAGE_MAX) {
		image.bytes = malloc(h->bytes > 0 ? (size_t)h->bytes : 1);
		check(image.bytes != NULL);
	}
	enum err err = each_piece(s, r, keep, &image);
	*ret_checked = h->kind == BACKUP_STREAM ? "every frame" : "every frame and the length";
	if (err == OK && image.bytes != NULL) {
		err = db_check_image(image.bytes, (size_t)image.n, &detail);
		*ret_checked = "every frame, and every table and index of the database";
		if (err != OK)
			err = scope_fail(s, err, "the database in it is damaged: %s", detail != NULL ? detail : err_text(err));
	}
	free(detail);
	if (image.bytes != NULL)
		wipe(image.bytes, (size_t)image.n);
	free(image.bytes);
	*ret_bytes = image.had;
	return err;
}

static enum err verify_file(struct scope *s, const char *file)
{
	struct backup_reader *r;
	const char *checked;
	uint64_t bytes;
	char created[TIME_TEXT], gone[TIME_TEXT], day[TIME_TEXT];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return scope_fail(s, ERR_NOT_FOUND, "%s", strerror(errno));
	enum err err = backup_open(s, fd, &r);
	if (err == OK) {
		const struct backup_header h = *backup_header(r);
		err = check_content(s, r, &checked, &bytes);
		backup_close(r);
		if (err == OK)
			printf("created   %s\nkind      %s\nbytes     %" PRIu64 "\nkey       of %.10s, destroyed at the latest %s\nledger    entry %" PRIu64
			       "\nchecked   %s\nverified  yes\n",
			       time_format(h.created, created), h.kind == BACKUP_SQLITE ? "database" : "stream", bytes,
			       time_format(h.day * DAY_US, day), time_format((h.day + 1 + (int64_t)h.days) * DAY_US, gone), h.ledger, checked);
	}
	close(fd);
	return err;
}

static int verify(struct scope *s, int argc, char **argv)
{
	struct place place;
	int code = take_place(s, "backup verify", &argc, argv, &place);
	if (code == 0 && argc != 3)
		code = cmd_fail("backup verify", ERR_USAGE, "usage: reeve backup verify FILE --data DIR | --keeper DIR");
	if (code == 0)
		code = open_keeper(s, "backup verify", &place);
	if (code != 0)
		return code;
	enum err err = verify_file(s, argv[2]);
	return err == OK ? 0 : cmd_fail("backup verify", err, "%s: %s", argv[2], scope_detail(s, err));
}

int cmd_backup(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct scope *s, int argc, char **argv);
	} own[] = {{"seal", seal_stdin}, {"open", open_stdin}, {"verify", verify}};
	size_t i = 0;
	while (i < 3 && (argc < 2 || strcmp(argv[1], own[i].name) != 0))
		i++;
	if (i == 3 || cmd_wants_help(argc, argv, ""))
		return verbs_run(argc, argv, true, MORE_HELP);
	struct scope s;
	scope_system(&s, arena_new(LIMIT_ARENA_BYTES), NULL, NULL);
	int code = own[i].run(&s, argc, argv);
	keeper_close(s.keeper);
	arena_free(s.arena);
	return code;
}
