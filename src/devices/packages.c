/* SPDX-License-Identifier: Apache-2.0
 *
 * Installed packages of a company device.  What was known and what is reported are compared in memory; only the
 * difference is written, in transactions of a bounded number of rows, so that a device with 20,000 packages does not
 * hold up others.  It is telemetry: no event.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/inventory.h"

enum { ROWS_A_CLOSURE = 2000 };

DB_TENANT(packages_of_device, "SELECT name, version FROM detected_apps WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(package_insert,
	  "INSERT INTO detected_apps (tenant_id, device_id, name, version) VALUES (?1, ?2, ?3, ?4) "
	  "ON CONFLICT DO NOTHING");
DB_TENANT(package_delete,
	  "DELETE FROM detected_apps WHERE tenant_id = ?1 AND device_id = ?2 AND name = ?3 AND version = ?4");

struct package_list {
	struct inventory_package *at;
	size_t n, room;
};

struct package_change {
	const struct inventory_package *package;
	bool gone;
};

struct package_batch {
	struct id device;
	struct package_list known;
	struct package_change *changes;
	size_t n; /* of changes to write in this closure */
};

static int by_name(const void *a, const void *b)
{
	const struct inventory_package *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order != 0 ? order : strcmp(x->version, y->version);
}

static void sort(struct inventory_package *list, size_t n)
{
	if (n > 1)
		qsort(list, n, sizeof *list, by_name);
}

static enum err load_known(struct scope *s, struct db_tx *tx, void *arg)
{
	struct package_batch *q = arg;
	struct package_list *known = &q->known;
	auto_rows struct db_rows *r = NULL;
	*known = (struct package_list){0};
	TRY(db_query(tx, &packages_of_device, DB_ARGS(db_v_id(&q->device)), &r));
	while (db_next(r)) {
		if (known->n == known->room) {
			known->room = known->room == 0 ? 512 : 2 * known->room;
			struct inventory_package *more = arena_alloc(s->arena, known->room * sizeof *more);
			if (known->n > 0)
				memcpy(more, known->at, known->n * sizeof *more);
			known->at = more;
		}
		known->at[known->n++] = (struct inventory_package){db_text_dup(r, 0, s->arena),
								   db_text_dup(r, 1, s->arena)};
	}
	return db_rows_err(r);
}

/* Both lists in order: what only the first has is new, what only the second has is gone.  A package listed twice (of
 * two architectures) is one. */
static size_t compare(struct arena *a, const struct package_list *now, const struct package_list *known,
		      struct package_change **ret)
{
	size_t i = 0, j = 0, n = 0;
	struct package_change *out = arena_alloc(a, (now->n + known->n + 1) * sizeof *out);
	while (i < now->n || j < known->n) {
		if (i > 0 && i < now->n && by_name(&now->at[i], &now->at[i - 1]) == 0) {
			i++;
			continue;
		}
		int order = i == now->n ? 1 : j == known->n ? -1 : by_name(&now->at[i], &known->at[j]);
		if (order < 0)
			out[n++] = (struct package_change){&now->at[i++], false};
		else if (order > 0)
			out[n++] = (struct package_change){&known->at[j++], true};
		else
			i++, j++;
	}
	*ret = out;
	return n;
}

static enum err write_batch(struct scope *s, struct db_tx *tx, void *arg)
{
	struct package_batch *q = arg;
	for (size_t i = 0; i < q->n; i++) {
		const struct package_change *c = &q->changes[i];
		TRY(db_exec(tx, c->gone ? &package_delete : &package_insert,
			    DB_ARGS(db_v_id(&q->device), db_v_text(c->package->name), db_v_text(c->package->version)),
			    NULL));
	}
	return OK;
}

enum err packages_store(struct scope *s, struct id device, struct inventory_package *packages, size_t n)
{
	struct package_batch q = {.device = device};
	struct package_list now = {packages, n, n};
	struct package_change *all;
	TRY(db_read(s, load_known, &q));
	sort(packages, n);
	sort(q.known.at, q.known.n);
	size_t count = compare(s->arena, &now, &q.known, &all);
	for (size_t at = 0; at < count; at += ROWS_A_CLOSURE) {
		q.changes = all + at;
		q.n = count - at < ROWS_A_CLOSURE ? count - at : ROWS_A_CLOSURE;
		TRY(db_write_low(s, write_batch, &q));
	}
	return OK;
}
