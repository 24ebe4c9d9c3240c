/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz target over the files of its corpus, one TAP line each: what a fuzzer once found is a test for ever, with any
 * compiler.  Called with the corpus's folder; an empty one is a failure, so that a wrong path is not a green test.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

/* Exactly as long as the file, so that the sanitizer sees a read past its end; n is 0 for an empty one. */
static uint8_t *read_whole(const char *path, size_t *ret_n)
{
	struct stat st;
	FILE *f = fopen(path, "rb");
	if (f == NULL || fstat(fileno(f), &st) != 0) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	*ret_n = (size_t)st.st_size;
	uint8_t *p = malloc(*ret_n);
	if ((p == NULL && *ret_n > 0) || fread(p, 1, *ret_n, f) != *ret_n) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	fclose(f);
	return p;
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	struct dirent **list;
	int count = argc == 2 ? scandir(argv[1], &list, visible, alphasort) : -1;
	if (count < 0) {
		fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return 64;
	}
	printf("1..%d\n", count + 1);
	printf("%s 1 - the corpus has files\n", count > 0 ? "ok" : "not ok");
	for (int i = 0; i < count; i++) {
		char path[4096];
		size_t n;
		snprintf(path, sizeof path, "%s/%s", argv[1], list[i]->d_name);
		uint8_t *bytes = read_whole(path, &n);
		fflush(stdout); /* a target that fails aborts */
		LLVMFuzzerTestOneInput(bytes, n);
		printf("ok %d - %s\n", i + 2, list[i]->d_name);
		free(bytes);
		free(list[i]);
	}
	free(list);
	return count > 0 ? 0 : 1;
}
