/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of a check: the key (given, the policy's, remembered, or on first use the log's own), the public files (tlog/logcheck.h) with each
 * bundle's events on the way, the head that was seen before, and the witnesses' quorum.  Nothing is remembered of a check that failed.
 */
#include "cmd/audit_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cmd/cmd.h"
#include "cmd/settings.h"
#include "codec/base64.h"
#include "codec/json.h"

void run_init(struct audit_run *r, const char *command)
{
	*r = (struct audit_run){.command = command, .src = {.dir = -1}};
	scope_system(&r->s, arena_new(512 * MIB), NULL, NULL);
	buf_init(&r->lines, EVENTS_BYTES_MAX);
}

void run_release(struct audit_run *r)
{
	source_close(&r->src);
	audit_verify_release(&r->content);
	buf_release(&r->lines);
	arena_free(r->s.arena);
}

/* ---- options ---- */

char *run_positional(int *argc, char **argv)
{
	for (int i = 1; i < *argc; i++) {
		if (strncmp(argv[i], "--", 2) == 0) {
			i += strcmp(argv[i], "--json") != 0; /* every other one that is left has a value */
			continue;
		}
		char *found = argv[i];
		memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i - 1) * sizeof *argv);
		*argc -= 1;
		return found;
	}
	return NULL;
}

static enum err read_policy(struct audit_run *r)
{
	char *text, *detail;
	if (r->policy_option == NULL)
		return OK;
	enum err e = file_read(r->s.arena, r->policy_option, POLICY_BYTES_MAX, &text, &detail);
	if (e != OK)
		return scope_fail(&r->s, e, "%s", detail);
	r->policy = arena_alloc(r->s.arena, sizeof *r->policy);
	return policy_parse(&r->s, text, strlen(text), r->policy);
}

enum err run_options(struct audit_run *r, int *argc, char **argv)
{
	r->key_option = option_take(argc, argv, "--key");
	r->state_option = option_take(argc, argv, "--state");
	r->policy_option = option_take(argc, argv, "--policy");
	r->accept_new_origin = option_take_flag(argc, argv, "--accept-new-origin");
	r->no_events = option_take_flag(argc, argv, "--no-events");
	return read_policy(r);
}

enum err run_key_option(struct scope *s, const char *text, const char **ret_vkey)
{
	char *file, *detail;
	enum err e = access(text, F_OK) == 0 ? file_read(s->arena, text, KEY_BYTES_MAX, &file, &detail) : ERR_NOT_FOUND;
	char *vkey = e == OK ? file : arena_strdup(s->arena, text);
	vkey[strcspn(vkey, "\r\n")] = '\0';
	if (e == ERR_NOT_FOUND && strchr(text, '+') == NULL)
		return scope_fail(s, ERR_USAGE, "--key %s: neither a file nor a key (<name>+<id>+<base64>)", text);
	*ret_vkey = vkey;
	return OK;
}

/* ---- whose log ---- */

static const char *policy_key(const struct audit_run *r)
{
	for (unsigned i = 0; r->policy != NULL && i < r->policy->n; i++) {
		const struct policy_item *item = &r->policy->item[i];
		if (item->kind == POLICY_LOG && strcmp(item->key.name, r->src.origin) == 0)
			return note_vkey(r->s.arena, item->key.name, item->key.public_key);
	}
	return NULL;
}

static enum err load_memory(struct audit_run *r)
{
	const char *file = r->state_option != NULL ? r->state_option : seen_default_file(r->s.arena);
	TRY(seen_load(&r->s, file, &r->seen));
	if (r->src.kind == SOURCE_DIRECTORY)
		r->own_file = arena_printf(r->s.arena, "%s/.seen", r->src.name);
	return seen_load(&r->s, r->own_file, &r->own);
}

static const struct seen_head *remembered(const struct audit_run *r)
{
	const struct seen_head *h = seen_find(&r->own, r->src.origin);
	return h != NULL ? h : seen_find(&r->seen, r->src.origin);
}

enum err run_choose_key(struct audit_run *r)
{
	struct scope *s = &r->s;
	TRY(load_memory(r));
	const struct seen_head *before = remembered(r);
	if (r->key_option != NULL) {
		r->key_from = "given";
		TRY(run_key_option(s, r->key_option, &r->vkey));
	} else if ((r->vkey = policy_key(r)) != NULL)
		r->key_from = "the policy's";
	else {
		r->key_from = before != NULL ? "remembered" : "its own: compare it with one from a place that you trust";
		r->vkey = before != NULL ? before->vkey : r->src.vkey;
	}
	if (before != NULL && strcmp(before->vkey, r->vkey) != 0)
		return scope_fail(s, ERR_CONFLICT, "the key that is given for %s is not the one that was seen before (%s): %s", r->src.origin,
				  before->vkey, r->vkey);
	if (strcmp(r->src.vkey, r->vkey) != 0)
		return scope_fail(s, ERR_CONFLICT, "%s now shows the key %s for the log %s, and not the one to judge it by: %s", r->src.name,
				  r->src.vkey, r->src.origin, r->vkey);
	if (before == NULL)
		r->sibling = r->own.n > 0 ? &r->own.head[r->own.n - 1] : seen_sibling(&r->seen, r->src.origin);
	return note_key_parse(s, r->vkey, &r->key);
}

static enum err read_path(struct audit_run *r, const char *path, struct buf *out)
{
	return r->src.log.read(&r->src, &r->s, path, out);
}

/* ---- the events ---- */

static void show_progress(void *arg, uint64_t done, uint64_t of)
{
	static int64_t last;
	int64_t now = clock_monotonic();
	if (!isatty(STDERR_FILENO) || (now - last < SECOND_US / 10 && done != of))
		return;
	last = now;
	if (done == of)
		fprintf(stderr, "\r\033[K");
	else
		fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " entries", done, of);
}

static enum err on_entries(void *arg, struct scope *s, uint64_t index, const uint8_t (*commitments)[SHA256_BYTES], unsigned n)
{
	struct audit_source *src = arg;
	struct audit_run *r = src->user;
	char path[TILE_PATH_MAX];
	if (!r->events_read)
		return OK;
	events_path(index / TILE_WIDTH, path);
	enum err e = read_path(r, path, &r->lines);
	if (e == ERR_FORBIDDEN && r->content.next == 0) { /* the tree may be read and the events not */
		r->events_read = false;
		s->detail = NULL;
		return OK;
	}
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	return audit_verify_bundle(&r->content, s, index, commitments, n, r->lines.data, e == OK ? r->lines.len : 0);
}

/* The tenant's id in "<host>/log/<tenant>.<generation>". */
static char *tenant_of(struct arena *a, const char *origin)
{
	const char *slash = strrchr(origin, '/'), *name = slash != NULL ? slash + 1 : origin;
	return arena_strndup(a, name, strcspn(name, "."));
}

static void start_content(struct audit_run *r)
{
	bool archive = r->src.kind == SOURCE_ARCHIVE;
	audit_verify_release(&r->content);
	r->content = (struct audit_verify){
		.tenant = tenant_of(r->s.arena, r->key.name), .first = r->src.log.first_bundle * TILE_WIDTH, .now = archive ? r->src.created : r->s.now,
		.from = r->src.from, .until = r->src.until, .copy = archive || r->copying};
	r->events_read = !r->no_events && (r->src.kind == SOURCE_LIVE || r->src.has_events);
}

/* Whether an event of that bundle does not open the commitment that stands there, signed or not. */
static bool find_unopened(struct audit_run *r, uint64_t bundle)
{
	uint8_t commitments[TILE_WIDTH][SHA256_BYTES];
	struct tile t = {.entries = true, .index = bundle, .width = tile_width(r->report.head.size, 0, bundle)};
	char path[TILE_PATH_MAX];
	auto_buf bytes;
	buf_init(&bytes, BUNDLE_BYTES);
	tile_path(&t, path);
	return read_path(r, path, &bytes) == OK && bundle_read(bytes.data, bytes.len, t.width, commitments) &&
	       on_entries(&r->src, &r->s, bundle * TILE_WIDTH, (const void *)commitments, t.width) == OK && r->content.fault == AUDIT_CHANGED;
}

/* A wrong tile names up to 256 indexes or more, a wrong root none; the events tell which it is. */
static void name_index(struct audit_run *r, enum err e)
{
	struct scope *s = &r->s;
	struct log_report *p = &r->report;
	uint64_t size = p->head.origin != NULL ? p->head.size : 0;
	uint64_t first = p->has_bad_index ? p->bad_index : r->src.log.first_bundle * TILE_WIDTH, end = p->has_bad_index ? p->bad_end : size;
	char *said = s->detail;
	if (e != ERR_CONFLICT || size == 0 || end - first < 2 || !r->events_read)
		return;
	start_content(r);
	for (uint64_t at = first / TILE_WIDTH; at * TILE_WIDTH < end && at < r->src.log.end_bundle; at++)
		if (find_unopened(r, at)) {
			p->has_bad_index = true;
			p->bad_index = r->content.bad_index;
			p->bad_end = p->bad_index + 1;
			s->detail = arena_printf(s->arena, "%s; the event at index %" PRIu64 " does not open what stands there", said, p->bad_index);
			return;
		}
}

static enum err check_once(struct audit_run *r)
{
	start_content(r);
	r->src.log.progress = show_progress;
	r->src.log.entries = on_entries;
	enum err e = log_check(&r->s, &r->src.log, &r->key, 1, NULL, &r->report);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	if (e != OK) {
		name_index(r, e);
		return e;
	}
	return r->events_read ? audit_verify_end(&r->content, &r->s) : OK;
}

/* ---- the head that was seen ---- */

struct tiles {
	struct audit_run *r;
	struct buf bytes;
};

static enum err read_tile(void *arg, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES])
{
	struct tiles *tiles = arg;
	struct audit_run *r = tiles->r;
	char path[TILE_PATH_MAX];
	tile_path(t, path);
	TRY(read_path(r, path, &tiles->bytes));
	if (tiles->bytes.len != t->width * SHA256_BYTES)
		return scope_fail(&r->s, ERR_CONFLICT, "%s has not the length that it must have", path);
	*ret = (const void *)tiles->bytes.data;
	return OK;
}

/* Whether the log at hand has that head among its own, by a proof made of its tiles and checked against both roots. */
static enum err check_consistent(struct audit_run *r, uint64_t size, const uint8_t root[SHA256_BYTES], bool *ret)
{
	struct merkle_proof proof = {0};
	const struct checkpoint *head = &r->report.head;
	struct tiles tiles = {.r = r};
	buf_init(&tiles.bytes, TILE_BYTES);
	struct tile_tree tree = {.size = head->size, .read = read_tile, .arg = &tiles};
	enum err e = size > 0 && size < head->size ? tile_tree_consistency(&tree, size, &proof) : OK;
	buf_release(&tiles.bytes);
	*ret = e == OK && (size == 0 || merkle_check_consistency(size, root, head->size, head->root, &proof));
	return e;
}

enum err run_continue(struct audit_run *r, const struct seen_head *h, bool strict)
{
	struct scope *s = &r->s;
	const struct checkpoint *head = &r->report.head;
	char when[TIME_TEXT];
	bool good;
	time_format(h->at, when);
	if (h->size > head->size && !strict) {
		r->behind = arena_printf(s->arena, "%" PRIu64 " entries were seen elsewhere (%s); this copy is older", h->size, when);
		return OK;
	}
	if (h->size > head->size)
		return scope_fail(s, ERR_CONFLICT, "the log went back: it has %" PRIu64 " entries, and %" PRIu64 " were seen on %s (first missing index: %"
				  PRIu64 ")", head->size, h->size, when, head->size);
	enum err e = check_consistent(r, h->size, h->root, &good);
	if (e == ERR_NOT_FOUND && r->src.kind == SOURCE_ARCHIVE) {
		r->behind = "the archive has not the tiles to compare it with the head that was seen";
		return OK;
	}
	if (e != OK)
		return s->detail != NULL ? e : scope_fail(s, e, "a tile is missing that the log must have");
	if (!good)
		return scope_fail(s, ERR_CONFLICT, "the log was forked: its first %" PRIu64 " entries are not those that were seen on %s (root %s)",
				  h->size, when, base64_encode(s->arena, h->root, SHA256_BYTES));
	if (r->continues == NULL || h->size > r->continues->size)
		r->continues = h;
	return OK;
}

/* A log that went on under a new origin says so itself; whether to follow it is the reader's decision. */
static enum err check_new_origin(struct audit_run *r)
{
	struct scope *s = &r->s;
	const struct seen_head *h = r->sibling;
	char when[TIME_TEXT];
	bool good = false;
	if (h == NULL || r->accept_new_origin)
		return OK;
	if (h->size <= r->report.head.size && check_consistent(r, h->size, h->root, &good) != OK)
		s->detail = NULL;
	const char *why = r->content.restored == NULL ? "No event in it says why"
						      : arena_printf(s->arena, "It records a restored database at %s", r->content.restored);
	return scope_fail(s, ERR_CONFLICT, "the log goes on under a new origin, %s; on %s it was %s with %" PRIu64 " entries. %s. %s. "
			  "If you know of it (a backup was restored), --accept-new-origin takes it", r->key.name, time_format(h->at, when), h->origin,
			  h->size, good ? "All that was seen is in it" : "Not all that was seen is in it: entries were lost or changed", why);
}

static enum err check_seen(struct audit_run *r)
{
	const struct seen_head *own = seen_find(&r->own, r->key.name), *h = seen_find(&r->seen, r->key.name);
	const struct seen_head *later = seen_later(&r->seen, r->key.name);
	if (later != NULL && r->src.kind == SOURCE_LIVE)
		return scope_fail(&r->s, ERR_CONFLICT, "the log went back to a former origin, %s; it was %s already", r->key.name, later->origin);
	if (r->held != NULL)
		TRY(run_continue(r, r->held, true));
	if (own != NULL)
		TRY(run_continue(r, own, true));
	if (h != NULL)
		TRY(run_continue(r, h, r->src.kind == SOURCE_LIVE || r->state_option != NULL));
	return check_new_origin(r);
}

/* ---- the witnesses ---- */

/* Opens a checkpoint of this log.  *ret_enough: whether the policy's witnesses cosigned it. */
static enum err open_note(struct audit_run *r, const char *note, bool *ret_enough, struct checkpoint *ret)
{
	struct note_key keys[POLICY_ITEMS_MAX + 1] = {r->key};
	struct note_seen seen[POLICY_ITEMS_MAX + 1];
	bool signed_[POLICY_ITEMS_MAX] = {false};
	unsigned item[POLICY_ITEMS_MAX + 1], n = 1, count = 0;
	char *text;
	for (unsigned i = 0; r->policy != NULL && i < r->policy->n; i++)
		if (r->policy->item[i].kind == POLICY_WITNESS) {
			item[n] = i;
			keys[n++] = r->policy->item[i].key;
		}
	TRY(note_open(&r->s, note, strlen(note), keys, n, &text, seen));
	TRY(checkpoint_parse(&r->s, text, ret));
	if (!seen[0].signed_ || strcmp(ret->origin, r->key.name) != 0)
		return scope_fail(&r->s, ERR_CONFLICT, "the checkpoint that was cosigned is not this log's");
	for (unsigned i = 1; i < n; i++)
		count += signed_[item[i]] = seen[i].signed_;
	*ret_enough = r->policy == NULL || policy_satisfied(r->policy, signed_);
	r->witnesses = count;
	r->witnessed_size = ret->size;
	return OK;
}

/* The newest checkpoint may be younger than the witnesses' last visit: what they cosigned must be a beginning of it. */
static enum err check_witnessed(struct audit_run *r, bool *ret_enough)
{
	struct checkpoint c;
	bool good;
	TRY(open_note(r, r->witnessed, ret_enough, &c));
	if (c.size > r->report.head.size)
		return scope_fail(&r->s, ERR_CONFLICT, "the log went back: its witnesses cosigned %" PRIu64 " entries, and it has %" PRIu64, c.size,
				  r->report.head.size);
	enum err e = check_consistent(r, c.size, c.root, &good);
	if (e != OK)
		return r->s.detail != NULL ? e : scope_fail(&r->s, e, "the cosigned checkpoint cannot be compared: a tile is missing");
	return good ? OK : scope_fail(&r->s, ERR_CONFLICT, "the log was forked: what its witnesses cosigned (size %" PRIu64 ") is not its beginning", c.size);
}

static enum err check_witnesses(struct audit_run *r)
{
	struct checkpoint c;
	bool enough = false;
	if (r->policy != NULL)
		TRY(open_note(r, r->report.note, &enough, &c));
	if (r->witnessed != NULL && !enough)
		TRY(check_witnessed(r, &enough));
	if (r->policy == NULL || enough)
		return OK;
	return scope_fail(&r->s, ERR_CONFLICT, "the quorum of %s is not reached: %u of its witnesses cosigned", r->policy_option, r->witnesses);
}

static enum err read_witnessed(struct audit_run *r)
{
	auto_buf note;
	buf_init(&note, NOTE_BYTES_MAX);
	if (r->policy == NULL && !r->copying)
		return OK;
	enum err e = read_path(r, "witnessed", &note);
	if (e == OK)
		r->witnessed = arena_strndup(r->s.arena, note.len > 0 ? note.data : "", note.len);
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err run_check(struct audit_run *r)
{
	r->src.user = r;
	TRY(read_witnessed(r)); /* first: it is never younger than the checkpoint that is read after it */
	r->s.detail = NULL;
	enum err e = check_once(r);
	if (e == ERR_CONFLICT && r->src.kind == SOURCE_LIVE && r->content.fault == AUDIT_MISSING && r->content.may_be_late) {
		/* Removed while we read, and recorded behind the checkpoint that we read: the next one covers it. */
		nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 500000000L}, NULL);
		r->s.detail = NULL;
		e = check_once(r);
	}
	TRY(e);
	TRY(check_seen(r));
	return check_witnesses(r);
}

/* ---- the end ---- */

struct seen_head run_head(const struct audit_run *r)
{
	struct seen_head h = {.origin = r->key.name, .vkey = r->vkey, .size = r->report.head.size, .at = r->s.now};
	memcpy(h.root, r->report.head.root, sizeof h.root);
	return h;
}

enum err run_remember(struct audit_run *r)
{
	struct seen_head head = run_head(r);
	const struct seen_head *h = seen_find(&r->seen, head.origin), *own = seen_find(&r->own, head.origin);
	if (r->seen.file != NULL && (h == NULL || h->size < head.size))
		TRY(seen_store(&r->s, r->seen.file, &head));
	if (r->own_file != NULL && (own == NULL || own->size < head.size) && seen_store(&r->s, r->own_file, &head) != OK)
		r->s.detail = NULL; /* a mirror on a medium that cannot be written */
	return OK;
}

char *run_plain(struct arena *a, const char *text)
{
	char *copy = arena_strdup(a, text != NULL ? text : "?");
	for (char *p = copy; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	return copy;
}

int run_fail(struct audit_run *r, enum err e)
{
	if (r->json && e == ERR_CONFLICT) {
		bool content = r->content.fault != AUDIT_SOUND;
		json_t *j = json_pack("{s:b,s:s,s:s*,s:s}", "verified", 0, "log", r->key.name != NULL ? r->key.name : "", "badFile", r->report.bad_path, "why",
				      scope_detail(&r->s, e));
		if (content || r->report.has_bad_index)
			json_object_set_new(j, "badIndex", json_integer((json_int_t)(content ? r->content.bad_index : r->report.bad_index)));
		json_dumpf(j, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(j);
	}
	return cmd_fail(r->command, e, "%s", run_plain(r->s.arena, scope_detail(&r->s, e)));
}
