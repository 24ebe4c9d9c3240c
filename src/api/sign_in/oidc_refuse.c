/* SPDX-License-Identifier: Apache-2.0
 * Refusals of single sign-on, for the tenant's log. */
#include <string.h>

#include "api/sign_in/oidc_inner.h"
#include "audit/audit_read.h"
#include "crypto/digest.h"
#include "resource/tables.h"

/* Different reasons are different targets: a flood of one does not hide another. */
void oidc_refused(struct call *c, const struct provider *p, const char *why)
{
	uint8_t digest[SHA256_BYTES];
	struct digest_part parts[] = {{&p->provider, sizeof p->provider}, {why, strlen(why)}};
	struct id target;
	sha256_parts(parts, 2, digest);
	memcpy(&target, digest, sizeof target);
	if (!audit_first_in_minute(&c->s, ACT_SINGLE_SIGN_ON_REFUSED, target))
		return;
	audit_refused(&c->s, &(struct audit_event){.activity = ACT_SINGLE_SIGN_ON_REFUSED, .resource_type = RES_IDENTITY_PROVIDER.entity,
						   .resource = p->provider, .resource_name = p->display_name, .failure = why});
}
