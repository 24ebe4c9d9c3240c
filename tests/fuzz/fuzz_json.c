/* SPDX-License-Identifier: Apache-2.0
 * What is read and written is JSON again, and writing that once more changes no byte: the form is canonical. */
#include "fuzz.h"

#include "codec/json.h"

static void write_tree(struct buf *out, const json_t *j)
{
	struct json_writer w;
	jw_init(&w, out);
	jw_json(&w, j);
	check(w.depth == 0 && !out->failed);
}

static void round_trip(struct scope *s, const char *bytes, size_t n)
{
	auto_json *first = NULL, *second = NULL;
	enum err e = json_read(s, bytes, n, &first);
	if (e != OK) {
		check(first == NULL);
		fuzz_refused(s, e);
		return;
	}
	auto_buf once, twice;
	buf_init(&once, LIMIT_RESPONSE_BYTES);
	buf_init(&twice, LIMIT_RESPONSE_BYTES);
	write_tree(&once, first);
	check(json_read(s, once.data, once.len, &second) == OK);
	write_tree(&twice, second);
	check(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
}

/* Any bytes make a string that reads back; here they are no JSON but a value. */
static void as_string(struct scope *s, const char *bytes, size_t n)
{
	auto_buf out;
	auto_json *j = NULL;
	struct json_writer w;
	buf_init(&out, LIMIT_RESPONSE_BYTES);
	jw_init(&w, &out);
	jw_object(&w);
	jw_key(&w, "v");
	jw_stringn(&w, bytes, n);
	jw_end_object(&w);
	if (memchr(bytes, '\0', n) == NULL) /* NUL is written as an escape that the reader does not take */
		check(json_read(s, out.data, out.len, &j) == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > 64 * KIB)
		return 0;
	round_trip(fuzz_scope(), (const char *)bytes, n);
	as_string(fuzz_scope(), (const char *)bytes, n);
	return 0;
}
