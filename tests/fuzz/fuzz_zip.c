/* SPDX-License-Identifier: Apache-2.0
 * Any file read as a zip: what is given keeps to the limits and has names that stay inside a folder. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#include "codec/zip.h"

static const struct zip_limits LIMITS = {.entry_bytes = 4 * KIB, .total_bytes = 16 * KIB, .entries = 16};

struct seen {
	uint64_t bytes, entries;
	char first[256];
};

static enum err take(void *arg, const char *name, const char *bytes, size_t n)
{
	struct seen *s = arg;
	check(n <= LIMITS.entry_bytes && name[0] != '/' && name[0] != '\0' && strncmp(name, "../", 3) != 0 && strstr(name, "/../") == NULL);
	for (size_t i = 0; i < n; i++)
		s->bytes += 1 + (bytes[i] & 0); /* read it */
	check(s->bytes <= LIMITS.total_bytes && ++s->entries <= LIMITS.entries);
	if (s->entries == 1)
		snprintf(s->first, sizeof s->first, "%s", name);
	return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct seen s = {0};
	char path[64], *text = NULL;
	size_t text_n;
	if (n > 64 * KIB)
		return 0;
	int fd = memfd_create("zip", MFD_CLOEXEC);
	check(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	enum err e = zip_each(path, &LIMITS, take, &s);
	check(e == OK || e == ERR_LIMIT || e == ERR_BAD_REQUEST || e == ERR_IO);
	if (s.entries > 0 && zip_read(path, s.first, LIMITS.entry_bytes, &text, &text_n) == OK) {
		check(text[text_n] == '\0');
		free(text);
	}
	close(fd);
	return 0;
}
