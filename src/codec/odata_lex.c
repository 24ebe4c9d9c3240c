/* SPDX-License-Identifier: Apache-2.0
 *
 * Text of a $filter to tokens.  Values are decided here by their looks (OData 4.01 ABNF: the forms do not overlap but
 * for a GUID that starts like a name or a number, which is therefore tried first).
 */
#include "codec/odata_lex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

enum { GUID_LENGTH = ID_TEXT - 1 };

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) { return is_letter(c) || is_digit(c); }

enum err odata_malformed(struct odata_lexer *l, const char *what)
{
	return scope_fail(l->s, ERR_BAD_REQUEST, "malformed $filter at character %zu: %s", l->column, what);
}

enum err odata_no_room(struct scope *s)
{
	return scope_fail(s, ERR_LIMIT, "the request needs more memory than one request may have");
}

size_t odata_path_length(const char *text)
{
	size_t n = 0;
	for (;;) {
		if (!is_letter(text[n]))
			return 0;
		while (is_word(text[n]))
			n++;
		if (text[n] != '/' && text[n] != '.')
			return n;
		n++;
	}
}

static char *copy(struct scope *s, const char *from, size_t n)
{
	char *p = arena_try(s->arena, n + 1);
	if (p != NULL)
		memcpy(p, from, n);
	return p;
}

static enum err new_value(struct odata_lexer *l, enum odata_literal type, const char *text, int64_t i)
{
	l->token = TOKEN_VALUE;
	l->value = arena_try(l->s->arena, sizeof *l->value);
	if (l->value == NULL)
		return odata_no_room(l->s);
	*l->value = (struct odata_value){.type = type, .text = text, .i = i};
	return OK;
}

/* at stands on the opening quote; a quote inside is doubled. */
static enum err lex_string(struct odata_lexer *l)
{
	size_t n = 0;
	const char *from = l->at + 1, *end = from;
	for (; *end != '\0' && (*end != '\'' || end[1] == '\''); end += *end == '\'' ? 2 : 1)
		n++;
	if (*end == '\0')
		return odata_malformed(l, "a text that starts with ' has no end");
	char *out = arena_try(l->s->arena, n + 1);
	if (out == NULL)
		return odata_no_room(l->s);
	for (size_t i = 0; i < n; i++, from++) {
		out[i] = *from;
		if (*from == '\'')
			from++;
	}
	l->at = end + 1;
	return new_value(l, ODATA_STRING, out, 0);
}

static enum err lex_number(struct odata_lexer *l, const char *text)
{
	const char *digits = text + (*text == '-' || *text == '+');
	size_t whole = strspn(digits, "0123456789");
	const char *rest = digits + whole;
	if (whole == 0)
		return odata_malformed(l, "a value is expected");
	if (*rest == '.' && is_digit(rest[1])) {
		rest++;
		rest += strspn(rest, "0");
		if (is_digit(*rest))
			return odata_malformed(l, "numbers with a fraction are not supported");
	}
	if (*rest != '\0')
		return odata_malformed(l, "this is no number, date or identifier");
	errno = 0;
	int64_t v = strtoll(text, NULL, 10);
	if (errno == ERANGE)
		return odata_malformed(l, "the number is out of range");
	return new_value(l, ODATA_NUMBER, text, v);
}

/* Numbers and times: what starts with a digit or a sign. */
static enum err lex_figure(struct odata_lexer *l)
{
	size_t n = 1;
	while (is_word(l->at[n]) || (l->at[n] != '\0' && strchr(".:+-", l->at[n]) != NULL))
		n++;
	char *text = copy(l->s, l->at, n);
	if (text == NULL)
		return odata_no_room(l->s);
	l->at += n;
	int64_t us;
	if (strspn(text, "0123456789") == 4 && text[4] == '-') {
		if (!time_parse(text, &us))
			return odata_malformed(l, "this is no date");
		return new_value(l, ODATA_TIME, text, us);
	}
	return lex_number(l, text);
}

static bool at_guid(const char *at)
{
	struct id id;
	char text[ID_TEXT] = {0};
	memcpy(text, at, strnlen(at, GUID_LENGTH));
	return id_parse(text, &id) && !is_word(at[GUID_LENGTH]) && at[GUID_LENGTH] != '-';
}

static enum err lex_guid(struct odata_lexer *l)
{
	char *text = copy(l->s, l->at, GUID_LENGTH);
	if (text == NULL)
		return odata_no_room(l->s);
	l->at += GUID_LENGTH;
	return new_value(l, ODATA_GUID, text, 0);
}

/* A name, one of the three literals that are words, or the type before an enumeration's member: ns.type'member'. */
static enum err lex_name(struct odata_lexer *l)
{
	size_t n = odata_path_length(l->at);
	if (n == 0)
		return odata_malformed(l, "a name is expected behind / or .");
	if (l->at[n] == '\'') {
		if (memchr(l->at, '.', n) == NULL || memchr(l->at, '/', n) != NULL)
			return odata_malformed(l, "a text may follow only a type with its namespace");
		l->at += n;
		return lex_string(l);
	}
	l->text = copy(l->s, l->at, n);
	if (l->text == NULL)
		return odata_no_room(l->s);
	l->at += n;
	if (strcasecmp(l->text, "null") == 0)
		return new_value(l, ODATA_NULL, l->text, 0);
	if (strcasecmp(l->text, "true") == 0 || strcasecmp(l->text, "false") == 0)
		return new_value(l, ODATA_BOOL, l->text, (l->text[0] | 0x20) == 't');
	l->token = TOKEN_NAME;
	return OK;
}

static bool at_sign(struct odata_lexer *l, char c)
{
	switch (c) {
	case '\0': l->token = TOKEN_END; return true;
	case '(': l->token = TOKEN_OPEN; break;
	case ')': l->token = TOKEN_CLOSE; break;
	case ',': l->token = TOKEN_COMMA; break;
	case ':': l->token = TOKEN_COLON; break;
	default: return false;
	}
	l->at++;
	return true;
}

enum err odata_next(struct odata_lexer *l)
{
	l->text = NULL;
	l->value = NULL;
	l->at += strspn(l->at, " \t");
	l->column = (size_t)(l->at - l->start) + 1;
	char c = *l->at;
	if (at_sign(l, c))
		return OK;
	if (at_guid(l->at))
		return lex_guid(l);
	if (c == '\'')
		return lex_string(l);
	if (is_letter(c))
		return lex_name(l);
	if (is_digit(c) || c == '-' || c == '+')
		return lex_figure(l);
	return odata_malformed(l, "this character is not expected");
}

enum err odata_lex(struct odata_lexer *l, struct scope *s, const char *text)
{
	*l = (struct odata_lexer){.s = s, .start = text, .at = text};
	return odata_next(l);
}
