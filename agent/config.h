/* SPDX-License-Identifier: Apache-2.0
 *
 * /etc/reeve-agent.conf: what the machine's owner decided at installation.  The organisation cannot write it
 * (fs_path.c).
 */
#ifndef REEVE_AGENT_CONFIG_H
#define REEVE_AGENT_CONFIG_H

#include "agent.h"

enum wipe_method { WIPE_UNSET, WIPE_OFF, WIPE_REINSTALL, WIPE_LUKS };

struct config {
	enum wipe_method wipe;
	const char *wipe_command; /* instead of the shipped hook; NULL: the shipped one */
};

/* No file: everything unset.  ERR_CONFIG with the line of what cannot be used. */
MUST_CHECK enum err config_load(struct agent *a, struct config *ret);
MUST_CHECK enum err config_parse(struct scope *s, const char *text, struct config *ret); /* pure */

#endif
