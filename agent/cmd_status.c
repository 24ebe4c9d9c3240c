/* SPDX-License-Identifier: Apache-2.0
 *
 * `status`: is this device enrolled, where, and what is provisioned.  `inventory`: exactly what a check-in would say
 * about the machine, printed and not sent, so that its owner can look.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd.h"
#include "crypto/x509.h"
#include "journal.h"
#include "sync.h"

struct status {
	struct device device;
	struct last_sync last;
	struct journal **items;
	int64_t not_after;
};

static enum err look(struct agent *a, struct status *st)
{
	struct x509_info info = {.not_after_us = 0};
	TRY(device_load(a, &st->device));
	last_sync_load(a, &st->last);
	TRY(journal_all(a, &st->items));
	const char *cert = state_text(a, "cert.pem");
	if (cert != NULL && x509_read(a->scope, cert, &info) != OK)
		agent_forgive(a);
	st->not_after = info.not_after_us;
	return OK;
}

static void write_json(const struct status *st, struct json_writer *w)
{
	jw_kbool(w, "enrolled", true);
	jw_kstring(w, "deviceId", st->device.id);
	jw_kstring(w, "url", st->device.url);
	jw_kstring(w, "ownership", st->device.ownership);
	jw_kbool(w, "provisioning", st->device.provisioning);
	if (st->last.at != 0)
		jw_ktime(w, "lastSync", st->last.at);
	if (st->not_after != 0)
		jw_ktime(w, "certificateExpires", st->not_after);
	jw_key(w, "items");
	jw_array(w);
	for (struct journal **j = st->items; *j != NULL; j++) {
		jw_object(w);
		jw_kstring(w, "id", (*j)->id);
		jw_kstring(w, "kind", (*j)->kind);
		jw_kstring(w, "name", (*j)->name);
		jw_kint(w, "version", (*j)->version);
		jw_kstring(w, "state", item_state_text((*j)->state));
		jw_kstring(w, "identifier", (*j)->identifier);
		jw_kstring(w, "error", (*j)->error);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void print_text(const struct status *st)
{
	char when[TIME_TEXT];
	printf("enrolled: device %s (%s) at %s%s\n", st->device.id, st->device.ownership, st->device.url,
	       st->device.provisioning ? "" : ", inventory only");
	printf("last check-in: %s\n", st->last.at != 0 ? time_format(st->last.at, when) : "none yet");
	if (st->not_after != 0)
		printf("certificate expires: %s\n", time_format(st->not_after, when));
	for (struct journal **j = st->items; *j != NULL; j++)
		printf("%-9s %-13s %s%s%s\n", item_state_text((*j)->state), (*j)->kind,
		       (*j)->identifier != NULL ? (*j)->identifier : (*j)->id, (*j)->error != NULL ? ": " : "",
		       (*j)->error != NULL ? (*j)->error : "");
}

int cmd_status(struct agent *a, const struct options *o)
{
	struct status st;
	auto_buf out;
	struct json_writer w;
	buf_init(&out, 8u << 20);
	jw_init(&w, &out);
	enum err e = state_peek(a);
	if (e != OK && e != ERR_STATE)
		return complain(a, e);
	bool enrolled = e == OK;
	if (enrolled)
		e = look(a, &st);
	if (enrolled && e != OK)
		return complain(a, e);
	if (!o->json && enrolled)
		print_text(&st);
	else if (!o->json)
		printf("not enrolled\n");
	if (!o->json)
		return 0;
	jw_object(&w);
	if (enrolled)
		write_json(&st, &w);
	else
		jw_kbool(&w, "enrolled", false);
	jw_end_object(&w);
	printf("%s\n", out.data);
	return 0;
}

int cmd_inventory(struct agent *a, const struct options *o)
{
	struct device d = {0};
	struct last_sync last = {0};
	char hash[65];
	auto_buf out;
	struct json_writer w;
	(void)o;
	if (state_peek(a) == OK && device_load(a, &d) == OK)
		last_sync_load(a, &last);
	agent_forgive(a);
	buf_init(&out, 32u << 20);
	jw_init(&w, &out);
	collect_inventory(a, last.collect, d.company, &w, hash);
	printf("%s\n", out.data);
	return 0;
}
