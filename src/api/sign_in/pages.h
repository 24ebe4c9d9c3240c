/* SPDX-License-Identifier: Apache-2.0
 *
 * The pages on which people sign in and look at their own account: plain HTML without script (api/public/page.h), which say nothing about
 * anybody who has not signed in, and have nothing of a person in their addresses.
 */
#ifndef REEVE_API_SIGN_IN_PAGES_H
#define REEVE_API_SIGN_IN_PAGES_H

#include "api/api.h"
#include "api/public/page.h"
#include "directory/sign_in/session.h"

/* Where to go after the sign-in: a path of our own, else "/account".  In the arena. */
const char *sign_in_next(struct call *c, const char *next);
/* " next=…" of the request's query, checked as above. */
const char *sign_in_next_of_query(struct call *c);

/* The end of every way in: the browser gets the cookie and goes to `next`; the session that it had before ends.  Returns OK. */
MUST_CHECK enum err sign_in_done(struct call *c, struct id session, const char *secret, const char *next);
/* 303: the browser goes there with GET. */
enum err sign_in_see_other(struct call *c, const char *path);
/* What a browser is to be told of: session_new's ip and user_agent. */
void sign_in_describe(struct call *c, struct session_new *n);

/* Whose session the request's cookie is: fills the scope's tenant and actor.  False: nobody's. */
bool sign_in_who(struct call *c);

/* ---- attempts: growing delays for an address that fails ---- */

/* False: it has to wait, and a page that says so is the answer already. */
bool sign_in_may_try(struct call *c);
void sign_in_failed(struct call *c);

/* ---- parts of pages ---- */

enum err sign_in_page_end(struct call *c, int status);
/* class: "bad" or "good". */
void sign_in_notice(struct buf *b, const char *class, const char *text);
void sign_in_hidden(struct buf *b, const char *name, const char *value);
/* A labelled field; hint may be NULL. */
struct sign_in_field {
	const char *name, *type, *label, *hint, *complete, *value;
	const char *id; /* NULL: the name */
	int max;
	bool code; /* digits, in wide letters */
};
void sign_in_input(struct buf *b, const struct sign_in_field *f);
const char *sign_in_digits(struct call *c, const char *code); /* without the blanks that people type */
/* What is to be typed into an authenticator app, and a field for the code that it makes. */
MUST_CHECK enum err sign_in_write_offer(struct call *c, struct buf *b, struct id user);

#endif
