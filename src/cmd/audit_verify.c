/* SPDX-License-Identifier: Apache-2.0
 * reeve audit verify: a live server, a published log, a mirrored directory, an archive; or one event with its proof. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cmd/audit.h"
#include "cmd/audit_run.h"
#include "cmd/cmd.h"
#include "cmd/settings.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "tlog/proof.h"

static const char HELP[] =
	"usage: reeve audit verify [options]                  a server's log, its events too where the token may read them\n"
	"       reeve audit verify https://HOST/log/NAME      a published log, as a stranger\n"
	"       reeve audit verify DIR | FILE.zip             a mirror, an archive: offline\n"
	"       reeve audit verify --event FILE --proof FILE.tlog-proof [--key KEY]   one event, offline\n\n"
	"Checks the signature of the checkpoint, every bundle, every tile and the root, that the log continues the head that was seen last,\n"
	"and that every event within its retention opens its commitment. Names the first bad index or file; the exit code is then 65.\n\n"
	"  --key KEY           the log's key, or a file with it, from a place that you trust; without it the first one seen is remembered\n"
	"  --policy FILE       a tlog-policy: its quorum of witnesses must have cosigned\n"
	"  --state FILE        what is remembered (default: ~/.local/state/reeve/heads)\n"
	"  --accept-new-origin the log may go on under a new origin (a restored database)\n"
	"  --no-events         only what is public\n"
	"  --operator          sign in as the installation's operator: the installation's own log\n" CLIENT_OPTIONS_HELP;

enum { EVENT_BYTES_MAX = MIB };

/* ---- one event ---- */

struct one_event {
	const char *file, *proof_file;
	struct tlog_proof proof;
	const char *bytes;
	size_t n;
	struct checkpoint head;
	unsigned cosignatures;
};

static enum err read_whole(struct scope *s, const char *file, size_t max, char **ret)
{
	char *detail;
	enum err e = file_read(s->arena, file, max, ret, &detail);
	return e == OK ? OK : scope_fail(s, e, "%s", detail);
}

static enum err load_proof(struct scope *s, struct one_event *o)
{
	char *text;
	TRY(read_whole(s, o->proof_file, TLOG_PROOF_BYTES_MAX, &text));
	enum err e = tlog_proof_parse(s, text, strlen(text), &o->proof);
	if (e != OK)
		return e;
	if (o->proof.extra == NULL || o->proof.extra_n != SHA256_BYTES)
		return scope_fail(s, ERR_BAD_REQUEST, "%s carries no salt (extra): without it the event cannot be opened", o->proof_file);
	return OK;
}

/* The stored bytes, with or without a final newline, or a line of an events file. */
static enum err load_event(struct scope *s, struct one_event *o)
{
	char *text;
	struct audit_line line;
	TRY(read_whole(s, o->file, EVENT_BYTES_MAX, &text));
	size_t n = strlen(text);
	n -= n > 0 && text[n - 1] == '\n';
	o->bytes = text;
	o->n = n;
	if (audit_line_read(s->arena, text, n, &line)) {
		o->bytes = line.event;
		o->n = line.n;
		if (line.index != o->proof.index)
			return scope_fail(s, ERR_CONFLICT, "%s is the event at index %" PRIu64 ", the proof is for index %" PRIu64, o->file, line.index,
					  o->proof.index);
	}
	if (audit_is_stored_event(o->bytes, o->n))
		return OK;
	return scope_fail(s, ERR_BAD_REQUEST, "%s is not an event as it is stored. Graph's JSON of an auditEvent is only a part of what was committed: "
			  "take the event's line of an NDJSON export, or of a mirror's events folder", o->file);
}

static enum err check_event_key(struct audit_run *r, struct one_event *o)
{
	struct scope *s = &r->s;
	char *text;
	struct note_seen seen;
	r->src.origin = arena_strndup(s->arena, o->proof.checkpoint, strcspn(o->proof.checkpoint, "\n"));
	TRY(seen_load(s, r->state_option != NULL ? r->state_option : seen_default_file(s->arena), &r->seen));
	const struct seen_head *h = seen_find(&r->seen, r->src.origin);
	if (r->key_option == NULL && h == NULL)
		return scope_fail(s, ERR_USAGE, "no key of the log %s is remembered: give it with --key", r->src.origin);
	r->vkey = h != NULL ? h->vkey : NULL;
	if (r->key_option != NULL)
		TRY(run_key_option(s, r->key_option, &r->vkey));
	TRY(note_key_parse(s, r->vkey, &r->key));
	TRY(note_open(s, o->proof.checkpoint, strlen(o->proof.checkpoint), &r->key, 1, &text, &seen));
	if (!seen.signed_)
		return scope_fail(s, ERR_CONFLICT, "%s: its checkpoint is not signed with the key %s", o->proof_file, r->vkey);
	for (const char *p = strstr(o->proof.checkpoint, "\n\u2014 "); p != NULL; p = strstr(p + 1, "\n\u2014 "))
		o->cosignatures++;
	o->cosignatures--;
	return checkpoint_parse(s, text, &o->head);
}

static enum err check_event(struct audit_run *r, struct one_event *o)
{
	struct scope *s = &r->s;
	uint8_t entry[ENTRY_BYTES], leaf[SHA256_BYTES], commitment[SHA256_BYTES];
	TRY(load_proof(s, o));
	TRY(load_event(s, o));
	TRY(check_event_key(r, o));
	audit_commitment(o->bytes, o->n, o->proof.extra, commitment);
	entry_make(commitment, entry);
	merkle_leaf_hash(entry, sizeof entry, leaf);
	if (merkle_check_inclusion(o->proof.index, o->head.size, leaf, &o->proof.inclusion, o->head.root))
		return OK;
	return scope_fail(s, ERR_CONFLICT, "%s is not what stands at index %" PRIu64 " of the log %s (size %" PRIu64 "): the event, the salt or the proof "
			  "was changed", o->file, o->proof.index, o->head.origin, o->head.size);
}

static int show_event(struct audit_run *r, const struct one_event *o)
{
	auto_json *j = NULL;
	if (json_read(&r->s, o->bytes, o->n, &j) != OK)
		return run_fail(r, ERR_CONFLICT);
	const json_t *e = json_object_get(j, "event");
	static const char *const shown[] = {"id", "activityType", "activityDateTime"};
	const char *v[3];
	for (int i = 0; i < 3; i++)
		v[i] = run_plain(r->s.arena, json_string_value(json_object_get(e, shown[i])));
	printf("event        %s (%s, %s)\n", v[0], v[1], v[2]);
	printf("log          %s\nindex        %" PRIu64 " of %" PRIu64 "\nkey          %s\n", run_plain(r->s.arena, o->head.origin), o->proof.index,
	       o->head.size, run_plain(r->s.arena, r->vkey));
	printf("witnesses    %u other signatures%s\nverified     yes\n", o->cosignatures, o->cosignatures > 0 ? " (not judged here)" : "");
	return 0;
}

static int verify_event(struct audit_run *r, struct one_event *o)
{
	enum err e = check_event(r, o);
	return e == OK ? show_event(r, o) : run_fail(r, e);
}

/* ---- a log ---- */

static void show_events(const struct audit_run *r)
{
	if (r->events_read)
		printf("events       %" PRIu64 " open their commitments; %" PRIu64 " %s\n", r->content.events, r->content.removed,
		       r->src.from > 0 || r->src.until < INT64_MAX ? "others are not in this archive" : "were removed at the end of their retention");
	else
		printf("events       not checked (%s)\n", r->no_events ? "--no-events"
							: r->src.kind == SOURCE_LIVE ? "this token may not read them" : "this copy holds none");
}

static void show(const struct audit_run *r)
{
	char when[TIME_TEXT];
	const struct checkpoint *h = &r->report.head;
	printf("log          %s\nkey          %s (%s)\n", run_plain(r->s.arena, h->origin), run_plain(r->s.arena, r->vkey), r->key_from);
	printf("checkpoint   size %" PRIu64 ", root %s\n", h->size, base64_encode(r->s.arena, h->root, SHA256_BYTES));
	printf("tree         sound: %" PRIu64 " bundle%s, %" PRIu64 " tile%s\n", r->report.bundles, r->report.bundles == 1 ? "" : "s", r->report.tiles,
	       r->report.tiles == 1 ? "" : "s");
	if (r->continues != NULL)
		printf("continues    size %" PRIu64 ", seen on %s\n", r->continues->size, time_format(r->continues->at, when));
	else
		printf("continues    nothing that was seen before%s\n", r->sibling != NULL ? ": the new origin was accepted" : "");
	if (r->behind != NULL)
		printf("note         %s\n", r->behind);
	show_events(r);
	if (r->content.back > 0)
		printf("note         %" PRIu64 " event%s dated before an earlier one, first at index %" PRIu64 ": the server's clock was set back\n",
		       r->content.back, r->content.back == 1 ? " is" : "s are", r->content.back_index);
	if (r->policy != NULL)
		printf("witnesses    %u cosigned size %" PRIu64 ": the quorum is reached\n", r->witnesses, r->witnessed_size);
	printf("verified     yes\n");
}

static void show_json(const struct audit_run *r)
{
	const struct checkpoint *h = &r->report.head;
	json_t *j = json_pack("{s:b,s:s,s:s,s:I,s:s,s:I,s:I}", "verified", 1, "log", h->origin, "key", r->vkey, "size", (json_int_t)h->size, "root",
			      base64_encode(r->s.arena, h->root, SHA256_BYTES), "bundles", (json_int_t)r->report.bundles, "tiles",
			      (json_int_t)r->report.tiles);
	if (r->events_read) {
		json_object_set_new(j, "events", json_integer((json_int_t)r->content.events));
		json_object_set_new(j, "removed", json_integer((json_int_t)r->content.removed));
	}
	if (r->continues != NULL)
		json_object_set_new(j, "continues", json_integer((json_int_t)r->continues->size));
	if (r->policy != NULL)
		json_object_set_new(j, "witnesses", json_integer(r->witnesses));
	json_dumpf(j, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(j);
}

static int verify_log(struct audit_run *r)
{
	enum err e = run_choose_key(r);
	if (e == OK)
		e = run_check(r);
	if (e == OK)
		e = run_remember(r);
	if (e != OK)
		return run_fail(r, e);
	if (r->json)
		show_json(r);
	else
		show(r);
	return 0;
}

static int verify_copy(struct audit_run *r, const char *path)
{
	struct stat st;
	const char *vkey = NULL;
	enum err e = OK;
	source_catch_signals();
	if (r->key_option != NULL)
		e = run_key_option(&r->s, r->key_option, &vkey);
	if (e == OK && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		e = source_open_directory(&r->src, &r->s, path);
	else if (e == OK)
		e = source_open_archive(&r->src, &r->s, path, vkey);
	return e == OK ? verify_log(r) : run_fail(r, e);
}

static int verify_url(struct audit_run *r, char *url, int *argc, char **argv)
{
	struct client c;
	size_t n = strlen(url);
	if (url[n - 1] == '/')
		url[n - 1] = '\0';
	int code = client_open_public(&c, r->command, url, argc, argv);
	if (code != 0)
		return code;
	r->json = c.json;
	if (*argc > 1)
		return client_close(&c), cmd_fail(r->command, ERR_USAGE, "'%s' does not go with %s", argv[1], url);
	enum err e = source_open_url(&r->src, &r->s, &c, url);
	code = e == OK ? verify_log(r) : run_fail(r, e);
	client_close(&c);
	return code;
}

static int verify_server(struct audit_run *r, bool as_operator, int *argc, char **argv)
{
	struct client c;
	int code = client_open(&c, r->command, as_operator, argc, argv);
	if (code != 0)
		return code;
	r->json = c.json;
	if (*argc > 1)
		code = cmd_fail(r->command, ERR_USAGE, "unknown argument '%s'", argv[1]);
	else if ((code = source_open_server(&r->src, &r->s, &c)) == 0)
		code = verify_log(r);
	client_close(&c);
	return code;
}

static int verify(struct audit_run *r, int argc, char **argv)
{
	struct one_event o = {.file = option_take(&argc, argv, "--event"), .proof_file = option_take(&argc, argv, "--proof")};
	bool as_operator = option_take_flag(&argc, argv, "--operator");
	enum err e = run_options(r, &argc, argv);
	if (e != OK)
		return run_fail(r, e);
	if ((o.file != NULL) != (o.proof_file != NULL))
		return cmd_fail(r->command, ERR_USAGE, "--event and --proof go together");
	if (o.file != NULL && argc == 1)
		return verify_event(r, &o);
	char *what = run_positional(&argc, argv);
	if (what != NULL && strncmp(what, "https://", 8) == 0)
		return verify_url(r, what, &argc, argv);
	if (what == NULL)
		return verify_server(r, as_operator, &argc, argv);
	r->json = option_take_flag(&argc, argv, "--json");
	return argc == 1 ? verify_copy(r, what) : cmd_fail(r->command, ERR_USAGE, "'%s' goes with a server, not with %s", argv[1], what);
}

int audit_cmd_verify(int argc, char **argv)
{
	struct audit_run r;
	if (cmd_wants_help(argc, argv, HELP))
		return 0;
	run_init(&r, "audit verify");
	int code = verify(&r, argc, argv);
	run_release(&r);
	return code;
}
