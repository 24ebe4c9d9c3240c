/* SPDX-License-Identifier: Apache-2.0
 *
 * The API's frame: one call from its route to its answer.  A handler decodes, makes one core call, encodes; it holds no SQL and no rules.
 *
 *   http request -> router.c (row of routes.def) -> gate.c (who, tenant, permission, body) -> handler -> status and body
 *
 * A handler returns an enum err; the gate turns it into Graph's error object (errors.def), records refusals, and writes the one log line.
 */
#ifndef REEVE_API_API_H
#define REEVE_API_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "db/db.h"
#include "http/http.h"
#include "keeper/keeper.h"
#include "resource/resource.h"

/* Process-wide, made at start, then only read (counters are atomic). */
struct server {
	struct db *db;
	struct keeper *keeper;
	const char *data_dir;
	const char *url;        /* "https://host:port": public base, no trailing slash */
	const char *device_url;
	const char *host;       /* of url: origin of the logs */
	const char *ca_file;
	_Atomic bool draining;  /* SIGTERM: /readyz says 503 */
	struct metrics *metrics;
	struct backups *backups; /* backup/backup.h */
	struct reach *reach;    /* where sinks and exports may be sent to (http/reach.h) */
	const char *storage_ca; /* file of certificates that storage locations are checked against; "": the system's */
	const char *sink_dir;   /* files of sinks stand in <sink_dir>/<tenant>/ */
	struct issuers *issuers; /* api/sign_in/issuer.h */
	struct throttle *throttle;   /* throttle.h; NULL: nobody is throttled */
	const struct cors *cors;     /* origins whose pages may call the API (cors.h); NULL: none */
	struct http_server *_Atomic listener[3]; /* api, device, local: for their numbers; NULL until it listens */
	const struct mailer *mailer; /* what carries letters away (privacy/request/letter.h); NULL: there is no mail server */
	struct clock_guard *clock;   /* whether the time can be believed (duty/clock_guard.h) */
	const struct policy *policy; /* whom the logs' checkpoints are shown to (tlog/policy.h); NULL: nobody */
};

enum route_access {
	ACCESS_PUBLIC, /* no authentication; must be cheap */
	ACCESS_BEARER, /* a token of ours with the row's permission */
	ACCESS_DEVICE, /* a client certificate of an enrolled device (device listener) */
	ACCESS_LOG,    /* the log that {log} names: a token of its tenant with the row's permission, or anybody where the tenant publishes it */
	ACCESS_SCIM,   /* as ACCESS_BEARER, of a provisioning client; never a cookie; errors in SCIM's form */
	ACCESS_OAUTH,  /* as ACCESS_PUBLIC, to programs that sign in; errors in OAuth's form */
};

/* How errors are written: a route's property, by its access. */
enum error_form { FORM_GRAPH, FORM_SCIM, FORM_OAUTH };

enum route_listener { ON_API, ON_DEVICE, ON_BOTH };

struct call;
typedef enum err (*route_fn)(struct call *c);

struct route {
	const char *method, *path, *permission;
	enum route_listener listener;
	enum route_access access;
	enum error_form form;
	enum activity activity; /* of the refusal's event; ACT_NONE for reads */
	size_t body_bytes;      /* 0: a body is refused (but for an empty one) */
	route_fn handler;
	const char *handler_name;
};
const struct route *route_table(size_t *ret_n);
bool route_is_public(const struct route *r); /* nobody has to say who they are */

enum { CALL_PARAMS_MAX = 6 };

struct call {
	struct scope s;
	struct server *server;
	struct http_request *in;
	struct http_response *out;
	const struct route *route;
	enum error_form form;        /* of the route, or of those near what was asked for */
	enum api_version version;
	struct {
		const char *name, *value; /* decoded */
	} param[CALL_PARAMS_MAX];
	size_t param_count;
	struct id device;            /* ACCESS_DEVICE: the device */
	uint8_t fingerprint[32];     /* ACCESS_DEVICE: of its certificate */
	unsigned generation;         /* ACCESS_LOG: of the log, whose tenant is the scope's */
	bool published;              /* ACCESS_LOG: it was read as anybody may */
	json_t *body;                /* set by call_body(); released by the gate */
	bool step;                   /* of a batch */
	bool count;                  /* the path ends in /$count: only the number of what the route lists is wanted */
	unsigned retry_after;        /* seconds, of ERR_TOO_MANY; 0: the usual */
	bool unpermitted;            /* it was refused for want of the route's permission */
	bool refusal_told;           /* the refusal is on record already, or is not to be */
};

const char *call_param(const struct call *c, const char *name); /* a programming error where the route has no such parameter */
/* ERR_NOT_FOUND ("no <noun> with id …") where the text is no id. */
MUST_CHECK enum err call_param_id(struct call *c, const char *name, const char *noun, struct id *ret);
/* The JSON body.  ERR_BAD_REQUEST; ERR_MEDIA_TYPE where a Content-Type is given that is not JSON.  required false: an absent body gives an empty object. */
MUST_CHECK enum err call_body(struct call *c, bool required, json_t **ret);
/* Refuses members that are not in `allowed` (NULL-terminated; "@odata.*" passes). */
MUST_CHECK enum err call_only(struct call *c, const json_t *object, const char *const *allowed);
/* String member, ERR_BAD_REQUEST where it is missing (required), no string, empty or longer than LIMIT_TEXT_BYTES.  Absent: *ret = NULL. */
MUST_CHECK enum err call_string(struct call *c, const json_t *object, const char *name, bool required, const char **ret);

/* Fills q for a list, count or get of r from the call (base URL, path, query, version) and parses the OData options. */
MUST_CHECK enum err call_query(struct call *c, const struct resource *r, struct resource_query *q);
/* Whole handlers: a read transaction and resource_list / resource_count / resource_get into the answer.  A list answers /$count too. */
MUST_CHECK enum err call_list(struct call *c, const struct resource_query *q);
MUST_CHECK enum err call_count(struct call *c, const struct resource_query *q);
MUST_CHECK enum err call_get(struct call *c, const struct resource_query *q, struct id key);
/* For the gate: turns the answer of a handler that did not count by itself (a short list, written whole) into its number; ERR_NOT_FOUND where
 * it is no collection. */
MUST_CHECK enum err call_counted(struct call *c);
/* After a create: 201, Location: <collection>/<key>, and the entity; with Prefer: return=minimal 204 without it. */
MUST_CHECK enum err call_created(struct call *c, const struct resource *r, struct id key);
/* The same of a query with hooks. */
MUST_CHECK enum err call_created_as(struct call *c, const struct resource_query *q, struct id key);

/* The same request with another token, for @odata.nextLink and @odata.deltaLink; name NULL: with none. */
const char *call_delta_link(struct call *c, const char *name, const char *token);

/* Whether the request's Prefer header names the preference (RFC 7240), "odata." before it or not; *ret_value: behind '=', or "". */
bool call_prefers(struct call *c, const char *preference, const char **ret_value);

/* A JSON answer: status 200 unless set; returns the writer over the response's body. */
struct json_writer call_json(struct call *c);
enum err call_status(struct call *c, int status); /* no body; returns OK */
/* A sealed file as the answer, as an attachment that nobody caches; the stream is closed at its end.  A file that was changed on disk breaks the
 * connection: what arrived is then shorter than Content-Length said. */
struct unseal_stream;
void call_file(struct call *c, struct unseal_stream *stream, int64_t bytes, const char *type, const char *name);

/* "https://host:port/v1.0" or "/beta" as the client asked. */
const char *call_base_url(struct call *c);

/* The http layer's handlers for the two listeners and the local socket. */
struct http_handler api_handler(struct server *srv);
struct http_handler device_handler(struct server *srv);

#endif
