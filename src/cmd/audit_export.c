/* SPDX-License-Identifier: Apache-2.0
 * reeve audit export --out FILE: has a file or archive of the audit log made, waits for it, fetches it, and checks its sum. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/id.h"
#include "base/limits.h"
#include "cmd/audit.h"
#include "cmd/client.h"
#include "cmd/cmd.h"
#include "codec/json.h"
#include "codec/odata.h"
#include "crypto/digest.h"

#define COMMAND "audit export"
#define EXPORTS "/v1.0/deviceManagement/auditLog/exports"

static const char HELP[] =
	"usage: reeve audit export --out FILE [options]\n\n"
	"A file of the audit log, made by the server and checked against its SHA-256 sum.\n\n"
	"  --format FORMAT     ndjson (the events as they are stored, the default), csv, ocsf (1.8.0), or\n"
	"                      archive: a signed zip that 'reeve audit verify FILE' checks without the server\n"
	"  --from TIME         of activityDateTime, e.g. 2026-11-01 or 2026-11-01T08:00:00Z\n"
	"  --until TIME        before that time\n"
	"  --query FILTER      '$filter=…' as for events, e.g. \"$filter=category eq 'Device'\" (not for an archive)\n"
	"  --id ID             fetches an export that is there already (see 'reeve audit exports')\n"
	"  --operator          the installation's own log, and archives of purged tenants\n" CLIENT_OPTIONS_HELP;

enum { POLL_MS = 250, POLLS_MAX = 24 * 3600 * 4 };

struct asked {
	const char *out, *format, *from, *until, *query, *id;
	char sha256[2 * SHA256_BYTES + 1];
	long long events, bytes;
};

static void member(struct json_writer *w, const char *name, const char *value)
{
	if (value != NULL)
		jw_kstring(w, name, value);
}

static int ask(struct client *c, struct asked *q)
{
	static const char option[] = "$filter=";
	struct client_answer a;
	struct json_writer w;
	auto_buf body;
	buf_init(&body, LIMIT_BODY_BYTES);
	jw_init(&w, &body);
	jw_object(&w);
	jw_kstring(&w, "format", q->format);
	member(&w, "filter", q->query != NULL && strncmp(q->query, option, sizeof option - 1) == 0 ? q->query + sizeof option - 1 : q->query);
	member(&w, "fromDateTime", q->from);
	member(&w, "untilDateTime", q->until);
	jw_end_object(&w);
	if (body.failed)
		return cmd_fail(COMMAND, ERR_USAGE, "the query is too long");
	int code = client_call(c, "POST", EXPORTS, arena_strndup(c->arena, body.data, body.len), &a);
	const char *id = json_string_value(json_object_get(a.json, "id"));
	if (code == 0 && id == NULL)
		code = cmd_fail(COMMAND, ERR_INTERNAL, "the server named no export");
	q->id = code == 0 ? arena_strdup(c->arena, id) : NULL;
	json_decref(a.json);
	return code;
}

static void remember(struct asked *q, const json_t *j)
{
	const char *sum = json_string_value(json_object_get(j, "sha256"));
	snprintf(q->sha256, sizeof q->sha256, "%s", sum != NULL ? sum : "");
	q->events = json_integer_value(json_object_get(j, "events"));
	q->bytes = json_integer_value(json_object_get(j, "sizeBytes"));
}

/* One look: 0 with *ret_done, or an exit code. */
static int look(struct client *c, struct asked *q, bool *ret_done)
{
	struct client_answer a;
	struct arena_mark mark = arena_mark(c->arena);
	int code = client_call(c, "GET", arena_printf(c->arena, EXPORTS "/%s", url_encode(c->arena, q->id)), NULL, &a);
	const char *status = json_string_value(json_object_get(a.json, "status")), *error = json_string_value(json_object_get(a.json, "error"));
	*ret_done = code == 0 && status != NULL && strcmp(status, "completed") == 0;
	if (*ret_done)
		remember(q, a.json);
	else if (code == 0 && status != NULL && strcmp(status, "failed") == 0)
		code = cmd_fail(COMMAND, ERR_INTERNAL, "the export failed: %s", error != NULL ? error : "see the server's log");
	json_decref(a.json);
	arena_rewind(c->arena, mark);
	return code;
}

static int wait_for(struct client *c, struct asked *q)
{
	bool done = false, terminal = isatty(STDERR_FILENO);
	int code = 0;
	for (int i = 0; i < POLLS_MAX && code == 0; i++) {
		code = look(c, q, &done);
		if (done)
			break;
		if (terminal && code == 0)
			fprintf(stderr, "\rthe server makes the file: %d s", i * POLL_MS / 1000);
		nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
	}
	if (terminal)
		fputs("\r\033[K", stderr);
	if (code == 0 && !done)
		code = cmd_fail(COMMAND, ERR_UNAVAILABLE, "the export did not finish in time; its id is %s", q->id);
	return code;
}

static int check_sum(const struct asked *q, const char *file)
{
	char piece[64 * 1024], hex[2 * SHA256_BYTES + 1];
	uint8_t sum[SHA256_BYTES];
	size_t n;
	FILE *f = fopen(file, "rbe");
	if (f == NULL)
		return cmd_fail(COMMAND, ERR_IO, "%s: %s", file, strerror(errno));
	struct sha256_stream *h = sha256_new();
	while ((n = fread(piece, 1, sizeof piece, f)) > 0)
		sha256_update(h, piece, n);
	bool bad = ferror(f);
	fclose(f);
	sha256_final(h, sum);
	hex_encode(sum, sizeof sum, hex);
	if (bad || strcmp(hex, q->sha256) != 0)
		return cmd_fail(COMMAND, ERR_IO, "what arrived is not what the server made: its SHA-256 sum is %s, not %s", hex, q->sha256);
	return 0;
}

/* The file has its name only when it is whole. */
static int fetch(struct client *c, const struct asked *q)
{
	const char *part = arena_printf(c->arena, "%s.part", q->out);
	unlink(part);
	int code = client_download(c, arena_printf(c->arena, EXPORTS "/%s/content", url_encode(c->arena, q->id)), part);
	if (code == 0)
		code = check_sum(q, part);
	if (code == 0 && rename(part, q->out) != 0)
		code = cmd_fail(COMMAND, ERR_IO, "%s: %s", q->out, strerror(errno));
	if (code != 0)
		unlink(part);
	return code;
}

static void show(const struct client *c, const struct asked *q)
{
	if (!c->json) {
		printf("%lld events, %lld bytes, written to %s\nexport %s, SHA-256 %s\n", q->events, q->bytes, q->out, q->id, q->sha256);
		return;
	}
	auto_buf out;
	struct json_writer w;
	buf_init(&out, MIB);
	jw_init(&w, &out);
	jw_object(&w);
	jw_kstring(&w, "id", q->id);
	jw_kstring(&w, "file", q->out);
	jw_kint(&w, "events", q->events);
	jw_kint(&w, "sizeBytes", q->bytes);
	jw_kstring(&w, "sha256", q->sha256);
	jw_end_object(&w);
	puts(out.data);
}

int audit_cmd_export(int argc, char **argv)
{
	struct client c;
	struct asked q;
	if (cmd_wants_help(argc, argv, HELP))
		return 0;
	q = (struct asked){.out = option_take(&argc, argv, "--out"), .format = option_take(&argc, argv, "--format"), .from = option_take(&argc, argv, "--from"),
			   .until = option_take(&argc, argv, "--until"), .query = option_take(&argc, argv, "--query"), .id = option_take(&argc, argv, "--id")};
	bool operator_ = option_take_flag(&argc, argv, "--operator");
	int code = client_open(&c, COMMAND, operator_, &argc, argv);
	if (code != 0)
		return code;
	bool both = q.id != NULL && (q.format != NULL || q.from != NULL || q.until != NULL || q.query != NULL);
	if (argc != 1 || q.out == NULL || both)
		code = cmd_fail(COMMAND, ERR_USAGE,
				both ? "--id fetches what is there: it takes no other option but --out" : "usage: reeve audit export --out FILE [options]");
	if (q.format == NULL)
		q.format = "ndjson";
	if (code == 0 && q.id == NULL)
		code = ask(&c, &q);
	if (code == 0)
		code = wait_for(&c, &q);
	if (code == 0)
		code = fetch(&c, &q);
	if (code == 0)
		show(&c, &q);
	client_close(&c);
	return code;
}
