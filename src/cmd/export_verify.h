/* SPDX-License-Identifier: Apache-2.0
 * reeve export verify FILE: checks an export bundle offline. */
#ifndef REEVE_CMD_EXPORT_VERIFY_H
#define REEVE_CMD_EXPORT_VERIFY_H

/* argv[0] is "verify".  Returns the exit code: 0, 64 wrong call, 65 changed or no bundle, 66 no such file. */
int cmd_export_verify(int argc, char **argv);

#endif
