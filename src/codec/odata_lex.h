/* SPDX-License-Identifier: Apache-2.0
 *
 * Words of a $filter, private to codec/.  A lexer stands on one token; odata_next() moves on.
 */
#ifndef REEVE_CODEC_ODATA_LEX_H
#define REEVE_CODEC_ODATA_LEX_H

#include <stddef.h>

#include "base/err.h"
#include "codec/odata.h"

enum odata_token {
	TOKEN_END,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_COMMA,
	TOKEN_COLON, /* behind a lambda's variable */
	TOKEN_NAME,  /* a keyword, function or property path: text */
	TOKEN_VALUE, /* a literal: value */
};

struct odata_lexer {
	struct scope *s;
	const char *start, *at; /* at: behind the token */
	enum odata_token token;
	size_t column;          /* of the token, from 1 */
	char *text;
	struct odata_value *value;
};

/* Both fail with ERR_BAD_REQUEST and a detail. */
MUST_CHECK enum err odata_lex(struct odata_lexer *l, struct scope *s, const char *text);
MUST_CHECK enum err odata_next(struct odata_lexer *l);

/* Length of the property path at text: names of letters, digits and _, joined by / or (types and their namespaces) a
 * dot; 0 where there is none. */
size_t odata_path_length(const char *text);

/* "malformed $filter at character 12: what".  what must not quote a literal: it may be personal. */
enum err odata_malformed(struct odata_lexer *l, const char *what);

/* arena_try for what outside input sizes; NULL becomes ERR_LIMIT by odata_no_room(). */
enum err odata_no_room(struct scope *s);

#endif
