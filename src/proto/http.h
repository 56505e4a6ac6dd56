/* An HTTP/1.x request parser (RFC 9112): bytes in, one request at a time out. Sans-IO: it calls
 * nobody. Bytes are cut into lines and content here. llhttp reads the fields, the framing and the
 * chunks; the request line, and what llhttp leaves to the host or reads too loosely (line ends,
 * obs-fold, chunk extensions, Host, transfer codings, sizes), is dealt with here and in line.h.
 *
 * The outcome does not depend on how the bytes were cut into feeds: the first flaw from the left
 * decides.
 *
 * A spry_http owns everything it holds. spry_http_init, then spry_http_feed until `phase` says
 * that the head or all of the request is here; spry_http_next starts over with the next request;
 * spry_http_free ends it. Strings of the request are offsets into `block`, so they survive its
 * growth; spry_http_text gives the bytes, valid until the next feed or next. */
#ifndef SPRY_PROTO_HTTP_H
#define SPRY_PROTO_HTTP_H

#include "base/buf.h"
#include "proto/line.h"
#include "proto/method.h"

#include <llhttp.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct spry_http_limits {
    size_t request_line; /* bytes of the request-target: 414 */
    size_t headers;      /* bytes of the header section, line ends included, and of trailers: 431 */
    uint64_t body;       /* bytes of content: 413 */
} spry_http_limits;

/* A run of bytes in spry_http.block. */
typedef struct spry_span {
    uint32_t at, len;
} spry_span;

typedef struct spry_field {
    spry_span name; /* as received: see spry_http_is_named */
    spry_span value;
} spry_field;

enum spry_http_phase {
    SPRY_HTTP_NOTHING, /* no byte of a request yet (empty lines do not count, nor half of one) */
    SPRY_HTTP_HEAD,    /* inside the request line or the header section */
    SPRY_HTTP_BODY,    /* the head is complete, content is to come */
    SPRY_HTTP_DONE,    /* the whole request is here; later bytes are not consumed */
    SPRY_HTTP_BROKEN,  /* not parsable, or over a limit: see status and reason */
};

enum spry_http_section {
    SPRY_HTTP_REQUEST_LINE,
    SPRY_HTTP_FIELDS,
    SPRY_HTTP_CHUNKS,
    SPRY_HTTP_TRAILERS,
};

/* The header section that was parsed last, if it announced no content and asked for nothing else:
 * a client that goes on asking says the same in each request, and what is the same byte for byte is
 * not parsed again. Its bytes are at the front of `block`, its fields the first in `fields`. */
typedef struct spry_seen_section {
    uint32_t len; /* 0 for none */
    size_t field_count;
    spry_span host;
    bool keep_alive;
    char minor; /* the version that it was read for */
} spry_seen_section;

typedef struct spry_http {
    llhttp_t parser;
    const spry_http_limits *limits; /* borrowed, outlives this */
    enum spry_http_phase phase;
    int status;         /* BROKEN: the answer it deserves */
    const char *reason; /* BROKEN: what was wrong, a static sentence */

    spry_buf block; /* bytes of target, fields and pathname */
    enum spry_method method;
    spry_span target;   /* as received */
    spry_span host;     /* from the absolute-form target, else from Host; may be empty */
    spry_span pathname; /* normalised, see url.h; "*" for the asterisk-form */
    spry_span query;    /* without the "?" */
    bool has_query;     /* tells "?" without anything from no query */
    spry_field *fields; /* header fields in the order received */
    size_t field_count, field_cap;
    bool keep_alive;      /* the client wants, and the framing allows, another request */
    bool upgrade;         /* HTTP/1.1 with Upgrade and "Connection: upgrade" */
    bool expect_continue; /* "Expect: 100-continue", and no content has come yet */

    spry_buf body;          /* content received and not yet taken */
    uint64_t body_received; /* bytes of content so far, taken or not */
    bool discard_body;      /* content is counted but not kept */

    /* private */
    enum spry_http_section section; /* what the next line is part of */
    spry_request_line request_line;
    spry_buf line;         /* the beginning of a line whose end has not come */
    size_t section_bytes;  /* of the header or trailer section so far */
    uint64_t content_left; /* bytes that are no lines: content, and the CRLF behind a chunk */
    uint64_t chunk_excess; /* bytes of chunk lines beyond what their content pays for */
    llhttp_t behind_request_line; /* the parser's state that every request's fields begin with */
    spry_span whole_section;      /* the header section, if it came in one piece; else empty */
    spry_seen_section seen;       /* the header section of the request before this one */
} spry_http;

void spry_http_init(spry_http *h, const spry_http_limits *limits);

/* Parses up to the end of the request and says in `used` how much that was. Returns 0, or a
 * negative SPRY_E*: then phase is BROKEN (SPRY_ENOMEM: status 503). */
int spry_http_feed(spry_http *h, const char *data, size_t n, size_t *used) SPRY_MUST_CHECK;

/* Forgets the request, keeps the memory, and expects the next one. */
void spry_http_next(spry_http *h);

void spry_http_free(spry_http *h);

/* The bytes of a span of this request. */
static inline spry_slice spry_http_text(const spry_http *h, spry_span span) {
    return spry_slice_of(h->block.data + span.at, span.len);
}

/* Whether the field is called `name`, without case. */
static inline bool spry_http_is_named(const spry_http *h, const spry_field *f, spry_slice name) {
    return spry_slice_eq_nocase(spry_http_text(h, f->name), name);
}

/* The value of the first field called `name` (given in lower case); data is NULL without one. */
spry_slice spry_http_header(const spry_http *h, spry_slice name);

/* Whether the comma-separated list in any field called `name` holds `item`, without case. */
bool spry_http_header_lists(const spry_http *h, spry_slice name, spry_slice item);

/* The method's name as sent. Static. */
const char *spry_http_method_name(const spry_http *h);

/* Whether nothing at all is held, so that it makes no difference to start over. Phase NOTHING. */
static inline bool spry_http_is_fresh(const spry_http *h) {
    return h->line.len == 0;
}

/* Whether the request is HTTP/1.0. */
bool spry_http_is_1_0(const spry_http *h);

/* How long the content is at least, by what has come and what was announced. */
uint64_t spry_http_body_known(const spry_http *h);

#endif
