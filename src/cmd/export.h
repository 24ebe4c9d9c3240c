/* SPDX-License-Identifier: Apache-2.0
 * reeve export: its forms, each in a file of its own. */
#ifndef REEVE_CMD_EXPORT_H
#define REEVE_CMD_EXPORT_H

#include "cmd/client.h"

/* Everything about one person as files that are named as Microsoft's export script names them; dir is made, or is empty.  csv: else JSON.
 * 0 or an exit code; where it fails nothing is left. */
int export_layout(struct client *c, const char *upn, const char *dir, bool csv);

struct export_report {
	const char *name, *format, *filter, *select; /* NULL: Devices, csv, all rows, the report's default columns */
};
/* A report of devices: as the zip that the server makes where file ends in ".zip", else what is in it. */
int export_devices(struct client *c, const struct export_report *r, const char *file);

/* Waits between two looks at something that the server is making. */
void export_pause(void);

#endif
