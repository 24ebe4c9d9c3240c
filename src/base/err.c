/* SPDX-License-Identifier: Apache-2.0
 * The error tables, made from errors.def. */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name, *graph_code, *text;
	int http, exit_code, retryable;
} ERRORS[] = {
#define ERR(name, http, code, exit_code, retry, text) {#name, code, text, http, exit_code, retry},
#include "base/errors.def"
#undef ERR
};

static int idx(enum err e)
{
	return (unsigned)e < ERR_COUNT ? (int)e : (int)ERR_INTERNAL;
}

const char *err_name(enum err e) { return ERRORS[idx(e)].name; }
const char *err_text(enum err e) { return ERRORS[idx(e)].text; }
const char *err_graph_code(enum err e) { return ERRORS[idx(e)].graph_code; }
int err_http_status(enum err e) { return ERRORS[idx(e)].http; }
int err_exit_code(enum err e) { return ERRORS[idx(e)].exit_code; }
bool err_retryable(enum err e) { return ERRORS[idx(e)].retryable != 0; }

void check_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "reeve: broken invariant: %s (%s:%d)\n", expr, file, line);
	abort();
}
