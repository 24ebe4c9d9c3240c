/* SPDX-License-Identifier: Apache-2.0
 *
 * A certificate for paper: what the signed body says, in words and tables, and how to check it.  Everything comes from the body, and all of it
 * is escaped.
 */
#include <stdio.h>
#include <string.h>

#include "codec/html.h"
#include "privacy/certificate/certificate.h"

static const char *text_of(const json_t *o, const char *name) { return json_string_value(json_object_get(o, name)); }

static void fact(struct buf *out, const char *label, const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);
	char number[32];
	if (json_is_string(v)) {
		html_fact(out, label, json_string_value(v));
	} else if (json_is_integer(v)) {
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
		html_fact(out, label, number);
	} else if (json_is_boolean(v)) {
		html_fact(out, label, json_is_true(v) ? "yes" : "no");
	}
}

struct line {
	const char *label, *member;
};

static void facts(struct buf *out, const char *title, const json_t *o, const struct line *lines, size_t n)
{
	if (o == NULL)
		return;
	buf_printf(out, "<h2>%s</h2>\n<table class=\"fixed facts\">\n", title);
	for (size_t i = 0; i < n; i++)
		fact(out, lines[i].label, o, lines[i].member);
	buf_adds(out, "</table>\n");
}
#define FACTS(out, title, o, lines) facts(out, title, o, lines, sizeof lines / sizeof lines[0])

/* A table of the list's members, one column a line; an empty list is a sentence. */
static void table(struct buf *out, const char *title, const json_t *list, const struct line *columns, unsigned n, const char *none)
{
	size_t i;
	json_t *row;
	const char *cells[8];
	char numbers[8][32];
	buf_printf(out, "<h2>%s</h2>\n", title);
	if (json_array_size(list) == 0) {
		buf_printf(out, "<p>%s</p>\n", none);
		return;
	}
	buf_adds(out, "<table>\n<thead>");
	for (unsigned c = 0; c < n; c++)
		cells[c] = columns[c].label;
	html_row(out, "th", cells, n);
	buf_adds(out, "</thead>\n");
	json_array_foreach((json_t *)list, i, row)
	{
		for (unsigned c = 0; c < n; c++) {
			const json_t *v = json_object_get(row, columns[c].member);
			snprintf(numbers[c], sizeof numbers[c], "%lld", (long long)json_integer_value(v));
			cells[c] = json_is_string(v) ? json_string_value(v) : json_is_integer(v) ? numbers[c] : "";
		}
		html_row(out, "td", cells, n);
	}
	buf_adds(out, "</table>\n");
}
#define TABLE(out, title, list, columns, none) table(out, title, list, columns, sizeof columns / sizeof columns[0], none)

static const struct line WHAT[] = {
	{"Certificate", "certificateId"}, {"Issued", "issuedDateTime"}, {"Duty to delete", "dutyId"},
	{"Organisation (tenant)", "tenantId"}, {"Why", "trigger"}, {"Subject", "subjectType"},
	{"Reference of the subject", "subjectReference"}, {"Asked for", "requestedDateTime"},
	{"Out of use", "suppressedDateTime"}, {"Rows deleted", "deletedDateTime"},
	{"Bytes gone, proved", "scrubbedDateTime"}, {"Copies gone", "copiesGoneDateTime"},
	{"Deadline", "deadlineDateTime"}, {"Deadline met", "deadlineMet"},
	{"Deadline of copies", "copiesDeadlineDateTime"}, {"Version of the data map", "mapVersion"},
};
static const struct line ISSUER[] = {
	{"Server", "host"}, {"Software", "software"}, {"Public key (Ed25519)", "publicKey"},
};
static const struct line TABLES[] = {
	{"Table", "table"}, {"Found", "found"}, {"Deleted", "deleted"}, {"Changed", "changed"}, {"Kept", "kept"},
	{"Why kept", "ground"}, {"Until", "keptUntilDateTime"},
};
static const struct line EVENTS[] = {
	{"Events", "events"}, {"Gone by", "untilDateTime"},
};
static const struct line STORES[] = {
	{"Store", "store"}, {"Method", "method"}, {"Evidence", "evidence"},
};
static const struct line BACKUPS[] = {
	{"Method", "method"}, {"Days that a key lives", "keyDays"}, {"Gone by", "goneByDateTime"},
	{"Gone", "goneDateTime"}, {"Evidence", "evidence"},
};
static const struct line RECIPIENTS[] = {
	{"Recipient", "name"}, {"Kind", "kind"}, {"State", "state"}, {"Told", "deliveredDateTime"},
};
static const struct line DEVICE[] = {
	{"Platform", "platform"}, {"Owner", "ownerType"}, {"Manufacturer", "manufacturer"}, {"Model", "model"},
	{"Serial number", "serialNumber"}, {"Asset note", "assetNote"}, {"Media", "media"}, {"Action", "action"},
	{"Category", "category"}, {"Method", "method"}, {"Tool", "tool"}, {"Verification", "verification"},
	{"Outcome", "outcome"}, {"Asked for", "requestedDateTime"}, {"Confirmed", "confirmedDateTime"},
};
static const struct line RESIDUES[] = {
	{"What", "what"}, {"", "text"},
};
static const struct line COMPLETES[] = {
	{"Certificate", "certificateId"}, {"SHA-256", "sha256"},
};
static const struct line LEDGER[] = {
	{"Entry", "sequence"}, {"SHA-256", "entrySha256"},
};

void certificate_page(struct buf *out, const json_t *file)
{
	const json_t *body = json_object_get(file, "certificate"), *events = json_object_get(body, "auditEvents");
	const char *kind = text_of(body, "kind");
	bool copies = kind != NULL && strcmp(kind, CERTIFICATE_COPIES) == 0;
	html_page_begin(out, copies ? "Certificate of erasure: all copies gone" : "Certificate of erasure: active data gone");
	FACTS(out, "What was promised and done", body, WHAT);
	if (copies)
		FACTS(out, "Completes", json_object_get(body, "completes"), COMPLETES);
	else
		TABLE(out, "What was found and what became of it", json_object_get(body, "tables"), TABLES, "Nothing was found.");
	if (events != NULL)
		TABLE(out, "Audit events that stay until their retention ends", json_object_get(events, "ends"), EVENTS, "None.");
	FACTS(out, "The device", json_object_get(body, "device"), DEVICE);
	if (!copies)
		TABLE(out, "Stores", json_object_get(body, "stores"), STORES, "None.");
	FACTS(out, "Backups", json_object_get(body, "backups"), BACKUPS);
	TABLE(out, "Recipients who were told", json_object_get(body, "recipients"), RECIPIENTS, "None is on record.");
	TABLE(out, "Known to remain", json_object_get(body, "residues"), RESIDUES, "Nothing.");
	FACTS(out, "Entry in the erasure ledger", json_object_get(body, "ledger"), LEDGER);
	FACTS(out, "Issued by", json_object_get(body, "issuer"), ISSUER);
	buf_adds(out, "<h2>Checking it</h2>\n<p>This page shows the signed file; the file is the proof. <code>reeve erase verify FILE --key KEY</code> "
		      "checks the signature and its place in the audit log without any server. The subject can compute the reference: HMAC-SHA256 with the "
		      "salt that the organisation gives them, over their account's id.</p>\n");
	html_page_end(out);
}
