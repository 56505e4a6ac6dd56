/* The request parser, see http.h. Callbacks of llhttp only record; nothing is decided for anyone
 * outside until spry_http_feed has returned. */
#include "proto/http.h"

#include "proto/url.h"

#include <stdlib.h>

static spry_http *self(llhttp_t *p) {
    return p->data;
}

/* Records what is wrong with the request; the value makes llhttp stop. */
static int broken(spry_http *h, int status, const char *reason) {
    h->phase = SPRY_HTTP_BROKEN, h->status = status, h->reason = reason;
    return -1;
}

static int out_of_memory(spry_http *h) {
    return broken(h, 503, "out of memory");
}

/* Appends to the text that `span` ends with. */
static int add(spry_http *h, spry_span *span, const char *b, size_t n) {
    if (h->block.len + n > UINT32_MAX || spry_buf_append(&h->block, b, n)) return SPRY_ENOMEM;
    span->len += (uint32_t)n;
    return SPRY_OK;
}

static spry_span here(const spry_http *h) {
    return (spry_span){(uint32_t)h->block.len, 0};
}

/* ---- llhttp's callbacks ---- */

static int on_begin(llhttp_t *p) {
    self(p)->phase = SPRY_HTTP_HEAD;
    return 0;
}

static int on_url(llhttp_t *p, const char *b, size_t n) {
    spry_http *h = self(p);
    if (h->target.len + n > h->limits->request_line)
        return broken(h, 414, "the request target is longer than limits.requestLine");
    return add(h, &h->target, b, n) ? out_of_memory(h) : 0;
}

/* llhttp also takes RTSP/1.0 and ICE/1.0: only HTTP/ may stand before the version. */
static int on_version(llhttp_t *p, const char *b, size_t n) {
    (void)n;
    spry_http *h = p->data;
    char before[5];
    size_t have = (size_t)(b - h->feed_start);
    for (size_t i = 0; i < 5; i++) before[i] = i + have < 5 ? h->tail[i + have] : b[i - 5];
    static const char http[5] = "HTTP/";
    if (h->section_bytes == 0 && memcmp(before, http, 5) != 0)
        return broken(h, 400, "the protocol is not HTTP");
    h->section_bytes = 1; /* a version that comes in pieces is looked at once */
    return 0;
}

static int over_section(spry_http *h, size_t n) {
    h->section_bytes += n;
    return h->section_bytes > h->limits->headers;
}

static int on_field(llhttp_t *p, const char *b, size_t n) {
    spry_http *h = self(p);
    if (over_section(h, n))
        return broken(h, 431, "the header section is longer than limits.headers");
    if (h->phase == SPRY_HTTP_BODY) return 0; /* a trailer: counted and dropped */
    if (h->in_value || h->field_count == 0) {
        h->in_value = false;
        if (h->field_count == h->field_cap) {
            size_t cap = h->field_cap ? h->field_cap * 2 : 16;
            spry_field *fields = realloc(h->fields, cap * sizeof *fields);
            if (!fields) return out_of_memory(h);
            h->fields = fields, h->field_cap = cap;
        }
        h->fields[h->field_count++] = (spry_field){here(h), here(h)};
    }
    spry_field *f = &h->fields[h->field_count - 1];
    size_t at = h->block.len;
    if (add(h, &f->name, b, n)) return out_of_memory(h);
    for (; at < h->block.len; at++) h->block.data[at] = spry_lower(h->block.data[at]);
    return 0;
}

/* A value that goes on elsewhere than where its last piece ended was folded over two lines
 * (obs-fold), which RFC 9112 section 5.2 lets a server refuse. */
static int on_value(llhttp_t *p, const char *b, size_t n) {
    spry_http *h = self(p);
    if (over_section(h, n + 4)) /* ": " and CRLF */
        return broken(h, 431, "the header section is longer than limits.headers");
    if (h->phase == SPRY_HTTP_BODY) return 0;
    if (h->field_count == 0) return broken(h, 400, "a header field has no name");
    spry_field *f = &h->fields[h->field_count - 1];
    if (!h->in_value) {
        if (f->name.len == 0) return broken(h, 400, "a header field has no name");
        h->in_value = true;
        f->value = here(h);
    } else if (b != h->piece_end) {
        return broken(h, 400, "a header field is folded over two lines");
    }
    h->piece_end = b + n;
    return add(h, &f->value, b, n) ? out_of_memory(h) : 0;
}

static int on_value_complete(llhttp_t *p) {
    spry_http *h = self(p);
    if (h->phase == SPRY_HTTP_BODY || h->field_count == 0) return 0;
    spry_field *f = &h->fields[h->field_count - 1];
    if (f->name.len == 0) return broken(h, 400, "a header field has no name");
    h->in_value = true; /* also for an empty value: the next name starts a new field */
    f->value.len = (uint32_t)spry_slice_trim(spry_http_text(h, f->value)).len;
    return 0;
}

static int on_body(llhttp_t *p, const char *b, size_t n) {
    spry_http *h = self(p);
    h->expect_continue = false;
    h->body_received += n;
    if (h->body_received > h->limits->body)
        return broken(h, 413, "the request body is longer than limits.body");
    if (h->discard_body) return 0;
    return spry_buf_append(&h->body, b, n) ? out_of_memory(h) : 0;
}

/* Chunk extensions are ignored (RFC 9112 section 7.1.1) but bounded, like trailers. */
static int on_extension(llhttp_t *p, const char *b, size_t n) {
    (void)b;
    spry_http *h = self(p);
    return over_section(h, n) ? broken(h, 400, "chunk extensions are too long") : 0;
}

static int on_chunk_header(llhttp_t *p) {
    spry_http *h = self(p);
    if (p->content_length > h->limits->body - h->body_received)
        return broken(h, 413, "the request body is longer than limits.body");
    return 0;
}

static int on_complete(llhttp_t *p) {
    self(p)->phase = SPRY_HTTP_DONE;
    self(p)->expect_continue = false;
    return HPE_PAUSED;
}

/* ---- what llhttp leaves to the host ---- */

static int check_version(spry_http *h) {
    if (h->parser.http_major == 1 && h->parser.http_minor <= 1) return 0;
    return broken(h, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
}

static int check_method(spry_http *h) {
    if (h->parser.method == HTTP_CONNECT || h->parser.method == HTTP_TRACE)
        return broken(h, 501, "the method is not implemented");
    return 0;
}

/* RFC 9112 section 6.1: only "chunked", once, and not in HTTP/1.0. */
static int check_coding(spry_http *h) {
    bool last_is_chunked = false;
    size_t seen = 0;
    for (size_t i = 0; i < h->field_count; i++) {
        if (!spry_slice_eq(spry_http_text(h, h->fields[i].name),
                           spry_slice_lit("transfer-encoding")))
            continue;
        if (spry_http_is_1_0(h)) return broken(h, 400, "Transfer-Encoding in HTTP/1.0");
        spry_slice list = spry_http_text(h, h->fields[i].value), coding;
        if (!list.len) return broken(h, 400, "Transfer-Encoding is empty");
        while (spry_slice_next_item(&list, &coding)) {
            seen++;
            last_is_chunked = spry_slice_eq_nocase(coding, spry_slice_lit("chunked"));
        }
    }
    if (seen == 0) return h->parser.flags & F_TRANSFER_ENCODING ? broken(h, 400, "Transfer-Encoding is empty") : 0;
    if (!last_is_chunked) return broken(h, 400, "the last transfer coding is not chunked");
    return seen == 1 ? 0 : broken(h, 501, "only the transfer coding chunked is implemented");
}

/* RFC 9112 section 3.2: exactly one valid Host in HTTP/1.1; the absolute-form overrides it. */
static int check_host(spry_http *h, spry_slice absolute) {
    const spry_field *host = NULL;
    for (size_t i = 0; i < h->field_count; i++) {
        if (!spry_slice_eq(spry_http_text(h, h->fields[i].name), spry_slice_lit("host"))) continue;
        if (host) return broken(h, 400, "there are two Host headers");
        host = &h->fields[i];
    }
    if (!host && !spry_http_is_1_0(h)) return broken(h, 400, "the Host header is missing");
    if (host && !spry_url_host_valid(spry_http_text(h, host->value)))
        return broken(h, 400, "the Host header is malformed");
    if (host) h->host = host->value;
    if (absolute.data) {
        if (!spry_url_host_valid(absolute)) return broken(h, 400, "the target's host is malformed");
        h->host.at = (uint32_t)(absolute.data - h->block.data), h->host.len = (uint32_t)absolute.len;
    }
    return 0;
}

/* Splits the target and appends the normalised path to the block. */
static int check_target(spry_http *h) {
    /* First, so that no slice into the block is held over its growth. */
    if (spry_buf_reserve(&h->block, h->target.len + 1u)) return out_of_memory(h);
    struct spry_target target;
    if (spry_url_split(spry_http_text(h, h->target), &target))
        return broken(h, 400, "the request target is malformed");
    if (check_host(h, target.host)) return -1;
    h->has_query = target.has_query;
    if (target.has_query)
        h->query = (spry_span){(uint32_t)(target.query.data - h->block.data),
                               (uint32_t)target.query.len};
    if (target.asterisk) {
        if (h->method != SPRY_OPTIONS) return broken(h, 400, "the target * is for OPTIONS");
        h->pathname = h->target;
        return 0;
    }
    size_t len;
    h->pathname = here(h);
    if (spry_url_normalize(target.path, h->block.data + h->block.len, &len))
        return broken(h, 400, "the path has a broken escape, or %00");
    h->block.len += len;
    h->pathname.len = (uint32_t)len;
    return 0;
}

static int check_length(spry_http *h) {
    bool sized = (h->parser.flags & F_CONTENT_LENGTH) != 0;
    if (sized && h->parser.content_length > h->limits->body)
        return broken(h, 413, "the request body is longer than limits.body");
    return 0;
}

/* RFC 9110 section 10.1.1: the only expectation there is; HTTP/1.0 clients cannot have it. */
static int check_expect(spry_http *h) {
    spry_slice expect = spry_http_header(h, spry_slice_lit("expect"));
    if (!expect.data || spry_http_is_1_0(h)) return 0;
    if (!spry_slice_eq_nocase(expect, spry_slice_lit("100-continue")))
        return broken(h, 417, "the expectation cannot be met");
    bool chunked = (h->parser.flags & F_CHUNKED) != 0;
    h->expect_continue = chunked || h->parser.content_length > 0;
    return 0;
}

static int on_headers_complete(llhttp_t *p) {
    spry_http *h = self(p);
    h->method = spry_method_parse(spry_slice_of(spry_http_method_name(h),
                                                strlen(spry_http_method_name(h))));
    if (check_version(h) || check_method(h) || check_coding(h) || check_target(h) ||
        check_length(h) || check_expect(h))
        return -1;
    h->keep_alive = llhttp_should_keep_alive(p) != 0;
    /* An upgrade is decided by the route. For the parser it is a request like any other, so what
     * follows stays unconsumed. */
    h->upgrade = p->upgrade && !spry_http_is_1_0(h);
    p->upgrade = 0;
    h->phase = SPRY_HTTP_BODY;
    h->section_bytes = 0; /* now counts trailers and chunk extensions */
    return 0;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_version = on_version,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_chunk_extension_name = on_extension,
    .on_chunk_extension_value = on_extension,
    .on_chunk_header = on_chunk_header,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* ---- the public functions ---- */

static void reset(spry_http *h) {
    h->phase = SPRY_HTTP_NOTHING;
    h->status = 0, h->reason = NULL;
    h->block.len = h->body.len = 0;
    h->method = SPRY_METHOD_OTHER;
    h->target = h->host = h->pathname = h->query = (spry_span){0, 0};
    h->field_count = 0;
    h->has_query = h->keep_alive = h->upgrade = h->expect_continue = h->discard_body = false;
    h->body_received = 0;
    h->in_value = false;
    h->piece_end = h->feed_start = NULL;
    h->section_bytes = 0;
    memset(h->tail, 0, sizeof h->tail);
}

void spry_http_init(spry_http *h, const spry_http_limits *limits) {
    memset(h, 0, sizeof *h);
    llhttp_init(&h->parser, HTTP_REQUEST, &settings);
    h->parser.data = h;
    h->limits = limits;
    reset(h);
}

void spry_http_next(spry_http *h) {
    llhttp_reset(&h->parser);
    reset(h);
}

void spry_http_free(spry_http *h) {
    spry_buf_free(&h->block);
    spry_buf_free(&h->body);
    free(h->fields);
    h->fields = NULL, h->field_count = h->field_cap = 0;
}

static bool is_token_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* llhttp's own errors: an unknown method that is a token is a 501, a version number that is not
 * ours a 505, all else is a malformed request. */
static int parser_error(spry_http *h, llhttp_errno_t err) {
    const char *at = llhttp_get_error_pos(&h->parser);
    if (err == HPE_INVALID_METHOD && at && is_token_char(*at))
        return broken(h, 501, "the method is not implemented");
    if (err == HPE_INVALID_VERSION && at && *at >= '0' && *at <= '9')
        return broken(h, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    if (err == HPE_PAUSED_H2_UPGRADE)
        return broken(h, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    const char *why = llhttp_get_error_reason(&h->parser);
    return broken(h, 400, why && *why ? why : "the request is malformed");
}

static void keep_tail(spry_http *h, const char *data, size_t n) {
    for (size_t i = 0; i < 5; i++) h->tail[i] = i + n < 5 ? h->tail[i + n] : data[n - 5 + i];
}

int spry_http_feed(spry_http *h, const char *data, size_t n, size_t *used) {
    *used = 0;
    if (h->phase == SPRY_HTTP_BROKEN) return SPRY_EINVAL;
    if (h->phase == SPRY_HTTP_DONE || n == 0) return SPRY_OK;
    h->feed_start = data;
    if (h->piece_end) h->piece_end = data; /* a value may go on right where the last feed ended */
    llhttp_errno_t err = llhttp_execute(&h->parser, data, n);
    if (err == HPE_OK) {
        *used = n;
    } else if (err == HPE_PAUSED && h->phase == SPRY_HTTP_DONE) {
        *used = (size_t)(llhttp_get_error_pos(&h->parser) - data);
        return SPRY_OK;
    } else {
        if (h->phase != SPRY_HTTP_BROKEN) parser_error(h, err);
        return h->status == 503 ? SPRY_ENOMEM : SPRY_EINVAL;
    }
    if (h->piece_end != data + n) h->piece_end = NULL;
    if (h->phase == SPRY_HTTP_HEAD) keep_tail(h, data, n);
    return SPRY_OK;
}

spry_slice spry_http_header(const spry_http *h, spry_slice name) {
    for (size_t i = 0; i < h->field_count; i++)
        if (spry_slice_eq(spry_http_text(h, h->fields[i].name), name))
            return spry_http_text(h, h->fields[i].value);
    return (spry_slice){NULL, 0};
}

bool spry_http_header_lists(const spry_http *h, spry_slice name, spry_slice wanted) {
    for (size_t i = 0; i < h->field_count; i++) {
        if (!spry_slice_eq(spry_http_text(h, h->fields[i].name), name)) continue;
        spry_slice list = spry_http_text(h, h->fields[i].value), item;
        while (spry_slice_next_item(&list, &item))
            if (spry_slice_eq_nocase(item, wanted)) return true;
    }
    return false;
}

const char *spry_http_method_name(const spry_http *h) {
    return llhttp_method_name((llhttp_method_t)h->parser.method);
}

bool spry_http_is_1_0(const spry_http *h) {
    return h->parser.http_minor == 0;
}

uint64_t spry_http_body_left(const spry_http *h) {
    return h->parser.flags & F_CHUNKED ? UINT64_MAX : h->parser.content_length;
}
