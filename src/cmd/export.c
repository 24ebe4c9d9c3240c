/* SPDX-License-Identifier: Apache-2.0
 * reeve export user UPN --out FILE: asks for the export, waits for it, fetches it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/export_verify.h"
#include "codec/odata.h"

int cmd_export(int argc, char **argv);

static const char HELP[] = "usage: reeve export user UPN --out FILE [options]\n"
			   "       reeve export verify FILE [--key KEY] [--json]\n\n"
			   "Everything held about one person, as one zip: JSON and CSV per section, a README.html, a manifest with SHA-256 sums.\n"
			   CLIENT_OPTIONS_HELP;

enum { POLL_MS = 250, POLLS_MAX = 4 * 3600 };

/* The operation's id is the last segment of the answer's Location. */
static int request_export(struct client *c, const char *upn, char **ret_id)
{
	struct client_answer a;
	char *path = arena_printf(c->arena, "/v1.0/users/%s/exportPersonalData", url_encode(c->arena, upn));
	int code = client_call(c, "POST", path, "{}", &a);
	const char *slash = a.location != NULL ? strrchr(a.location, '/') : NULL;
	if (code == 0 && slash == NULL)
		code = cmd_fail("export", ERR_INTERNAL, "the server named no operation");
	*ret_id = code == 0 ? arena_strdup(c->arena, slash + 1) : NULL;
	json_decref(a.json);
	return code;
}

static int wait_for(struct client *c, const char *id)
{
	char *path = arena_printf(c->arena, "/v1.0/dataPolicyOperations/%s", id);
	for (int i = 0; i < POLLS_MAX; i++) {
		struct client_answer a;
		int code = client_call(c, "GET", path, NULL, &a);
		const char *status = json_string_value(json_object_get(a.json, "status"));
		bool done = status != NULL && strcmp(status, "complete") == 0, failed = status != NULL && strcmp(status, "failed") == 0;
		json_decref(a.json);
		if (code != 0 || done)
			return code;
		if (failed)
			return cmd_fail("export", ERR_INTERNAL, "the export failed; see the server's log");
		nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
	}
	return cmd_fail("export", ERR_UNAVAILABLE, "the export did not finish in time; its operation is %s", id);
}

static int run(struct client *c, const char *upn, const char *out)
{
	char *id;
	int code = request_export(c, upn, &id);
	if (code == 0)
		code = wait_for(c, id);
	if (code == 0)
		code = client_download(c, arena_printf(c->arena, "/v1.0/dataPolicyOperations/%s/content", id), out);
	if (code == 0)
		printf(c->json ? "{\"operation\":\"%s\",\"file\":\"%s\"}\n" : "export %s written to %s\n", id, out);
	return code;
}

int cmd_export(int argc, char **argv)
{
	struct client c;
	const char *out = NULL;
	if (argc > 1 && strcmp(argv[1], "verify") == 0)
		return cmd_export_verify(argc - 1, argv + 1);
	if (cmd_wants_help(argc, argv, HELP))
		return 0;
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "--out") == 0) {
			out = argv[i + 1];
			memmove(&argv[i], &argv[i + 2], (size_t)(argc - i - 2) * sizeof *argv);
			argc -= 2;
		}
	int code = client_open(&c, "export", false, &argc, argv);
	if (code != 0)
		return code;
	if (argc != 3 || strcmp(argv[1], "user") != 0 || out == NULL)
		code = cmd_fail("export", ERR_USAGE, "usage: reeve export user UPN --out FILE");
	else
		code = run(&c, argv[2], out);
	client_close(&c);
	return code;
}
