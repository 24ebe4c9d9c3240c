/* SPDX-License-Identifier: Apache-2.0
 * Any bytes are refused as a message of a Linux device with a reason, or become a struct whose texts are clean and
 * whose lists are bounded. */
#include "fuzz.h"

#include "channels/linux/decode.h"

static void text(const char *t, bool required)
{
	check(t != NULL || !required);
	check(t == NULL || !required || *t != '\0');
	for (; t != NULL && *t != '\0'; t++)
		check((unsigned char)*t >= ' ' || *t == '\n' || *t == '\t' || *t == '\r');
}

static void items(const struct item_report *list, size_t n)
{
	check(n <= LIMIT_PAGE_MAX);
	for (size_t i = 0; i < n; i++) {
		check(list[i].state <= ITEM_removed);
		check(list[i].version >= 0 || list[i].state == ITEM_removed);
		text(list[i].identifier, false);
		text(list[i].error, false);
	}
}

static void inventory(const struct inventory *i)
{
	check(i->package_n <= LIMIT_APPS_PER_DEVICE && i->disk_n <= LIMIT_INTERFACES_PER_DEVICE &&
	      i->interface_n <= LIMIT_INTERFACES_PER_DEVICE);
	check(i->free_storage >= -1 && i->processor_count >= -1 && i->encrypted >= -1 && i->encrypted <= 1);
	check((i->has_packages || i->package_n == 0) && (i->has_disks || i->disk_n == 0));
	text(i->device_name, true);
	text(i->serial_number, false);
	for (size_t k = 0; k < i->package_n; k++) {
		text(i->packages[k].name, true);
		text(i->packages[k].version, true);
	}
	for (size_t k = 0; k < i->disk_n; k++)
		text(i->disks[k].name, true);
	for (size_t k = 0; k < i->interface_n; k++) {
		const struct inventory_interface *at = &i->interfaces[k];
		text(at->name, true);
		check(at->has_addresses || at->address_n == 0);
		for (size_t a = 0; a < at->address_n; a++)
			check(strlen(at->addresses[a]) <= 64);
	}
}

static void one(enum err (*decode)(struct scope *s, const char *p, size_t n), const uint8_t *bytes, size_t n)
{
	struct scope *s = fuzz_scope();
	enum err e = decode(s, (const char *)bytes, n);
	if (e != OK)
		fuzz_refused(s, e);
}

static enum err as_checkin(struct scope *s, const char *p, size_t n)
{
	auto_json *doc = NULL;
	struct linux_checkin c;
	TRY(linux_decode_checkin(s, p, n, &doc, &c));
	items(c.items, c.item_n);
	if (c.has_inventory)
		inventory(&c.inventory);
	return OK;
}

static enum err as_report(struct scope *s, const char *p, size_t n)
{
	auto_json *doc = NULL;
	struct linux_report r;
	TRY(linux_decode_report(s, p, n, &doc, &r));
	items(r.items, r.item_n);
	check(r.result_n <= LIMIT_PAGE_MAX);
	for (size_t i = 0; i < r.result_n; i++) {
		enum action_state state = r.results[i].state;
		check(state == ACTION_done || state == ACTION_failed || state == ACTION_notSupported);
		text(r.results[i].error, false);
	}
	return OK;
}

static enum err as_enrolment(struct scope *s, const char *p, size_t n)
{
	auto_json *doc = NULL;
	struct enrolment_request r;
	TRY(linux_decode_enroll(s, p, n, &doc, &r));
	text(r.token, true);
	text(r.csr_pem, true);
	text(r.device_name, true);
	check(r.accepted_n <= LIMIT_PAGE_MAX);
	for (size_t i = 0; i < r.accepted_n; i++)
		check(r.accepted[i].version >= 0);
	return OK;
}

static enum err as_answer(struct scope *s, const char *p, size_t n)
{
	int consents;
	TRY(linux_decode_ownership(s, p, n, &consents));
	check(consents >= -1 && consents <= 1);
	return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > MIB)
		return 0;
	one(as_checkin, bytes, n);
	one(as_report, bytes, n);
	one(as_enrolment, bytes, n);
	one(as_answer, bytes, n);
	return 0;
}
