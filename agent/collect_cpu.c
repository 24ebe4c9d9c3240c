/* SPDX-License-Identifier: Apache-2.0
 *
 * The processor's name, how many there are, and how much memory.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "collect.h"
#include "fs.h"

/* The value of a "key : value" line, and where it ends; NULL where the line has another key. */
static const char *value_of(const char *line, const char *key, size_t *ret_n)
{
	size_t n = strlen(key), len = strcspn(line, "\n");
	if (strncmp(line, key, n) != 0)
		return NULL;
	size_t at = n;
	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	if (at == len || line[at] != ':')
		return NULL;
	at++;
	while (at < len && isspace((unsigned char)line[at]))
		at++;
	while (len > at && isspace((unsigned char)line[len - 1]))
		len--;
	*ret_n = len - at;
	return line + at;
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line == '\n' ? line + 1 : line;
}

char *cpuinfo_model(struct arena *arena, const char *text)
{
	static const char *const keys[] = {"model name", "cpu model", "Processor", "cpu", "uarch", "Hardware"};
	size_t n;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		for (const char *line = text; *line != '\0'; line = next_line(line)) {
			const char *value = value_of(line, keys[i], &n);
			if (value != NULL && n > 0)
				return arena_strndup(arena, value, n);
		}
	return NULL;
}

int cpuinfo_count(const char *text)
{
	int count = 0;
	size_t n;
	for (const char *line = text; *line != '\0'; line = next_line(line))
		if (value_of(line, "processor", &n) != NULL && n > 0)
			count++;
	return count;
}

int64_t meminfo_bytes(const char *text, const char *key)
{
	size_t n;
	for (const char *line = text; *line != '\0'; line = next_line(line)) {
		const char *value = value_of(line, key, &n);
		if (value == NULL)
			continue;
		char *end;
		long long kib = strtoll(value, &end, 10);
		if (end == value || strncmp(end, " kB", 3) != 0 || kib < 0 || kib > (1LL << 50))
			return 0;
		return (int64_t)kib * 1024;
	}
	return 0;
}

void collect_cpu(struct agent *a, struct facts *f)
{
	const char *cpu = fs_text(a, "proc/cpuinfo", 8u << 20);
	if (cpu != NULL) {
		f->processor = cpuinfo_model(a->scope->arena, cpu);
		f->processor_count = cpuinfo_count(cpu);
	}
	const char *memory = fs_text(a, "proc/meminfo", 65536);
	if (memory != NULL)
		f->memory_bytes = meminfo_bytes(memory, "MemTotal");
}
