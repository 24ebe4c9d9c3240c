/* SPDX-License-Identifier: Apache-2.0
 * reeve export: what is held about a person, as a bundle, as a page or as Intune's files; devices as a table; and the check of a bundle. */
#include "cmd/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/export_verify.h"
#include "cmd/progress.h"
#include "codec/odata.h"

int cmd_export(int argc, char **argv);

static const char HELP[] =
	"usage: reeve export user UPN --out FILE [--redacted|--full|--portability] [--section NAME]... [--page] [--request ID] [options]\n"
	"       reeve export user UPN --out DIR --layout intune [--format json|csv] [options]\n"
	"       reeve export devices --out FILE [--report NAME] [--format csv|json] [--filter EXPRESSION] [--select COLUMN,...] [options]\n"
	"       reeve export verify FILE [--key KEY] [--json]\n\n"
	"user: everything held about one person, as one zip: JSON and CSV per section, a README.html, a manifest with SHA-256 sums.\n"
	"  --redacted         as the person gets to see it (the default)\n"
	"  --full             with what names others, for the organisation itself\n"
	"  --portability      only what the person provided and what was observed (GDPR Art. 20)\n"
	"  --section NAME     only this section; again for another one\n"
	"  --page             one printable HTML page instead of a zip\n"
	"  --request ID       the data-subject request that it answers: its officer's decisions are applied\n"
	"  --layout intune    a folder with one file per entity, named as Microsoft's Export-IntuneData.ps1 names them\n"
	"devices: a report of the device list; FILE.zip is the server's zip, any other name is the table in it.\n"
	"  --report NAME      Devices (the default), DevicesWithInventory ...\n"
	"  --filter, --select as reports/exportJobs takes them: \"(OwnerType eq '1')\", DeviceName,OSVersion\n" CLIENT_OPTIONS_HELP;

enum { POLL_MS = 200, POLLS_MAX = 5 * 3600, SECTIONS_MAX = 64 };

struct order {
	const char *out, *layout, *format, *request, *variant;
	const char *sections[SECTIONS_MAX];
	size_t section_n;
	bool page;
	struct export_report report;
};

void export_pause(void)
{
	nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
}

/* ---- one person ---- */

static char *order_body(struct client *c, const struct order *o)
{
	json_t *body = json_object();
	if (o->variant != NULL)
		json_object_set_new(body, "variant", json_string(o->variant));
	if (o->page)
		json_object_set_new(body, "form", json_string("page"));
	if (o->request != NULL)
		json_object_set_new(body, "requestId", json_string(o->request));
	if (o->section_n > 0)
		json_object_set_new(body, "sections", json_array());
	for (size_t i = 0; i < o->section_n; i++)
		json_array_append_new(json_object_get(body, "sections"), json_string(o->sections[i]));
	char *text = json_dumps(body, JSON_COMPACT), *copy = arena_strdup(c->arena, text);
	free(text);
	json_decref(body);
	return copy;
}

/* The operation's id is the last segment of the answer's Location. */
static int request_export(struct client *c, const char *upn, const struct order *o, char **ret_id)
{
	struct client_answer a;
	char *path = arena_printf(c->arena, "/v1.0/users/%s/exportPersonalData", url_encode(c->arena, upn));
	int code = client_call(c, "POST", path, order_body(c, o), &a);
	const char *slash = a.location != NULL ? strrchr(a.location, '/') : NULL;
	if (code == 0 && slash == NULL)
		code = cmd_fail("export", ERR_INTERNAL, "the server named no operation");
	*ret_id = code == 0 ? arena_strdup(c->arena, slash + 1) : NULL;
	json_decref(a.json);
	return code;
}

/* One look at the operation. */
static int look(struct client *c, const char *path, struct progress *bar, bool *ret_done)
{
	struct client_answer a;
	struct arena_mark mark = arena_mark(c->arena);
	int code = client_call(c, "GET", path, NULL, &a);
	const char *status = json_string_value(json_object_get(a.json, "status")), *error = json_string_value(json_object_get(a.json, "error"));
	*ret_done = status != NULL && strcmp(status, "complete") == 0;
	progress_show(bar, *ret_done ? 100 : json_integer_value(json_object_get(a.json, "progress")), 100);
	if (code == 0 && status != NULL && strcmp(status, "failed") == 0) {
		progress_end(bar);
		code = cmd_fail("export", ERR_INTERNAL, "the export failed: %s", error != NULL ? error : "see the server's log");
	}
	json_decref(a.json);
	arena_rewind(c->arena, mark);
	return code;
}

static int wait_for(struct client *c, const char *id)
{
	struct progress bar;
	bool done = false;
	int code = 0;
	char *path = arena_printf(c->arena, "/v1.0/dataPolicyOperations/%s?$select=status,progress,error", id);
	progress_begin(&bar, "collecting", false, c->json);
	for (int i = 0; i < POLLS_MAX && code == 0 && !done; i++) {
		if (i > 0)
			export_pause();
		code = look(c, path, &bar, &done);
	}
	progress_end(&bar);
	return code != 0 || done ? code : cmd_fail("export", ERR_UNAVAILABLE, "the export did not finish in time; its operation is %s", id);
}

static void report_file(struct client *c, const char *operation, const char *file)
{
	if (!c->json) {
		printf("export %s written to %s\n", operation, file);
		return;
	}
	json_t *j = json_pack("{s:s, s:s}", "operation", operation, "file", file);
	json_dumpf(j, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(j);
}

static int export_user(struct client *c, const char *upn, const struct order *o)
{
	char *id;
	int code = request_export(c, upn, o, &id);
	if (code == 0)
		code = wait_for(c, id);
	if (code == 0)
		code = client_download(c, arena_printf(c->arena, "/v1.0/dataPolicyOperations/%s/content", id), o->out);
	if (code == 0)
		report_file(c, id, o->out);
	return code;
}

/* ---- the command line ---- */

/* Flags that exclude each other. */
static int take_variant(int *argc, char **argv, struct order *o)
{
	static const char *const variants[] = {"redacted", "full", "portability"};
	for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
		char flag[16];
		snprintf(flag, sizeof flag, "--%s", variants[i]);
		if (!option_take_flag(argc, argv, flag))
			continue;
		if (o->variant != NULL)
			return cmd_fail("export", ERR_USAGE, "--%s and --%s exclude each other", o->variant, variants[i]);
		o->variant = variants[i];
	}
	return 0;
}

static int take_options(int *argc, char **argv, struct order *o)
{
	const char *section;
	o->out = option_take(argc, argv, "--out");
	o->layout = option_take(argc, argv, "--layout");
	o->format = option_take(argc, argv, "--format");
	o->request = option_take(argc, argv, "--request");
	o->page = option_take_flag(argc, argv, "--page");
	o->report = (struct export_report){.name = option_take(argc, argv, "--report"), .filter = option_take(argc, argv, "--filter"),
					   .select = option_take(argc, argv, "--select"), .format = o->format};
	while ((section = option_take(argc, argv, "--section")) != NULL) {
		if (o->section_n == SECTIONS_MAX)
			return cmd_fail("export", ERR_USAGE, "at most %d sections can be chosen", SECTIONS_MAX);
		o->sections[o->section_n++] = section;
	}
	return take_variant(argc, argv, o);
}

/* Why these options make no sense together; NULL: they do. */
static const char *problem(const struct order *o, bool user)
{
	bool person = o->variant != NULL || o->section_n > 0 || o->page || o->request != NULL;
	bool report = o->report.name != NULL || o->report.filter != NULL || o->report.select != NULL;
	if (o->out == NULL)
		return "say where to write it: --out FILE";
	if (o->format != NULL && strcmp(o->format, "csv") != 0 && strcmp(o->format, "json") != 0)
		return "--format is csv or json";
	if (!user)
		return person || o->layout != NULL ? "of devices there are --report, --format, --filter and --select" : NULL;
	if (report)
		return "--report, --filter and --select are of 'reeve export devices'";
	if (o->layout == NULL)
		return o->format != NULL ? "--format goes with --layout intune; a bundle holds both" : NULL;
	if (strcmp(o->layout, "intune") != 0)
		return "the only layout is intune";
	return person ? "--layout intune is everything, by Intune's names: it has no variants, sections and pages" : NULL;
}

int cmd_export(int argc, char **argv)
{
	struct client c;
	struct order o = {.out = NULL};
	if (argc > 1 && strcmp(argv[1], "verify") == 0)
		return cmd_export_verify(argc - 1, argv + 1);
	if (cmd_wants_help(argc, argv, HELP))
		return 0;
	int code = take_options(&argc, argv, &o);
	if (code == 0)
		code = client_open(&c, "export", false, &argc, argv);
	if (code != 0)
		return code;
	bool user = argc == 3 && strcmp(argv[1], "user") == 0, devices = argc == 2 && strcmp(argv[1], "devices") == 0;
	const char *why = user || devices ? problem(&o, user) : "usage: reeve export user UPN --out FILE, or reeve export devices --out FILE; see --help";
	if (why != NULL)
		code = cmd_fail("export", ERR_USAGE, "%s", why);
	else if (devices)
		code = export_devices(&c, &o.report, o.out);
	else if (o.layout != NULL)
		code = export_layout(&c, argv[2], o.out, o.format != NULL && strcmp(o.format, "csv") == 0);
	else
		code = export_user(&c, argv[2], &o);
	client_close(&c);
	return code;
}
