/* What is to be said of a request when its head is complete, see http_head.h: llhttp leaves that to
 * the host. */
#include "proto/http_head.h"

#include "proto/url.h"

int spry_http_broken(spry_http *h, int status, const char *reason) {
    h->phase = SPRY_HTTP_BROKEN, h->status = status, h->reason = reason;
    return -1;
}

/* Fields that this server looks at itself: the first of each name, and how many there are. */
struct known {
    const spry_field *host, *coding, *expect, *connection, *upgrade;
    unsigned hosts, codings;
};

static void note(const spry_field **first, const spry_field *f) {
    if (!*first) *first = f;
}

static struct known known_fields(const spry_http *h) {
    struct known k = {0};
    for (const spry_field *f = h->fields; f < h->fields + h->field_count; f++) {
        switch (f->name.len) {
        case 4:
            if (spry_http_is_named(h, f, spry_slice_lit("host"))) note(&k.host, f), k.hosts++;
            break;
        case 6:
            if (spry_http_is_named(h, f, spry_slice_lit("expect"))) note(&k.expect, f);
            break;
        case 7:
            if (spry_http_is_named(h, f, spry_slice_lit("upgrade"))) note(&k.upgrade, f);
            break;
        case 10:
            if (spry_http_is_named(h, f, spry_slice_lit("connection"))) note(&k.connection, f);
            break;
        case 17:
            if (spry_http_is_named(h, f, spry_slice_lit("transfer-encoding")))
                note(&k.coding, f), k.codings++;
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
        if (!spry_http_is_named(h, f, spry_slice_lit("transfer-encoding"))) continue;
        spry_slice list = spry_http_text(h, f->value);
        while (spry_slice_next_item(&list, &last)) others += !spry_slice_eq_nocase(last, chunked);
    }
    if (spry_http_is_1_0(h)) return spry_http_broken(h, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (!spry_slice_eq_nocase(last, chunked))
        return spry_http_broken(h, 400, "the last transfer coding is not chunked");
    if (others) return spry_http_broken(h, 501, "only the transfer coding chunked is implemented");
    if (k->codings > 1 || k->coding->value.len != chunked.len || !spry_http_is_chunked(h))
        return spry_http_broken(h, 400, "Transfer-Encoding is malformed");
    return 0;
}

/* RFC 9112 section 3.2: exactly one valid Host in HTTP/1.1. */
static int check_host(spry_http *h, const struct known *k) {
    if (k->hosts > 1) return spry_http_broken(h, 400, "there are two Host headers");
    if (!k->host && !spry_http_is_1_0(h))
        return spry_http_broken(h, 400, "the Host header is missing");
    if (k->host && !spry_url_host_valid(spry_http_text(h, k->host->value)))
        return spry_http_broken(h, 400, "the Host header is malformed");
    if (k->host) h->host = k->host->value;
    return 0;
}

static spry_span span_of(const spry_http *h, spry_slice text) {
    return (spry_span){(uint32_t)(text.data - h->block.data), (uint32_t)text.len};
}

int spry_http_check_target(spry_http *h) {
    struct spry_target target;
    if (spry_url_split(spry_http_text(h, h->target), &target))
        return spry_http_broken(h, 400, "the request target is malformed");
    if (target.host.data) h->host = span_of(h, target.host);
    h->has_query = target.has_query;
    if (target.has_query) h->query = span_of(h, target.query);
    if (target.asterisk) {
        if (h->method != SPRY_OPTIONS)
            return spry_http_broken(h, 400, "the target * is for OPTIONS");
        h->pathname = h->target;
        return 0;
    }
    size_t len;
    if (spry_url_normalize(target.path, h->block.data + h->block.len, &len))
        return spry_http_broken(h, 400, "the path has a broken escape, or %00");
    h->pathname = (spry_span){(uint32_t)h->block.len, (uint32_t)len};
    h->block.len += len;
    return 0;
}

static int check_length(spry_http *h) {
    bool sized = (h->parser.flags & F_CONTENT_LENGTH) != 0;
    if (sized && h->parser.content_length > h->limits->body)
        return spry_http_broken(h, 413, "the request body is longer than limits.body");
    return 0;
}

/* RFC 9110 section 10.1.1: the only expectation there is; HTTP/1.0 clients cannot have it. */
static int check_expect(spry_http *h, const struct known *k) {
    if (!k->expect || spry_http_is_1_0(h)) return 0;
    for (const spry_field *f = k->expect; f < h->fields + h->field_count; f++) {
        if (!spry_http_is_named(h, f, spry_slice_lit("expect"))) continue;
        if (!spry_slice_eq_nocase(spry_http_text(h, f->value), spry_slice_lit("100-continue")))
            return spry_http_broken(h, 417, "the expectation cannot be met");
    }
    h->expect_continue = spry_http_is_chunked(h) || h->parser.content_length > 0;
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

int spry_http_check_head(spry_http *h) {
    struct known k = known_fields(h);
    if (check_coding(h, &k) || check_host(h, &k) || spry_http_check_target(h) || check_length(h) ||
        check_expect(h, &k))
        return -1;
    h->keep_alive = wants_keep_alive(h, &k);
    h->upgrade = wants_upgrade(h, &k);
    return 0;
}
