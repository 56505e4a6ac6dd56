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

static bool is_chunked(const spry_http *h) {
    return (h->parser.flags & F_CHUNKED) != 0;
}

/* ---- llhttp's callbacks ---- */

static spry_field *new_field(spry_http *h) {
    if (h->field_count == h->field_cap) {
        size_t cap = h->field_cap ? h->field_cap * 2 : 16;
        spry_field *fields = realloc(h->fields, cap * sizeof *fields);
        if (!fields) return NULL;
        h->fields = fields, h->field_cap = cap;
    }
    spry_field *f = &h->fields[h->field_count++];
    *f = (spry_field){here(h), here(h)};
    return f;
}

/* Trailers are dropped: none of those that this server would look at may stand there (RFC 9110
 * section 6.5.1), and no route has asked for another. */
static int on_field(llhttp_t *p, const char *b, size_t n) {
    spry_http *h = self(p);
    if (h->section == SPRY_HTTP_TRAILERS) return 0;
    spry_field *f = h->field_count && !h->in_value ? &h->fields[h->field_count - 1] : new_field(h);
    h->in_value = false;
    if (!f || h->block.len + n > UINT32_MAX || spry_buf_reserve(&h->block, n))
        return out_of_memory(h);
    char *to = h->block.data + h->block.len;
    for (size_t i = 0; i < n; i++) to[i] = spry_lower(b[i]);
    h->block.len += n;
    f->name.len += (uint32_t)n;
    return 0;
}

static int on_value(llhttp_t *p, const char *b, size_t n) {
    spry_http *h = self(p);
    if (h->section == SPRY_HTTP_TRAILERS) return 0;
    spry_field *f = &h->fields[h->field_count - 1];
    if (!h->in_value) f->value = here(h);
    h->in_value = true;
    return add(h, &f->value, b, n) ? out_of_memory(h) : 0;
}

static int on_value_complete(llhttp_t *p) {
    self(p)->in_value = true; /* also without a value: the next name begins a new field */
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
        return broken(h, 413, "the request body is longer than limits.body");
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

/* ---- what llhttp leaves to the host ---- */

/* Fields that this server looks at itself: the first of each name, and how many there are. */
struct known {
    const spry_field *host, *coding, *expect, *connection, *upgrade;
    unsigned hosts, codings;
};

static bool is_named(const spry_http *h, const spry_field *f, const char *name) {
    return memcmp(h->block.data + f->name.at, name, f->name.len) == 0;
}

static void note(const spry_field **first, const spry_field *f) {
    if (!*first) *first = f;
}

static struct known known_fields(const spry_http *h) {
    struct known k = {0};
    for (const spry_field *f = h->fields; f < h->fields + h->field_count; f++) {
        switch (f->name.len) {
        case 4:
            if (is_named(h, f, "host")) note(&k.host, f), k.hosts++;
            break;
        case 6:
            if (is_named(h, f, "expect")) note(&k.expect, f);
            break;
        case 7:
            if (is_named(h, f, "upgrade")) note(&k.upgrade, f);
            break;
        case 10:
            if (is_named(h, f, "connection")) note(&k.connection, f);
            break;
        case 17:
            if (is_named(h, f, "transfer-encoding")) note(&k.coding, f), k.codings++;
            break;
        default: break;
        }
    }
    return k;
}

/* RFC 9112 section 6.1: one field with "chunked" in it and nothing else, and not in HTTP/1.0. An
 * empty list element would be harmless if every proxy thought so. llhttp has refused the field
 * beside Content-Length, and must be about to read chunks. */
static int check_coding(spry_http *h, const struct known *k) {
    const spry_slice chunked = spry_slice_lit("chunked");
    size_t others = 0;
    spry_slice last = {NULL, 0};
    if (!k->coding) return 0;
    for (const spry_field *f = k->coding; f < h->fields + h->field_count; f++) {
        if (!spry_slice_eq(spry_http_text(h, f->name), spry_http_text(h, k->coding->name)))
            continue;
        spry_slice list = spry_http_text(h, f->value);
        while (spry_slice_next_item(&list, &last)) others += !spry_slice_eq_nocase(last, chunked);
    }
    if (spry_http_is_1_0(h)) return broken(h, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (!spry_slice_eq_nocase(last, chunked))
        return broken(h, 400, "the last transfer coding is not chunked");
    if (others) return broken(h, 501, "only the transfer coding chunked is implemented");
    if (k->codings > 1 || k->coding->value.len != chunked.len || !is_chunked(h))
        return broken(h, 400, "Transfer-Encoding is malformed");
    return 0;
}

/* RFC 9112 section 3.2: exactly one valid Host in HTTP/1.1; the absolute-form overrides it. */
static int check_host(spry_http *h, const struct known *k, spry_slice absolute) {
    if (k->hosts > 1) return broken(h, 400, "there are two Host headers");
    if (!k->host && !spry_http_is_1_0(h)) return broken(h, 400, "the Host header is missing");
    if (k->host && !spry_url_host_valid(spry_http_text(h, k->host->value)))
        return broken(h, 400, "the Host header is malformed");
    if (k->host) h->host = k->host->value;
    if (absolute.data)
        h->host = (spry_span){(uint32_t)(absolute.data - h->block.data), (uint32_t)absolute.len};
    return 0;
}

/* Splits the target and appends the normalised path to the block. */
static int check_target(spry_http *h, const struct known *k) {
    /* First, so that no slice into the block is held over its growth. */
    if (spry_buf_reserve(&h->block, h->target.len + 1u)) return out_of_memory(h);
    struct spry_target target;
    if (spry_url_split(spry_http_text(h, h->target), &target))
        return broken(h, 400, "the request target is malformed");
    if (check_host(h, k, target.host)) return -1;
    h->has_query = target.has_query;
    if (target.has_query)
        h->query =
            (spry_span){(uint32_t)(target.query.data - h->block.data), (uint32_t)target.query.len};
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
static int check_expect(spry_http *h, const struct known *k) {
    if (!k->expect || spry_http_is_1_0(h)) return 0;
    for (const spry_field *f = k->expect; f < h->fields + h->field_count; f++) {
        if (!spry_slice_eq(spry_http_text(h, f->name), spry_slice_lit("expect"))) continue;
        if (!spry_slice_eq_nocase(spry_http_text(h, f->value), spry_slice_lit("100-continue")))
            return broken(h, 417, "the expectation cannot be met");
    }
    h->expect_continue = is_chunked(h) || h->parser.content_length > 0;
    return 0;
}

static bool has_option(const spry_http *h, const struct known *k, spry_slice option) {
    return k->connection && spry_http_header_lists(h, spry_slice_lit("connection"), option);
}

/* RFC 9112 section 9.3 */
static bool wants_keep_alive(const spry_http *h, const struct known *k) {
    if (has_option(h, k, spry_slice_lit("close"))) return false;
    return !spry_http_is_1_0(h) || has_option(h, k, spry_slice_lit("keep-alive"));
}

/* RFC 9110 section 7.8: not in HTTP/1.0, and the connection option must name it. */
static bool wants_upgrade(const spry_http *h, const struct known *k) {
    return k->upgrade && !spry_http_is_1_0(h) && has_option(h, k, spry_slice_lit("upgrade"));
}

static int on_headers_complete(llhttp_t *p) {
    spry_http *h = self(p);
    struct known k = known_fields(h);
    if (check_coding(h, &k) || check_target(h, &k) || check_length(h) || check_expect(h, &k))
        return -1;
    h->keep_alive = wants_keep_alive(h, &k);
    h->upgrade = wants_upgrade(h, &k);
    p->upgrade = 0; /* a route decides about that; for llhttp it is a request like any other */
    h->phase = SPRY_HTTP_BODY;
    h->section = SPRY_HTTP_CHUNKS;
    h->section_bytes = 0;
    h->content_left = is_chunked(h) ? 0 : p->content_length;
    return 0;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
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
    return broken(h, 400, why && *why ? why : "the request is malformed");
}

static int parse_line(spry_http *h, spry_slice line, size_t len) {
    if (len + 2 == line.len) return parse(h, line.data, line.len);
    return parse(h, line.data, len) ? -1 : parse(h, "\r\n", 2);
}

static int end_request_line(spry_http *h, spry_slice line) {
    h->target = here(h);
    h->section = SPRY_HTTP_FIELDS;
    h->parser = h->behind_request_line;
    if (add(h, &h->target, line.data + h->request_line.target_at, h->request_line.target_len))
        return out_of_memory(h);
    return 0;
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
        const char *name = spry_http_method_name(h);
        h->method = spry_method_parse(spry_slice_of(name, strlen(name)));
    }
    if (status) return broken(h, status, why);
    return whole ? end_request_line(h, line) : 0;
}

static int take_field(spry_http *h, spry_slice line, bool whole) {
    const char *why;
    size_t len;
    if (h->section_bytes + line.len > h->limits->headers)
        return broken(h, 431, "the header section is longer than limits.headers");
    if (!whole) return 0;
    h->section_bytes += line.len;
    int status = spry_line_field(line, &len, &why);
    return status ? broken(h, status, why) : parse_line(h, line, len);
}

/* Chunk extensions are nobody's here: read past (RFC 9112 section 7.1.1) and bounded. */
static int take_chunk_line(spry_http *h, spry_slice line, bool whole) {
    const char *why;
    size_t digits;
    if (h->chunk_excess + line.len > h->limits->headers)
        return broken(h, 400, "chunk extensions are too long");
    if (!whole) return 0;
    h->section_bytes = line.len;
    int status = spry_line_chunk(line, &digits, &why);
    return status ? broken(h, status, why) : parse_line(h, line, digits);
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
    *used = spry_line_plain_fields(spry_slice_of(data, n < room ? n : room));
    h->section_bytes += *used;
    return *used ? parse(h, data, *used) : 0;
}

/* Takes what there is of a line at the front of the bytes; the beginning is kept until the end has
 * come. */
static int feed_line(spry_http *h, const char *data, size_t n, size_t *used) {
    if (h->section == SPRY_HTTP_FIELDS && !h->line.len) {
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
    h->phase = SPRY_HTTP_NOTHING;
    h->status = 0, h->reason = NULL;
    h->block.len = h->body.len = h->line.len = 0;
    h->method = SPRY_METHOD_OTHER;
    h->target = h->host = h->pathname = h->query = (spry_span){0, 0};
    h->field_count = 0;
    h->has_query = h->keep_alive = h->upgrade = h->expect_continue = h->discard_body = false;
    h->body_received = 0;
    h->section = SPRY_HTTP_REQUEST_LINE;
    h->request_line = (spry_request_line){0};
    h->section_bytes = 0;
    h->content_left = h->chunk_excess = 0;
    h->in_value = false;
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
    return llhttp_method_name((llhttp_method_t)h->request_line.method);
}

bool spry_http_is_1_0(const spry_http *h) {
    return h->request_line.minor == '0';
}

uint64_t spry_http_body_known(const spry_http *h) {
    uint64_t left = h->content_left;
    if (is_chunked(h)) left = left > 2 ? left - 2 : 0; /* the CRLF behind a chunk */
    return h->body_received + left;
}
