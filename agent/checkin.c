/* SPDX-License-Identifier: Apache-2.0
 *
 * The check-in: what is sent, and a strict look at what comes back.  An answer that does not make sense is refused
 * whole, so that a broken server can never look like "nothing is desired" and have everything taken back.
 */
#include <string.h>

#include "base/clock.h"
#include "channel.h"
#include "sync.h"

#define INVENTORY_MAX_AGE (7 * DAY_US)

enum { SYNC_LEAST = 10, SYNC_MOST = 7 * 86400, ITEMS_MAX = 1000 };

static bool wants_more(struct collect c)
{
	return c.packages || c.addresses || c.disks;
}

static bool due(struct agent *a, const struct last_sync *last, const char *hash)
{
	int64_t age = a->scope->now - last->inventory_at;
	return strcmp(hash, last->inventory_hash) != 0 || age > INVENTORY_MAX_AGE ||
	       age < 0; /* a clock that went back */
}

static enum err make_body(struct agent *a, const struct device *d, const struct last_sync *last, struct buf *body,
			  char hash[65], bool *ret_inventory)
{
	auto_buf inventory;
	struct json_writer w;
	buf_init(&inventory, CHANNEL_BODY_MAX);
	jw_init(&w, &inventory);
	collect_inventory(a, last->collect, d->company, &w, hash);
	*ret_inventory = due(a, last, hash);
	jw_init(&w, body);
	jw_object(&w);
	if (*ret_inventory) {
		jw_key(&w, "inventory");
		jw_raw(&w, inventory.data, inventory.len);
	}
	TRY(report_items(a, &w));
	jw_end_object(&w);
	return OK;
}

static enum err ask(struct agent *a, const struct device *d, const struct last_sync *last, char hash[65],
		    bool *ret_inventory, json_t **ret)
{
	auto_buf body;
	buf_init(&body, CHANNEL_BODY_MAX);
	TRY(make_body(a, d, last, &body, hash, ret_inventory));
	struct endpoint to = channel_endpoint(a, d->url);
	return channel_post(a, &to, "/linux/checkin", &body, ret);
}

enum err checkin_send(struct agent *a, const struct device *d, struct last_sync *last, struct checkin *ret,
		      bool *ret_inventory)
{
	char hash[65];
	json_t *answer = NULL;
	enum err e = ask(a, d, last, hash, ret_inventory, &answer);
	if (e == ERR_BAD_REQUEST && answer == NULL && *ret_inventory && wants_more(last->collect)) {
		/* the tenant has turned off what it asked for then, and the server refuses what it does not want */
		agent_forgive(a);
		last->collect = (struct collect){0};
		TRY(last_sync_save(a, last));
		e = ask(a, d, last, hash, ret_inventory, &answer);
	}
	TRY(e);
	e = checkin_read(a, d->id, answer, ret);
	if (e != OK) {
		json_decref(answer);
		return e;
	}
	last->at = a->scope->now;
	last->sync_seconds = ret->sync_seconds;
	if (*ret_inventory) {
		last->inventory_at = a->scope->now;
		memcpy(last->inventory_hash, hash, sizeof hash);
	}
	last->collect = ret->collect;
	e = last_sync_save(a, last);
	return e == OK ? report_told(a) : e;
}

static bool read_time(const json_t *o, const char *key, int64_t *ret)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text != NULL && time_parse(text, ret);
}

static enum err read_item(struct agent *a, const json_t *o, struct desired *d)
{
	struct id id;
	const char *text = json_string_value(json_object_get(o, "id"));
	const json_t *version = json_object_get(o, "version"), *payload = json_object_get(o, "payload");
	const char *kind = json_string_value(json_object_get(o, "kind")),
		   *name = json_string_value(json_object_get(o, "name"));
	if (!id_parse(text, &id) || !json_is_integer(version) || kind == NULL || strlen(kind) > 64 ||
	    !json_is_object(payload))
		return scope_fail(a->scope, ERR_BAD_REQUEST,
				  "an item of the server's answer has no id, version, kind or payload");
	*d = (struct desired){.id = id_format(id, arena_alloc(a->scope->arena, ID_TEXT)),
			      .kind = arena_strdup(a->scope->arena, kind),
			      .name = arena_strdup(a->scope->arena, name),
			      .version = json_integer_value(version),
			      .payload = payload};
	return OK;
}

static enum err read_items(struct agent *a, const json_t *items, struct checkin *ret)
{
	ret->n_items = json_array_size(items);
	if (!json_is_array(items) || ret->n_items > ITEMS_MAX)
		return scope_fail(a->scope, ERR_BAD_REQUEST,
				  "the server's answer has no list of items, or a list without end");
	ret->items = arena_alloc(a->scope->arena, (ret->n_items + 1) * sizeof *ret->items);
	for (size_t i = 0; i < ret->n_items; i++) {
		TRY(read_item(a, json_array_get(items, i), &ret->items[i]));
		for (size_t k = 0; k < i; k++)
			if (strcmp(ret->items[k].id, ret->items[i].id) == 0)
				return scope_fail(a->scope, ERR_BAD_REQUEST,
						  "the server's answer has the item %s twice", ret->items[i].id);
	}
	return OK;
}

enum err checkin_read(struct agent *a, const char *device_id, json_t *answer, struct checkin *ret)
{
	struct id ours, theirs;
	*ret = (struct checkin){.actions = json_object_get(answer, "actions"), .owner = answer};
	const char *id = json_string_value(json_object_get(answer, "deviceId"));
	const json_t *seconds = json_object_get(answer, "syncSeconds"), *collect = json_object_get(answer, "collect");
	if (!id_parse(id, &theirs) || !id_parse(device_id, &ours) || !id_equal(ours, theirs))
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the server's answer is for another device");
	if (!read_time(answer, "now", &ret->now) || !read_time(answer, "renewBefore", &ret->renew_before) ||
	    !json_is_integer(seconds) || !json_is_array(ret->actions))
		return scope_fail(a->scope, ERR_BAD_REQUEST,
				  "the server's answer lacks now, renewBefore, syncSeconds or actions");
	ret->sync_seconds = json_integer_value(seconds);
	if (ret->sync_seconds < SYNC_LEAST)
		ret->sync_seconds = SYNC_LEAST;
	if (ret->sync_seconds > SYNC_MOST)
		ret->sync_seconds = SYNC_MOST;
	ret->collect = (struct collect){.packages = json_is_true(json_object_get(collect, "packages")),
					.addresses = json_is_true(json_object_get(collect, "addresses")),
					.disks = json_is_true(json_object_get(collect, "disks"))};
	return read_items(a, json_object_get(answer, "items"), ret);
}

void checkin_release(struct checkin *c)
{
	json_decref(c->owner);
	c->owner = NULL;
}
