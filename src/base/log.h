/* SPDX-License-Identifier: Apache-2.0
 *
 * One structured line per event on standard error (logfmt: time, level, event, key=value).  Only edges log.  Never a name, a UPN,
 * an address of a person, a token or a body: ids of objects and error names are all that a line carries.
 */
#ifndef REEVE_BASE_LOG_H
#define REEVE_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level lowest);
/* fmt makes the "key=value …" part; values with spaces must be quoted by the caller with %s inside "…". */
void log_event(enum log_level level, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
