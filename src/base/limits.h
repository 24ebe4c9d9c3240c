/* SPDX-License-Identifier: Apache-2.0
 *
 * Every limit, with its reason.  Lower layers take limits from here, never from a literal of their own.
 */
#ifndef REEVE_BASE_LIMITS_H
#define REEVE_BASE_LIMITS_H

#define KIB 1024u
#define MIB (1024u * 1024u)

/* HTTP */
#define LIMIT_HEADER_BYTES (16u * KIB)   /* a request's header; MHD's pool of a connection holds it with the read buffer */
#define LIMIT_URL_BYTES (8u * KIB)       /* $filter of a long investigation fits; a slow pattern does not */
#define LIMIT_BODY_BYTES (256u * KIB)    /* default of a route; a route's row may say another */
#define LIMIT_CHECKIN_BYTES (4u * MIB)   /* a device's inventory with 10,000 packages */
#define LIMIT_CONNECTIONS 4096u          /* per listener: 4096 x ~40 KiB of TLS state = 160 MiB at the worst */
#define LIMIT_CONNECTIONS_PER_IP 512u
#define LIMIT_REQUEST_SECONDS 30u        /* a header or a body that takes longer is a slow client */
#define LIMIT_ANSWER_SECONDS 30u         /* in so long a client takes */
#define LIMIT_ANSWER_BYTES (32u * KIB)   /* so much of an answer that waits for it, about 1 KiB a second, or it is cut */
#define LIMIT_IDLE_SECONDS 60u           /* keep-alive */
#define LIMIT_DRAIN_SECONDS 20u          /* SIGTERM: how long requests under way may take */

/* memory */
#define LIMIT_ARENA_BYTES (64u * MIB)    /* of one request or job; pages and batches keep it far below */
#define LIMIT_RESPONSE_BYTES (32u * MIB) /* a page of 1,000 devices is about 2 MiB */
#define LIMIT_EVENTS_FILE_BYTES (144u * MIB) /* 256 events, each as large as one may be; half a MiB as a rule */

/* JSON and OData */
#define LIMIT_JSON_DEPTH 32u
#define LIMIT_FILTER_NODES 100u          /* comparisons and connectives in one $filter */
#define LIMIT_PAGE_DEFAULT 100u
#define LIMIT_PAGE_MAX 1000u

/* database */
#define LIMIT_BATCH 64u                  /* closures that one SQLite transaction commits together */
#define LIMIT_RETRIES 5u                 /* of a closure after a serialisation conflict */

/* people and devices */
#define LIMIT_TEXT_BYTES 1024u           /* a single-line property */
#define LIMIT_NOTES_BYTES (16u * KIB)
#define LIMIT_PAYLOAD_BYTES (128u * KIB) /* a configuration's content */
#define LIMIT_APPS_PER_DEVICE 20000u
#define LIMIT_INTERFACES_PER_DEVICE 256u

#endif
