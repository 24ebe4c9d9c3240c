/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/storageLocations: where exports may be sent.  Reeve's own. */
#include "api/api.h"
#include "privacy/export/storage_location.h"
#include "resource/tables.h"

enum err storage_locations_list(struct call *c);
enum err storage_locations_create(struct call *c);
enum err storage_locations_get(struct call *c);
enum err storage_locations_delete(struct call *c);

static enum err location_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "location", "storage location", ret));
	c->s.subject = *ret;
	return OK;
}

enum err storage_locations_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_STORAGE_LOCATION, &q));
	return call_list(c, &q);
}

enum err storage_locations_get(struct call *c)
{
	struct resource_query q;
	struct id location;
	TRY(location_param(c, &location));
	TRY(call_query(c, &RES_STORAGE_LOCATION, &q));
	return call_get(c, &q, location);
}

enum err storage_locations_create(struct call *c)
{
	json_t *body;
	struct record *r;
	struct id location;
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_STORAGE_LOCATION, body, RECORD_CREATE, c->version, NULL, &r));
	TRY(storage_location_create(&c->s, r, &location));
	return call_created(c, &RES_STORAGE_LOCATION, location);
}

enum err storage_locations_delete(struct call *c)
{
	struct id location;
	TRY(location_param(c, &location));
	TRY(storage_location_delete(&c->s, location));
	return call_status(c, 204);
}
