/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of kinds, and bringing the device to the whole desired state (see provision.h).
 */
#include "provision.h"

#include <string.h>

#include "state.h"

static const struct kind *const kinds[] = {&kind_settings, &kind_wifi, &kind_email, &kind_ca, &kind_app};

const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

static bool wanted(const struct journal *j, const struct desired *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(items[i].id, j->id) == 0)
			return true;
	return false;
}

enum err provision_all(struct agent *a, const struct desired *items, size_t n, struct outcome *out)
{
	struct journal **all;
	TRY(journal_all(a, &all));
	/* first what goes: an item may take the place of one that is gone */
	for (; *all != NULL; all++)
		if ((*all)->state != ITEM_REMOVED && !wanted(*all, items, n))
			TRY(item_take_back(a, *all, out));
	for (size_t i = 0; i < n; i++)
		TRY(item_apply(a, &items[i], out));
	return OK;
}

enum err provision_take_back_all(struct agent *a, struct outcome *out)
{
	struct journal **all;
	int before = out->failed;
	TRY(journal_all(a, &all));
	for (; *all != NULL; all++)
		if ((*all)->state != ITEM_REMOVED)
			TRY(item_take_back(a, *all, out));
	if (out->failed > before)
		return scope_fail(a->scope, ERR_CONFLICT, "%d of the organisation's items could not be taken back",
				  out->failed - before);
	return OK;
}
