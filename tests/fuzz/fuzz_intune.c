/* SPDX-License-Identifier: Apache-2.0
 * What Intune's routes take apart by themselves: places of portions, windows of sections, ids of packages.  What is accepted is in bounds, and its
 * own text is accepted again as the same. */
#include "fuzz.h"

#include "devices/detected.h"
#include "privacy/export/portion.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	enum { NUMBER = 1000 * 1000 * 1000 };
	struct portion_place place, again;
	struct portion_page page = {.sections = 0};
	struct detected_package package, same;
	char text_of[PORTION_PLACE_TEXT];
	if (n > 4 * KIB)
		return 0;
	struct arena *a = fuzz_scope()->arena;
	const char *text = arena_strndup(a, (const char *)bytes, n);
	if (portion_place_parse(text, &place)) {
		check(place.section < NUMBER && place.part < NUMBER && place.rows >= 0 && place.rows < NUMBER);
		portion_place_format(&place, text_of);
		check(portion_place_parse(text_of, &again) && memcmp(&place, &again, sizeof place) == 0);
	}
	if (portion_window_parse(text, &page))
		check(page.at.section < NUMBER && page.sections < NUMBER && page.at.rows == 0 && page.at.part == 0);
	if (detected_parse(a, text, &package)) {
		check(strchr(package.name, '\n') == NULL);
		check(detected_parse(a, detected_id(a, &package), &same));
		check(strcmp(package.name, same.name) == 0 && strcmp(package.version, same.version) == 0);
	}
	return 0;
}
