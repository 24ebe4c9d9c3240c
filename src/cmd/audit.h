/* SPDX-License-Identifier: Apache-2.0
 * `reeve audit`: verbs that are more than one request.  argv[0] is the verb; each returns an exit code. */
#ifndef REEVE_CMD_AUDIT_H
#define REEVE_CMD_AUDIT_H

/* audit_verify.c: checks a live server, a mirrored directory, an archive, or one event with its proof. */
int audit_cmd_verify(int argc, char **argv);
/* audit_mirror.c: keeps a copy of the log's public files that a third party can hold. */
int audit_cmd_mirror(int argc, char **argv);
/* audit_export.c: has a file or archive of the log made, waits for it, and fetches it. */
int audit_cmd_export(int argc, char **argv);

#endif
