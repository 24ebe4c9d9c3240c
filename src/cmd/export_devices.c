/* SPDX-License-Identifier: Apache-2.0
 * reeve export devices: a report job, waited for, fetched by its link, and unpacked. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "cmd/cmd.h"
#include "cmd/export.h"
#include "cmd/progress.h"
#include "codec/zip.h"
#include "crypto/newfile.h"

enum { POLLS_MAX = 5 * 3600, TABLE_BYTES_MAX = 1024 * MIB };

static char *job_body(struct client *c, const struct export_report *r)
{
	json_t *body = json_object(), *columns = json_array();
	json_object_set_new(body, "reportName", json_string(r->name != NULL ? r->name : "Devices"));
	json_object_set_new(body, "format", json_string(r->format != NULL ? r->format : "csv"));
	if (r->filter != NULL)
		json_object_set_new(body, "filter", json_string(r->filter));
	for (const char *at = r->select; at != NULL && *at != '\0';) {
		size_t n = strcspn(at, ",");
		json_array_append_new(columns, json_stringn(at, n));
		at += n + (at[n] == ',');
	}
	if (r->select != NULL)
		json_object_set(body, "select", columns);
	char *text = json_dumps(body, JSON_COMPACT), *copy = arena_strdup(c->arena, text);
	free(text);
	json_decref(columns);
	json_decref(body);
	return copy;
}

static int wait_for(struct client *c, const char *path, char **ret_url)
{
	struct progress bar;
	int code = 0;
	*ret_url = NULL;
	progress_begin(&bar, "making the report", false, c->json);
	for (int i = 0; i < POLLS_MAX && code == 0 && *ret_url == NULL; i++) {
		struct client_answer a;
		if (i > 0)
			export_pause();
		code = client_call(c, "GET", path, NULL, &a);
		const char *status = json_string_value(json_object_get(a.json, "status")), *url = json_string_value(json_object_get(a.json, "url"));
		progress_show(&bar, i, 0);
		if (code == 0 && status != NULL && strcmp(status, "failed") == 0)
			code = cmd_fail("export", ERR_INTERNAL, "the report failed; see the server's log");
		if (code == 0 && status != NULL && strcmp(status, "completed") == 0 && url != NULL)
			*ret_url = arena_strdup(c->arena, url);
		json_decref(a.json);
	}
	progress_end(&bar);
	return code != 0 || *ret_url != NULL ? code : cmd_fail("export", ERR_UNAVAILABLE, "the report was not made in time");
}

/* ---- what is in the zip ---- */

static enum err write_entry(void *arg, const char *name, const char *bytes, size_t n)
{
	return newfile_write(arg, bytes, n);
}

static int unpack(const char *zip, const char *file)
{
	struct zip_limits limits = {.entry_bytes = TABLE_BYTES_MAX, .total_bytes = TABLE_BYTES_MAX, .entries = 1};
	struct newfile f;
	enum err e = newfile_begin(&f, AT_FDCWD, file);
	if (e != OK)
		return cmd_fail("export", e, "%s cannot be written", file);
	e = zip_each(zip, &limits, write_entry, &f);
	if (e != OK)
		newfile_abandon(&f);
	else
		e = newfile_commit(&f);
	return e == OK ? 0 : cmd_fail("export", e, "%s: the report could not be unpacked", file);
}

static int fetch(struct client *c, const char *url, const char *file)
{
	size_t n = strlen(file);
	if (n > 4 && strcmp(file + n - 4, ".zip") == 0)
		return client_download(c, url, file);
	char *zip = arena_printf(c->arena, "%s.zip.part", file);
	int code = client_download(c, url, zip);
	if (code == 0)
		code = unpack(zip, file);
	unlink(zip);
	return code;
}

int export_devices(struct client *c, const struct export_report *r, const char *file)
{
	struct client_answer a;
	char *url = NULL;
	int code = client_call(c, "POST", "/v1.0/deviceManagement/reports/exportJobs", job_body(c, r), &a);
	const char *id = json_string_value(json_object_get(a.json, "id"));
	if (code == 0 && id == NULL)
		code = cmd_fail("export", ERR_INTERNAL, "the server named no job");
	if (code == 0)
		code = wait_for(c, arena_printf(c->arena, "/v1.0/deviceManagement/reports/exportJobs('%s')", id), &url);
	if (code == 0)
		code = fetch(c, url, file);
	if (code == 0 && c->json)
		printf("{\"job\":\"%s\"}\n", id);
	else if (code == 0)
		printf("report %s written to %s\n", id, file);
	json_decref(a.json);
	return code;
}
