/* SPDX-License-Identifier: Apache-2.0
 * What the map's words are called in documents: names for programs, texts for people. */
#include "map/datamap.h"

const char *map_kind_name(enum map_kind k)
{
	static const char *const names[] = {"key", "technical", "organisation", "personal", "secret"};
	return names[k];
}

const char *map_origin_name(enum map_origin o)
{
	static const char *const names[] = {"provided", "observed", "derived"};
	return names[o];
}

const char *map_disclosure_name(enum map_disclosure d)
{
	static const char *const names[] = {"full",     "others redacted",    "four digits",
					    "company devices", "withheld: security", "withheld: investigation", "internal"};
	return names[d];
}

const char *map_role_name(enum map_role r)
{
	static const char *const names[] = {"owner", "actor", "target", "mentioned"};
	return names[r];
}

const char *map_basis_text(enum map_basis b)
{
	static const char *const texts[] = {
		"",
		"performance of a contract (GDPR Art. 6(1)(b))",
		"legal obligation (GDPR Art. 6(1)(c))",
		"legitimate interests (GDPR Art. 6(1)(f))",
	};
	return texts[b];
}

const char *map_retention_text(enum map_retention r)
{
	static const char *const texts[] = {
		"until the person's account is deleted for good, and 30 days at most",
		"until the device is retired, wiped or deleted, and 30 days at most",
		"until the organisation closes its tenant, and 180 days at most",
		"365 days, or as long as the organisation set (730 days at most)",
		"until the certificate expires",
		"until it runs out, 30 days at most",
		"until it runs out, and 30 days at most after that",
		"24 months after the case was closed",
		"three years",
		"seconds",
		"without limit; holds nothing of a person",
		"as long as the installation",
	};
	return texts[r];
}

const char *map_retention_name(enum map_retention r)
{
	static const char *const names[] = {"relationship", "device", "tenant",	  "audit",    "certificate", "expiry",
					    "days30",	    "months24", "years3", "seconds", "forEver",	     "installation"};
	return names[r];
}

const char *map_basis_name(enum map_basis b)
{
	static const char *const names[] = {"none", "contract", "legalObligation", "legitimateInterests"};
	return names[b];
}

const char *map_domain_name(enum map_domain d)
{
	static const char *const names[] = {"directory", "management", "log", "evidence", "installation"};
	return names[d];
}

const char *map_through_name(enum map_through t) { return t == MAP_THROUGH_PERSON ? "person" : "device"; }

const char *map_type_name(enum map_type t)
{
	static const char *const names[] = {"id", "time", "blob", "text", "int", "bool", "json", "sealed"};
	return names[t];
}

const char *map_audit_name(enum map_audit a)
{
	static const char *const names[] = {"value", "changed", "never"};
	return names[a];
}

const char *map_erase_name(enum map_erase e)
{
	static const char *const names[] = {"row", "null", "pseudonym", "keep"};
	return names[e];
}

const char *map_table_erase_text(const struct map_table *t)
{
	if (t->link == MAP_LINK_NONE)
		return "stays; what says who acted or is named is taken out";
	switch (t->erase) {
	case MAP_TABLE_DELETE: return "deleted";
	case MAP_TABLE_UNLINK: return "personal devices: deleted; company devices: kept without the person";
	case MAP_TABLE_KEEP:
		return t->link == MAP_LINK_DEVICE ? "of personal devices: deleted; of company devices: kept without the person"
						  : "kept without the person";
	case MAP_TABLE_OWED: return "deleted, but where a device still owes an action: then when that is done or the certificate expires";
	case MAP_TABLE_RETENTION: return "kept until the retention ends: evidence";
	}
	return "";
}
