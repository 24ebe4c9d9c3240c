/* SPDX-License-Identifier: Apache-2.0
 * Shared by export.c and export_build.c. */
#ifndef REEVE_AUDIT_OUT_EXPORT_INTERNAL_H
#define REEVE_AUDIT_OUT_EXPORT_INTERNAL_H

#include "audit/audit.h"
#include "audit/out/export.h"

#define AUDIT_EXPORT_ARCHIVE "archive"
#define AUDIT_EXPORT_TYPE "AuditExport" /* of its events' resource */

/* DIR/exports/<id>.<ending> */
const char *audit_export_path(struct arena *a, const char *data_dir, struct id export, const char *ending);

#endif
