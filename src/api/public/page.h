/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages that anybody may open: plain HTML without script, forms that only our own pages may send, limits for each address and tenant.  A page
 * never says whether a person, a tenant or a case exists.
 */
#ifndef REEVE_API_PUBLIC_PAGE_H
#define REEVE_API_PUBLIC_PAGE_H

#include "api/api.h"
#include "codec/form.h"

/* ---- writing ---- */

/* Begins the page (codec/html.h escapes what is put into it); organisation may be NULL. */
struct buf *page_begin(struct call *c, const char *organisation, const char *title);
/* Ends it, with its headers; returns OK.  The footer is text of ours. */
enum err page_end(struct call *c, int status);
enum err page_end_with(struct call *c, int status, const char *footer);
void page_day(struct buf *b, int64_t at);        /* "22 November 2026" */
/* Whole pages. */
enum err page_not_found(struct call *c);
enum err page_message(struct call *c, int status, const char *title, const char *text);

/* ---- reading ---- */

/* Reads what our own page sent (codec/form.h; Origin, or Sec-Fetch-Site where a browser sends that).  False: a page that says
 * what is wrong is the answer already. */
bool page_form(struct call *c, struct form_field *fields, size_t n);
/* Whether a browser says that one of our own pages sent the request. */
bool page_same_origin(struct call *c);

/* ---- limits ---- */

enum page_limit {
	LIMIT_PAGES,        /* anything, for an address */
	LIMIT_INTAKE,       /* requests opened from an address */
	LIMIT_INTAKE_TENANT,
	LIMIT_INTAKE_MAIL,  /* requests opened with one mail address: their letters go to somebody who perhaps never asked */
	LIMIT_CODES,        /* codes asked for from an address */
	LIMIT_ATTEMPTS,     /* codes entered from an address */
	LIMIT_DEVICE_CODES, /* codes for programs without a browser, asked for from an address */
	LIMIT_USER_CODES,   /* such codes entered in a session */
	PAGE_LIMITS
};
/* Counts one; false where there were too many, and then a page that says so is the answer already.  key: what is counted, NULL for the client's
 * address (of IPv6 the network of 64 bits). */
bool page_within(struct call *c, enum page_limit limit, const char *key);
/* The same for what is no page: seconds to wait, 0 where it is within the limit. */
unsigned page_wait(struct call *c, enum page_limit limit, const char *key);
/* For /metrics: a limit's name, and how many it refused since the start. */
const char *page_limit_name(enum page_limit limit);
uint64_t page_refused(enum page_limit limit);
const char *page_client(struct call *c); /* that address, or network */

#endif
