/* SPDX-License-Identifier: Apache-2.0
 *
 * The one error type.  Everything that can fail returns enum err; detail for people is attached once, at the origin, with
 * scope_fail() (scope.h) and passed up unchanged.  Only the edges (gate, job runner, commands) log.
 */
#ifndef REEVE_BASE_ERR_H
#define REEVE_BASE_ERR_H

#include <stdbool.h>

enum err {
#define ERR(name, http, code, exit_code, retry, text) ERR_##name,
#include "base/errors.def"
#undef ERR
	ERR_COUNT
};

#define OK ERR_OK
#define MUST_CHECK __attribute__((warn_unused_result))

const char *err_name(enum err e);       /* "NOT_FOUND" */
const char *err_text(enum err e);       /* the default sentence */
const char *err_graph_code(enum err e); /* code of Graph's error object */
int err_http_status(enum err e);
int err_exit_code(enum err e);
bool err_retryable(enum err e);

/* Programming errors, never outside input: prints the place and aborts.  Always compiled in. */
void check_failed(const char *expr, const char *file, int line) __attribute__((noreturn));
#define check(expr) ((expr) ? (void)0 : check_failed(#expr, __FILE__, __LINE__))

/* Returns early on failure. */
#define TRY(call)                             \
	do {                                  \
		enum err try_err_ = (call);   \
		if (try_err_ != OK)           \
			return try_err_;      \
	} while (0)

#endif
