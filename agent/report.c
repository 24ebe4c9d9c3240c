/* SPDX-License-Identifier: Apache-2.0
 *
 * Telling the server what became of items and actions.  A removed item's record is kept until the server has been told.
 */
#include "action.h"
#include "channel.h"

enum err report_items(struct agent *a, struct json_writer *w)
{
	struct journal **all;
	TRY(journal_all(a, &all));
	jw_key(w, "items");
	jw_array(w);
	for (; *all != NULL; all++) {
		const struct journal *j = *all;
		jw_object(w);
		jw_kstring(w, "id", j->id);
		jw_kint(w, "version", j->version);
		jw_kstring(w, "state", item_state_text(j->state));
		if (j->identifier != NULL)
			jw_kstring(w, "identifier", j->identifier);
		if (j->error != NULL)
			jw_kstring(w, "error", channel_clean(a, j->error));
		jw_end_object(w);
	}
	jw_end_array(w);
	return OK;
}

enum err report_told(struct agent *a)
{
	struct journal **all;
	TRY(journal_all(a, &all));
	for (; *all != NULL; all++)
		if ((*all)->state == ITEM_REMOVED)
			TRY(journal_forget(a, *all));
	return OK;
}

enum err report_send(struct agent *a, const struct device *d, const struct action *act, bool *ret_more)
{
	auto_buf body;
	auto_json *answer = NULL;
	struct json_writer w;
	buf_init(&body, CHANNEL_BODY_MAX);
	jw_init(&w, &body);
	jw_object(&w);
	jw_key(&w, "results");
	jw_array(&w);
	if (act != NULL) {
		jw_object(&w);
		jw_kstring(&w, "id", act->id);
		jw_kstring(&w, "state", act->state);
		if (act->error != NULL)
			jw_kstring(&w, "error", channel_clean(a, act->error));
		jw_end_object(&w);
	}
	jw_end_array(&w);
	TRY(report_items(a, &w));
	jw_end_object(&w);
	struct endpoint to = channel_endpoint(a, d->url);
	TRY(channel_post(a, &to, "/linux/report", &body, &answer));
	*ret_more = json_is_true(json_object_get(answer, "more"));
	return report_told(a);
}
