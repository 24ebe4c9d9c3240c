/* SPDX-License-Identifier: Apache-2.0
 * Inside backup/ only: the files in the directory. */
#ifndef REEVE_BACKUP_FILES_H
#define REEVE_BACKUP_FILES_H

#include "backup/backup.h"

/* Removes sealed files of this installation whose key's life is over by their own header and gone from the keeper. */
MUST_CHECK enum err backup_remove_dead(struct scope *s, const struct backups *b, size_t *ret_removed);
/* What a crash left of a backup under way. */
void backup_remove_unfinished(const struct backups *b);

#endif
