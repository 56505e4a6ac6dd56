/* The request parser, see http.h. Callbacks of llhttp only record; nothing is decided for anyone
 * outside until spry_http_feed has returned. */
#include "proto/http.h"

#include "proto/http_head.h"

#include <stdlib.h>

static spry_http *self(llhttp_t *p) {
    return p->data;
}

static int out_of_memory(spry_http *h) {
    return spry_http_broken(h, 503, "out of memory");
}

/* Appends to the block, which must not move while llhttp reads what is there: so there is always
 * room for the pathname as well. */
static int add(spry_http *h, spry_span *span, const char *b, size_t n) {
    size_t more = n + h->request_line.target_len + 1;
    if (h->block.len + more > UINT32_MAX || spry_buf_reserve(&h->block, more)) return SPRY_ENOMEM;
    *span = (spry_span){(uint32_t)h->block.len, (uint32_t)n};
    memcpy(h->block.data + h->block.len, b, n);
    h->block.len += n;
    return SPRY_OK;
}

/* ---- llhttp's callbacks ---- */

/* Where bytes are in the block: fields are parsed from there. */
static spry_span span_of(const spry_http *h, const char *b, size_t n) {
    return (spry_span){(uint32_t)(b - h->block.data), (uint32_t)n};
}

static spry_field *new_field(spry_http *h) {
    if (h->field_count == h->field_cap) {
        size_t cap = h->field_cap ? h->field_cap * 2 : 16;
        spry_field *fields = realloc(h->fields, cap * sizeof *fields);
        if (!fields) return NULL;
        h->fields = fields, h->field_cap = cap;
    }
    return &h->fields[h->field_count++];
}

/* Trailers are dropped: none of those that this server would look at may stand there (RFC 9110
 * section 6.5.1), and no route has asked for another. */
static int on_field(llhttp_t *p, const char *b, size_t n) {
    spry_http *h = self(p);
    if (h->section == SPRY_HTTP_TRAILERS) return 0;
    spry_field *f = new_field(h);
    if (!f) return out_of_memory(h);
    *f = (spry_field){span_of(h, b, n), span_of(h, b + n, 0)};
    return 0;
}

static int on_value(llhttp_t *p, const char *b, size_t n) {
    spry_http *h = self(p);
    if (h->section == SPRY_HTTP_TRAILERS) return 0;
    spry_span *value = &h->fields[h->field_count - 1].value;
    if (!value->len) *value = span_of(h, b, 0);
    value->len += (uint32_t)n; /* one more piece of it: what is kept has no gaps */
    return 0;
}

static int on_body(llhttp_t *p, const char *b, size_t n) {
    spry_http *h = self(p);
    h->expect_continue = false;
    h->body_received += n;
    if (h->discard_body) return 0;
    return spry_buf_append(&h->body, b, n) ? out_of_memory(h) : 0;
}

/* Go's rule against chunks that are mostly extensions (CVE-2023-39326): content pays for them. */
static int pay_for_line(spry_http *h, uint64_t size) {
    uint64_t paid = 16 + 2 * size, bytes = h->chunk_excess + h->section_bytes;
    h->section_bytes = 0;
    h->chunk_excess = bytes > paid ? bytes - paid : 0;
    return 0;
}

static int on_chunk_header(llhttp_t *p) {
    spry_http *h = self(p);
    uint64_t size = p->content_length;
    if (size > h->limits->body - h->body_received)
        return spry_http_broken(h, 413, "the request body is longer than limits.body");
    if (size) {
        h->content_left = size + 2;
        return pay_for_line(h, size);
    }
    h->section = SPRY_HTTP_TRAILERS;
    h->section_bytes = 0;
    return 0;
}

static int on_complete(llhttp_t *p) {
    self(p)->phase = SPRY_HTTP_DONE;
    self(p)->expect_continue = false;
    return HPE_PAUSED;
}

static int on_headers_complete(llhttp_t *p) {
    spry_http *h = self(p);
    if (spry_http_check_head(h)) return -1;
    p->upgrade = 0; /* a route decides about that; for llhttp it is a request like any other */
    h->phase = SPRY_HTTP_BODY;
    h->section = SPRY_HTTP_CHUNKS;
    h->section_bytes = 0;
    h->content_left = spry_http_is_chunked(h) ? 0 : p->content_length;
    return 0;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_chunk_header = on_chunk_header,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* ---- lines and content ---- */

/* Has llhttp read on. */
static int parse(spry_http *h, const char *data, size_t n) {
    llhttp_errno_t err = llhttp_execute(&h->parser, data, n);
    if (err == HPE_OK || h->phase == SPRY_HTTP_DONE) return 0;
    if (h->phase == SPRY_HTTP_BROKEN) return -1;
    const char *why = llhttp_get_error_reason(&h->parser);
    return spry_http_broken(h, 400, why && *why ? why : "the request is malformed");
}

/* Keeps field lines, and has llhttp read them where they are kept. */
static int parse_fields(spry_http *h, const char *data, size_t n, spry_span *kept) {
    h->seen.len = 0;
    if (add(h, kept, data, n)) return out_of_memory(h);
    return parse(h, h->block.data + kept->at, n);
}

/* A line, as far as `len`, and its end. */
static int parse_line(spry_http *h, spry_slice line, size_t len) {
    spry_span kept;
    if (h->section != SPRY_HTTP_FIELDS)
        return parse(h, line.data, len) || parse(h, "\r\n", 2) ? -1 : 0;
    return parse_fields(h, line.data, len, &kept) || parse_fields(h, "\r\n", 2, &kept) ? -1 : 0;
}

static int end_request_line(spry_http *h, spry_slice line) {
    h->section = SPRY_HTTP_FIELDS;
    h->parser = h->behind_request_line;
    if (add(h, &h->target, line.data + h->request_line.target_at, h->request_line.target_len))
        return out_of_memory(h);
    return 0;
}

static enum spry_method method_of(int number) {
    switch (number) {
    case HTTP_GET: return SPRY_GET;
    case HTTP_HEAD: return SPRY_HEAD;
    case HTTP_POST: return SPRY_POST;
    case HTTP_PUT: return SPRY_PUT;
    case HTTP_PATCH: return SPRY_PATCH;
    case HTTP_DELETE: return SPRY_DELETE;
    case HTTP_OPTIONS: return SPRY_OPTIONS;
    default: return SPRY_METHOD_OTHER;
    }
}

static int take_request_line(spry_http *h, spry_slice line, bool whole) {
    const char *why;
    if (h->phase ==
        SPRY_HTTP_NOTHING) { /* RFC 9112 section 2.2: empty lines before it are skipped */
        if (spry_slice_eq(line, spry_slice_lit("\r\n")) ||
            spry_slice_eq(line, spry_slice_lit("\r")))
            return 0;
        h->phase = SPRY_HTTP_HEAD;
    }
    int status = spry_line_request(&h->request_line, line, h->limits->request_line, &why);
    if (h->request_line.part != SPRY_LINE_METHOD && h->request_line.method >= 0) {
        h->method = method_of(h->request_line.method);
    }
    if (status) return spry_http_broken(h, status, why);
    return whole ? end_request_line(h, line) : 0;
}

static int take_field(spry_http *h, spry_slice line, bool whole) {
    const char *why;
    size_t len;
    if (h->section_bytes + line.len > h->limits->headers)
        return spry_http_broken(h, 431, "the header section is longer than limits.headers");
    if (!whole) return 0;
    h->section_bytes += line.len;
    int status = spry_line_field(line, &len, &why);
    return status ? spry_http_broken(h, status, why) : parse_line(h, line, len);
}

/* Chunk extensions are nobody's here: read past (RFC 9112 section 7.1.1) and bounded. */
static int take_chunk_line(spry_http *h, spry_slice line, bool whole) {
    const char *why;
    size_t digits;
    if (h->chunk_excess + line.len > h->limits->headers)
        return spry_http_broken(h, 400, "chunk extensions are too long");
    if (!whole) return 0;
    h->section_bytes = line.len;
    int status = spry_line_chunk(line, &digits, &why);
    return status ? spry_http_broken(h, status, why) : parse_line(h, line, digits);
}

/* Takes `line`, or the beginning of one. */
static int take_line(spry_http *h, spry_slice line, bool whole) {
    switch (h->section) {
    case SPRY_HTTP_REQUEST_LINE: return take_request_line(h, line, whole);
    case SPRY_HTTP_CHUNKS: return take_chunk_line(h, line, whole);
    default: return take_field(h, line, whole);
    }
}

/* Takes the lines at the front of the bytes that need no second look, as most do; leaves `used` at
 * 0 when there are none. */
static int feed_plain_fields(spry_http *h, const char *data, size_t n, size_t *used) {
    size_t room = h->limits->headers - h->section_bytes;
    bool first = h->section_bytes == 0;
    spry_span kept;
    *used = spry_line_plain_fields(spry_slice_of(data, n < room ? n : room));
    if (!*used) return 0;
    h->section_bytes += *used;
    int err = parse_fields(h, data, *used, &kept);
    if (!err && first && h->phase == SPRY_HTTP_DONE) h->whole_section = kept;
    return err;
}

/* ---- the header section of the request before ---- */

/* Sections longer than this are not kept, bytes. */
enum { SEEN_MAX = 2048 };

/* Keeps it, at the front of the block. Only a request that ended with its head has one to keep. */
static void keep_section(spry_http *h) {
    spry_span section = h->whole_section;
    if (!section.len || section.len > SEEN_MAX || h->upgrade || h->host.at < section.at) return;
    memmove(h->block.data, h->block.data + section.at, section.len);
    for (spry_field *f = h->fields; f < h->fields + h->field_count; f++)
        f->name.at -= section.at, f->value.at -= section.at;
    h->host.at -= section.at;
    h->seen = (spry_seen_section){section.len, h->field_count, h->host, h->keep_alive,
                                  h->request_line.minor};
}

static bool is_seen(const spry_http *h, const char *data, size_t n) {
    const spry_seen_section *seen = &h->seen;
    return seen->len && seen->len <= n && seen->minor == h->request_line.minor &&
           seen->len <= h->limits->headers && !memcmp(data, h->block.data, seen->len);
}

static int take_seen(spry_http *h) {
    h->field_count = h->seen.field_count;
    h->host = h->seen.host;
    h->keep_alive = h->seen.keep_alive;
    if (spry_http_check_target(h)) return -1;
    h->section = SPRY_HTTP_CHUNKS;
    h->phase = SPRY_HTTP_DONE;
    return 0;
}

/* ---- feeding ---- */

/* Takes what there is of a line at the front of the bytes; the beginning is kept until the end has
 * come. */
static int feed_line(spry_http *h, const char *data, size_t n, size_t *used) {
    if (h->section == SPRY_HTTP_FIELDS && !h->line.len) {
        if (!h->section_bytes && is_seen(h, data, n)) return *used = h->seen.len, take_seen(h);
        int err = feed_plain_fields(h, data, n, used);
        if (*used) return err;
    }
    const char *lf = memchr(data, '\n', n);
    *used = lf ? (size_t)(lf - data) + 1 : n;
    if (lf && !h->line.len) return take_line(h, spry_slice_of(data, *used), true);
    if (spry_buf_append(&h->line, data, *used)) return out_of_memory(h);
    int err = take_line(h, spry_buf_slice(&h->line), lf != NULL);
    if (lf) h->line.len = 0;
    return err;
}

static int feed_content(spry_http *h, const char *data, size_t n, size_t *used) {
    *used = n < h->content_left ? n : (size_t)h->content_left;
    h->content_left -= *used;
    return parse(h, data, *used);
}

int spry_http_feed(spry_http *h, const char *data, size_t n, size_t *used) {
    *used = 0;
    while (*used < n && h->phase != SPRY_HTTP_DONE && h->phase != SPRY_HTTP_BROKEN) {
        size_t taken;
        if (h->content_left)
            (void)feed_content(h, data + *used, n - *used, &taken);
        else
            (void)feed_line(h, data + *used, n - *used, &taken);
        *used += taken;
    }
    if (h->phase != SPRY_HTTP_BROKEN) return SPRY_OK;
    return h->status == 503 ? SPRY_ENOMEM : SPRY_EINVAL;
}

/* ---- the other public functions ---- */

static void reset(spry_http *h) {
    if (!h->seen.len) keep_section(h);
    h->phase = SPRY_HTTP_NOTHING;
    h->status = 0, h->reason = NULL;
    h->block.len = h->seen.len;
    h->body.len = h->line.len = 0;
    h->method = SPRY_METHOD_OTHER;
    h->target = h->host = h->pathname = h->query = (spry_span){0, 0};
    h->field_count = 0;
    h->has_query = h->keep_alive = h->upgrade = h->expect_continue = h->discard_body = false;
    h->body_received = 0;
    h->section = SPRY_HTTP_REQUEST_LINE;
    h->request_line = (spry_request_line){0};
    h->section_bytes = 0;
    h->content_left = h->chunk_excess = 0;
    h->whole_section = (spry_span){0, 0};
}

void spry_http_init(spry_http *h, const spry_http_limits *limits) {
    memset(h, 0, sizeof *h);
    /* The request line is read here. llhttp has read another in its place, once, in which it found
     * nothing to treat in a special way (CONNECT, PRI, RTSP). */
    static const char plain[] = "GET / HTTP/1.1\r\n";
    llhttp_init(&h->behind_request_line, HTTP_REQUEST, &settings);
    (void)llhttp_execute(&h->behind_request_line, plain, sizeof plain - 1);
    h->behind_request_line.data = h;
    h->limits = limits;
    reset(h);
}

void spry_http_next(spry_http *h) {
    reset(h);
}

void spry_http_free(spry_http *h) {
    spry_buf_free(&h->block);
    spry_buf_free(&h->body);
    spry_buf_free(&h->line);
    free(h->fields);
    h->fields = NULL, h->field_count = h->field_cap = 0;
}

spry_slice spry_http_header(const spry_http *h, spry_slice name) {
    for (size_t i = 0; i < h->field_count; i++)
        if (spry_http_is_named(h, &h->fields[i], name))
            return spry_http_text(h, h->fields[i].value);
    return (spry_slice){NULL, 0};
}

bool spry_http_header_lists(const spry_http *h, spry_slice name, spry_slice wanted) {
    for (size_t i = 0; i < h->field_count; i++) {
        if (!spry_http_is_named(h, &h->fields[i], name)) continue;
        spry_slice list = spry_http_text(h, h->fields[i].value), item;
        while (spry_slice_next_item(&list, &item))
            if (spry_slice_eq_nocase(item, wanted)) return true;
    }
    return false;
}

const char *spry_http_method_name(const spry_http *h) {
    return llhttp_method_name((llhttp_method_t)h->request_line.method);
}

bool spry_http_is_1_0(const spry_http *h) {
    return h->request_line.minor == '0';
}

uint64_t spry_http_body_known(const spry_http *h) {
    uint64_t left = h->content_left;
    if (spry_http_is_chunked(h)) left = left > 2 ? left - 2 : 0; /* the CRLF behind a chunk */
    return h->body_received + left;
}
