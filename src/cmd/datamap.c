/* SPDX-License-Identifier: Apache-2.0
 * reeve datamap: the data map that this binary has, without a server; and the record of processing, which a server makes from it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cmd/client.h"
#include "cmd/cmd.h"
#include "privacy/processing/map_document.h"

int cmd_datamap(int argc, char **argv);

static const char HELP[] =
	"usage: reeve datamap [--format text|csv|json|html|fides]\n"
	"       reeve datamap ropa [--format html|csv|json] [options]\n\n"
	"Every column that Reeve holds: whose, why, how it is exported, when it goes; and the stores that are no columns.  fides: a dataset\n"
	"in YAML for ethyca/fides.  ropa: the record of processing activities (GDPR Art. 30) of the tenant, made by the server.\n" CLIENT_OPTIONS_HELP;

/* A reader that has seen enough (head) is no failure. */
static int print(const char *text, size_t n)
{
	bool good = fwrite(text, 1, n, stdout) == n && fflush(stdout) == 0;
	return good || errno == EPIPE ? 0 : cmd_fail("datamap", ERR_IO, "the document cannot be written");
}

static void json(struct arena *a, struct buf *out)
{
	struct json_writer w;
	jw_init(&w, out);
	jw_object(&w);
	map_document_json(a, &w);
	jw_end_object(&w);
	buf_addc(out, '\n');
}

static const struct {
	const char *name;
	void (*write)(struct arena *a, struct buf *out);
} FORMATS[] = {
	{"text", map_document_text}, {"csv", map_document_csv},	    {"json", json},
	{"html", map_document_html}, {"fides", map_document_fides},
};

static int print_map(const char *format)
{
	for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++) {
		if (strcmp(FORMATS[i].name, format) != 0)
			continue;
		auto_buf out;
		buf_init(&out, LIMIT_RESPONSE_BYTES);
		struct arena *a = arena_new(LIMIT_ARENA_BYTES);
		FORMATS[i].write(a, &out);
		arena_free(a);
		return out.failed ? cmd_fail("datamap", ERR_LIMIT, "the map is too large") : print(out.data, out.len);
	}
	return cmd_fail("datamap", ERR_USAGE, "unknown format '%s'; see 'reeve datamap --help'", format);
}

static int print_record(struct client *c, const char *format)
{
	struct client_answer a;
	if (strcmp(format, "html") != 0 && strcmp(format, "csv") != 0 && strcmp(format, "json") != 0)
		return cmd_fail("datamap", ERR_USAGE, "the record of processing comes as html, csv or json");
	int code = client_call(c, "GET", arena_printf(c->arena, "/v1.0/deviceManagement/recordOfProcessing?$format=%s", format), NULL, &a);
	if (code != 0)
		return code;
	json_decref(a.json);
	return print(a.body, a.n);
}

static int record_of_processing(int argc, char **argv, const char *format)
{
	struct client c;
	int code = client_open(&c, "datamap", false, &argc, argv);
	if (code != 0)
		return code;
	if (argc > 2)
		code = cmd_fail("datamap", ERR_USAGE, "unknown argument '%s'", argv[2]);
	else
		code = print_record(&c, format != NULL ? format : c.json ? "json" : "html");
	client_close(&c);
	return code;
}

int cmd_datamap(int argc, char **argv)
{
	if (cmd_wants_help(argc, argv, HELP))
		return 0;
	const char *format = option_take(&argc, argv, "--format");
	if (argc > 1 && strcmp(argv[1], "ropa") == 0)
		return record_of_processing(argc, argv, format);
	bool as_json = option_take_flag(&argc, argv, "--json");
	if (argc > 1)
		return cmd_fail("datamap", ERR_USAGE, "unknown argument '%s'", argv[1]);
	return print_map(format != NULL ? format : as_json ? "json" : "text");
}
