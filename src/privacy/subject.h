/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose rows: from the data map alone, the SQL that finds what is held about a person, of a device or of a tenant.
 * Export, preview, plan, deletion and verification all read their tables and conditions here; nobody writes a list of
 * tables anywhere else.
 */
#ifndef REEVE_PRIVACY_SUBJECT_H
#define REEVE_PRIVACY_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "map/datamap.h"

enum subject_type { SUBJECT_USER, SUBJECT_DEVICE, SUBJECT_TENANT };

/* A condition over `t` (alias of the table) that is true of the subject's rows.  In SQL ?1 is the tenant and ?2 the
 * subject's id (no ?2 for a tenant).  Each condition is a part, and no row is in two: a link through audit events gives two parts; rows of
 * others in which a person acted or is named (subject_names) are the last one. */
/* 0: the table holds nothing of such a subject */
size_t subject_parts(const struct map_table *t, enum subject_type type);
const char *subject_where(struct arena *a, const struct map_table *t, enum subject_type type, size_t part);

/* Whether rows of others may hold the person's id in a column that the person's erasure empties: paths of the map whose role is not OWNER, and
 * whose column has erase NULL. */
bool subject_names(const struct map_table *t);

/* The same for one path of the map, as exports read it: rows in which the person stands there.  Of audit events a self-act is the
 * actor's, so that each event stands in one section. */
const char *subject_path_where(struct arena *a, const struct map_path *p);

/* How many rows of the table are the subject's now. */
MUST_CHECK enum err subject_count(struct db_tx *tx, const struct map_table *t, enum subject_type type,
				  struct id subject, int64_t *ret);

/* ---- what a deletion does ---- */

enum erase_verb {
	ERASE_DELETE, /* rows go */
	ERASE_CHANGE, /* rows stay and lose what the map says: NULL or a pseudonym */
};

/* One statement of a deletion.  A table has up to three: rows that go, rows that stay and change, and rows of others that lose the person's
 * id. */
struct erase_step {
	const struct map_table *table;
	enum erase_verb verb;
	bool of_others;
	const char *sql;   /* ?1 tenant, ?2 subject, the last parameter: the most rows of one batch */
	const char *count; /* the rows that it would still touch: 0 when it is done */
};

/* The statements in the order in which they run: rows that are reached through others go before those.  Made once for the process: not to be
 * changed, nor freed.  domain_mask: of a tenant's deletion, which tables (1 << MAP_DOMAIN_…); ignored for the others. */
MUST_CHECK enum err subject_erase_steps(struct scope *s, enum subject_type type, unsigned domain_mask,
					struct erase_step **ret, size_t *ret_n);

#endif
