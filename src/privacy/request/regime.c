/* SPDX-License-Identifier: Apache-2.0
 * Spans of regimes.def to moments. */
#include "privacy/request/regime.h"

#include <string.h>

#include "base/clock.h"
#include "directory/tenant_settings.h"

#define NO_CLOCK {.unit = SPAN_NONE}
#define DAYS(n_) {.unit = SPAN_DAYS, .n = n_}
#define WORKDAYS(n_) {.unit = SPAN_WORKDAYS, .n = n_}
#define MONTHS(n_) {.unit = SPAN_MONTHS, .n = n_}
#define SETTING_DAYS(name_) {.unit = SPAN_DAYS, .setting = #name_}

static const struct regime regimes[] = {
#define REGIME(name_, acknowledge_, due_, extension_, law_) \
	{.name = name_, .law = law_, .acknowledge = acknowledge_, .due = due_, .extension = extension_},
#include "privacy/request/regimes.def"
#undef REGIME
};

const struct regime *regime_find(const char *name)
{
	for (size_t i = 0; i < sizeof regimes / sizeof regimes[0]; i++)
		if (strcmp(regimes[i].name, name) == 0)
			return &regimes[i];
	return NULL;
}

static enum err fill_in(struct db_tx *tx, struct span *s)
{
	int64_t days;
	if (s->setting == NULL)
		return OK;
	TRY(tenant_setting_int(tx, s->setting, &days));
	*s = (struct span){.unit = days > 0 ? SPAN_DAYS : SPAN_NONE, .n = (int)days};
	return OK;
}

enum err regime_load(struct db_tx *tx, const char *name, struct regime *ret)
{
	const struct regime *r = regime_find(name);
	if (r == NULL)
		return scope_fail(db_tx_scope(tx), ERR_BAD_REQUEST, "there is no regime of this name");
	*ret = *r;
	TRY(fill_in(tx, &ret->acknowledge));
	TRY(fill_in(tx, &ret->due));
	return fill_in(tx, &ret->extension);
}

static int64_t end_of(struct span s, int64_t from)
{
	check(s.setting == NULL);
	switch (s.unit) {
	case SPAN_NONE: break;
	case SPAN_DAYS: return time_end_of_day(from + s.n * DAY_US);
	case SPAN_WORKDAYS: return time_end_of_day(time_add_workdays(from, s.n));
	case SPAN_MONTHS: return time_end_of_day(time_add_months(from, s.n));
	}
	return 0;
}

int64_t regime_acknowledge_by(const struct regime *r, int64_t received_at) { return end_of(r->acknowledge, received_at); }

int64_t regime_due(const struct regime *r, int64_t received_at) { return end_of(r->due, received_at); }

int64_t regime_extended(const struct regime *r, int64_t received_at, int64_t first_due)
{
	if (r->extension.unit == SPAN_MONTHS && r->due.unit == SPAN_MONTHS)
		return end_of((struct span){.unit = SPAN_MONTHS, .n = r->due.n + r->extension.n}, received_at);
	return end_of(r->extension, first_due);
}
