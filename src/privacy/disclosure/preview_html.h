/* SPDX-License-Identifier: Apache-2.0
 * The preview as a page to print: begin, the summary or records or both, end. */
#ifndef REEVE_PRIVACY_PREVIEW_HTML_H
#define REEVE_PRIVACY_PREVIEW_HTML_H

#include "base/buf.h"
#include "privacy/disclosure/preview.h"

void preview_html_begin(struct scope *s, struct id request, struct buf *out);
void preview_html_summary(const struct preview_section *c, size_t n, struct buf *out);
void preview_html_records(struct scope *s, const struct preview_page *p, struct buf *out);
void preview_html_end(struct buf *out);

#endif
