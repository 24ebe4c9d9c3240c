/* SPDX-License-Identifier: Apache-2.0
 *
 * HTML out: pages of text and tables that need no script and no colour and can be printed.  Whatever comes from data goes through
 * html_escape() or html_show(); HTML_POLICY is the Content-Security-Policy that such a page is served with.
 */
#ifndef REEVE_CODEC_HTML_H
#define REEVE_CODEC_HTML_H

#include <stdint.h>

#include "base/buf.h"

#define HTML_POLICY "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

/* As text, for element content and quoted attributes: & < > " ' as entities, control characters (but for TAB and LF) as U+FFFD, and so a text that
 * is no UTF-8 as a whole.  NULL adds nothing. */
void html_escape(struct buf *out, const char *s);
/* A value of n bytes, whole: as html_escape(), but controls and marks that turn the direction of a text are shown as what they are
 * (<span class="u">U+202E</span>), and only the bytes that are no UTF-8 become U+FFFD. */
void html_show(struct buf *out, const char *s, size_t n);
/* The same in <bdi>: a name that is written from right to left turns nothing around it. */
void html_name_escape(struct buf *out, const char *s);

/* Up to and including <h1>title</h1>; title is text. */
void html_page_begin(struct buf *out, const char *title);
void html_page_end(struct buf *out);

/* "2026-11-22 18:34 UTC" */
void html_time(struct buf *out, int64_t us);

/* One row of a <table class="fixed facts"> (which no page break divides): a label and its text, which breaks anywhere rather than widen the page. */
void html_fact(struct buf *out, const char *label, const char *text);
/* One row of a table: n cells of text, "<tr><td>…".  tag: "td" or "th". */
void html_row(struct buf *out, const char *tag, const char *const *cells, unsigned n);

#endif
