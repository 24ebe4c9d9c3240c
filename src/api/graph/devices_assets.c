/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/deviceAssets: company machines after a wipe.  Reeve's own. */
#include "api/api.h"
#include "devices/asset.h"
#include "resource/tables.h"

enum err device_assets_list(struct call *c);
enum err device_assets_get(struct call *c);
enum err device_assets_patch(struct call *c);
enum err device_assets_delete(struct call *c);

static enum err asset_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "asset", "device asset", ret));
	c->s.subject = *ret;
	return OK;
}

static enum err answer(struct call *c, struct id asset)
{
	struct resource_query q;
	TRY(call_query(c, &RES_DEVICE_ASSET, &q));
	return call_get(c, &q, asset);
}

enum err device_assets_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_DEVICE_ASSET, &q));
	return call_list(c, &q);
}

enum err device_assets_get(struct call *c)
{
	struct id asset;
	TRY(asset_param(c, &asset));
	return answer(c, asset);
}

enum err device_assets_patch(struct call *c)
{
	struct record *r;
	struct id asset;
	json_t *body;
	TRY(asset_param(c, &asset));
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_DEVICE_ASSET, body, RECORD_PATCH, c->version, NULL, &r));
	TRY(asset_patch(&c->s, asset, r));
	return answer(c, asset);
}

enum err device_assets_delete(struct call *c)
{
	struct id asset;
	TRY(asset_param(c, &asset));
	TRY(asset_delete(&c->s, asset));
	return call_status(c, 204);
}
