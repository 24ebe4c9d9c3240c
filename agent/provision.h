/* SPDX-License-Identifier: Apache-2.0
 *
 * Applying what the organisation provisions, and taking it back.  A kind turns an item's payload into a plan (files to
 * have, a package to have, data paths that belong to it); one engine applies plans, so that every kind is crash-safe in
 * the same way.
 *
 * Promises: applying and taking back may be cut off anywhere and run again; taking back an item leaves the device as it
 * was before the item came, except for what others have changed since; nothing is written before the journal says so on
 * disk.
 */
#ifndef REEVE_AGENT_PROVISION_H
#define REEVE_AGENT_PROVISION_H

#include "agent.h"
#include "codec/json.h"
#include "journal.h"

struct plan_file {
	const char *path; /* relative to the root */
	const char *content;
	size_t n;
	unsigned mode;
};

struct plan {
	struct plan_file *files;
	size_t n_files;
	const char **data;                     /* NULL-terminated */
	const char *package, *package_version; /* a real system only */
	const char *identifier;
};

struct desired {
	const char *id, *kind, *name;
	int64_t version;
	const json_t *payload;
};

struct kind {
	const char *name;
	enum err (*plan)(struct agent *a, const struct desired *d, struct plan *ret); /* pure but for the scope */
	/* A real system only: tells its programs that files of this kind came or went. */
	enum err (*changed)(struct agent *a, bool removed);
};

extern const struct kind kind_settings, kind_wifi, kind_email, kind_ca, kind_app;
const struct kind *kind_find(const char *name); /* NULL where unknown */

struct outcome {
	int applied, taken_back, failed, unchanged;
};

/* The whole desired state: takes back what is gone from it, then applies what is new, changed or no longer as it should
 * be. */
MUST_CHECK enum err provision_all(struct agent *a, const struct desired *items, size_t n, struct outcome *out);
/* Everything: retire. ERR_CONFLICT where something could not be taken back. */
MUST_CHECK enum err provision_take_back_all(struct agent *a, struct outcome *out);

/* One item.  Failures are in the journal's state and error; an error means that the journal itself could not be
 * written. */
MUST_CHECK enum err item_apply(struct agent *a, const struct desired *d, struct outcome *out); /* apply.c */
MUST_CHECK enum err item_take_back(struct agent *a, struct journal *j, struct outcome *out);   /* take_back.c */
/* Restores or removes one file; adds a remark where it was changed since. */
MUST_CHECK enum err file_take_back(struct agent *a, struct journal *j, struct journal_file *f);
/* data.c: which of an app's data paths are there before it comes; and the removal of what is its own. */
MUST_CHECK enum err data_note_kept(struct agent *a, struct journal *j, const char *const *data);
MUST_CHECK enum err data_take_back(struct agent *a, struct journal *j);
void journal_remark(struct agent *a, struct journal *j, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The temporary name beside a file of this item. */
const char *item_temp(struct agent *a, const char *id);

/* payload helpers: NULL or false with a detail where the key is missing or of another type */
MUST_CHECK enum err payload_text(struct agent *a, const json_t *payload, const char *key, bool required,
				 const char **ret);
MUST_CHECK enum err payload_line(struct agent *a, const json_t *payload, const char *key, bool required,
				 const char **ret);                                         /* no control characters */
MUST_CHECK enum err payload_mode(struct agent *a, const json_t *payload, unsigned *ret);    /* "0644" when absent */
MUST_CHECK enum err payload_path(struct agent *a, const json_t *payload, const char **ret); /* allowed, relative */
void plan_one_file(struct agent *a, struct plan *p, const char *path, const char *content, size_t n, unsigned mode);

#endif
