/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind "caCertificate": one certificate that the device's programs are to trust.
 */
#include <string.h>
#include <unistd.h>

#include "crypto/x509.h"
#include "exec.h"
#include "provision.h"

static enum err plan(struct agent *a, const struct desired *d, struct plan *ret)
{
	const char *pem;
	struct x509_info info;
	TRY(payload_text(a, d->payload, "certificate", true, &pem));
	const char *begin = strstr(pem, "-----BEGIN ");
	if (begin == NULL || strstr(begin + 1, "-----BEGIN ") != NULL || x509_read(a->scope, pem, &info) != OK) {
		agent_forgive(a);
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the payload's certificate is not one PEM certificate");
	}
	plan_one_file(a, ret, arena_printf(a->scope->arena, "usr/local/share/ca-certificates/reeve-%s.crt", d->id), pem,
		      strlen(pem), 0644);
	return OK;
}

static enum err changed(struct agent *a, bool removed)
{
	const char *program = "/usr/sbin/update-ca-certificates";
	if (access(program, X_OK) != 0)
		return removed ? OK
			       : scope_fail(a->scope, ERR_NOT_IMPLEMENTED, "this system has no update-ca-certificates");
	return exec_run(a, (const char *const[]){program, removed ? "--fresh" : NULL, NULL}, NULL, 300);
}

const struct kind kind_ca = {.name = "caCertificate", .plan = plan, .changed = changed};
