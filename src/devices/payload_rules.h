/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside devices/: the rules that payload.def names.  Each gets the text (TEXT, each of TEXTS) or the number (INT) and
 * says why it is refused, for people and without quoting the value; NULL: it is accepted.
 */
#ifndef REEVE_DEVICES_PAYLOAD_RULES_H
#define REEVE_DEVICES_PAYLOAD_RULES_H

#include <stdint.h>

#include "base/scope.h"

typedef const char *(*payload_rule)(struct scope *s, const char *text, int64_t number);

const char *rule_file_path(struct scope *s, const char *text, int64_t number);
const char *rule_data_path(struct scope *s, const char *text, int64_t number);
const char *rule_mode(struct scope *s, const char *text, int64_t number);
const char *rule_wifi_security(struct scope *s, const char *text, int64_t number);
const char *rule_passphrase(struct scope *s, const char *text, int64_t number);
const char *rule_host(struct scope *s, const char *text, int64_t number);
const char *rule_port(struct scope *s, const char *text, int64_t number);
const char *rule_imap(struct scope *s, const char *text, int64_t number);
const char *rule_certificate(struct scope *s, const char *text, int64_t number);
const char *rule_package(struct scope *s, const char *text, int64_t number);
const char *rule_version(struct scope *s, const char *text, int64_t number);

#endif
