/* Request targets and paths, see url.h. */
#include "proto/url.h"

#include <arpa/inet.h>
#include <stdint.h>

/* The value of a hexadecimal digit, -1 for another byte. */
static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    char l = spry_lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* The byte that the escape at the front of `s` (its "%") stands for, -1 when it is broken. */
static int unescape(spry_slice s) {
    if (s.len < 3) return -1;
    int high = hex(s.data[1]), low = hex(s.data[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static spry_slice from(spry_slice s, size_t at) {
    return spry_slice_of(s.data + at, s.len - at);
}

/* ---- the forms of a target ---- */

/* Cuts "http://authority" off the front of an absolute-form. */
static int split_authority(spry_slice *target, spry_slice *host) {
    size_t scheme = 0;
    if (target->len >= 7 &&
        spry_slice_eq_nocase(spry_slice_of(target->data, 7), spry_slice_lit("http://")))
        scheme = 7;
    else if (target->len >= 8 &&
             spry_slice_eq_nocase(spry_slice_of(target->data, 8), spry_slice_lit("https://")))
        scheme = 8;
    else
        return SPRY_EINVAL;
    spry_slice rest = from(*target, scheme);
    size_t n = 0;
    while (n < rest.len && rest.data[n] != '/' && rest.data[n] != '?') n++;
    *host = spry_slice_of(rest.data, n);
    *target = from(rest, n);
    return n > 0 && spry_url_host_valid(*host) ? SPRY_OK : SPRY_EINVAL;
}

int spry_url_split(spry_slice target, struct spry_target *out) {
    *out = (struct spry_target){0};
    if (target.len == 0) return SPRY_EINVAL;
    if (spry_slice_eq(target, spry_slice_lit("*"))) {
        out->path = target, out->asterisk = true;
        return SPRY_OK;
    }
    if (target.data[0] != '/' && split_authority(&target, &out->host)) return SPRY_EINVAL;
    const char *mark = target.len ? memchr(target.data, '?', target.len) : NULL;
    out->path = spry_slice_of(target.data, mark ? (size_t)(mark - target.data) : target.len);
    if (out->path.len == 0) out->path = spry_slice_lit("/");
    if (mark) out->has_query = true, out->query = from(target, (size_t)(mark - target.data) + 1);
    return SPRY_OK;
}

/* ---- paths ---- */

/* Writes the canonical form of the segment at the front of `s` to `out`; `used` is its length in
 * `s`. The length written, or SPRY_EINVAL. */
static ssize_t write_segment(spry_slice s, char *out, size_t *used) {
    size_t i = 0, w = 0;
    while (i < s.len && s.data[i] != '/') {
        int c = (unsigned char)s.data[i];
        size_t step = 1;
        if (c == '%') c = unescape(from(s, i)), step = 3;
        if (c <= 0) return SPRY_EINVAL;
        w += spry_url_put_canonical((char)c, out + w);
        i += step;
    }
    *used = i;
    return (ssize_t)w;
}

/* Whether the path is canonical as it stands, as most are. */
static bool is_plain(spry_slice path) {
    char before = 'x';
    for (size_t i = 0; i < path.len; i++) {
        char c = path.data[i];
        if (c == '%' || c == '\0' || (before == '/' && (c == '/' || c == '.'))) return false;
        before = c;
    }
    return path.len > 0 && path.data[0] == '/' && (path.len == 1 || before != '/');
}

int spry_url_normalize(spry_slice path, char *out, size_t *out_len) {
    size_t w = 0;
    if (is_plain(path)) {
        memcpy(out, path.data, path.len);
        *out_len = path.len;
        return SPRY_OK;
    }
    for (size_t i = 0; i < path.len; i++) { /* i++ skips the "/" behind the segment */
        size_t used;
        out[w] = '/';
        ssize_t written = write_segment(from(path, i), out + w + 1, &used);
        if (written < 0) return SPRY_EINVAL;
        spry_slice segment = spry_slice_of(out + w + 1, (size_t)written);
        if (spry_slice_eq(segment, spry_slice_lit("..")))
            while (w > 0 && out[--w] != '/') continue;
        else if (segment.len && !spry_slice_eq(segment, spry_slice_lit(".")))
            w += 1 + segment.len;
        i += used;
    }
    if (w == 0) out[w++] = '/';
    *out_len = w;
    return SPRY_OK;
}

ssize_t spry_url_decode(spry_slice in, bool plus, char *out) {
    size_t w = 0;
    for (size_t i = 0; i < in.len; i++) {
        int c = (unsigned char)in.data[i];
        if (c == '%') {
            c = unescape(from(in, i));
            if (c < 0) return SPRY_EINVAL;
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[w++] = (char)c;
    }
    return (ssize_t)w;
}

size_t spry_url_decode_canonical(spry_slice in, bool keep_slash, char *out) {
    size_t w = 0;
    for (size_t i = 0; i < in.len; i++) {
        int c = (unsigned char)in.data[i];
        int byte = c == '%' ? unescape(from(in, i)) : -1;
        if (byte >= 0 && !(keep_slash && byte == '/')) c = byte, i += 2;
        out[w++] = (char)c;
    }
    return w;
}

/* ---- hosts ---- */

#define BIT(c) (1ull << ((c)&63))

/* unreserved / sub-delims (RFC 3986 section 2) */
static bool is_name_byte(char c) {
    const uint64_t digits = 0x3FFull << '0', letters = 0x3FFFFFFull << 1;
    const uint64_t low = digits | BIT('!') | BIT('$') | BIT('&') | BIT('\'') | BIT('(') | BIT(')') |
                         BIT('*') | BIT('+') | BIT(',') | BIT('-') | BIT('.') | BIT(';') | BIT('=');
    const uint64_t high = letters | letters << 32 | BIT('_') | BIT('~');
    unsigned char u = (unsigned char)c;
    return u < 128 && ((u < 64 ? low : high) >> (u & 63) & 1);
}

/* reg-name; every IPv4address is one too. Not empty here. */
static bool is_reg_name(spry_slice s) {
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '%') {
            if (unescape(from(s, i)) < 0) return false;
            i += 2;
        } else if (!is_name_byte(s.data[i])) {
            return false;
        }
    }
    return s.len > 0;
}

/* "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ) */
static bool is_ip_future(spry_slice s) {
    size_t i = 1;
    while (i < s.len && hex(s.data[i]) >= 0) i++;
    if (i == 1 || i + 1 >= s.len || s.data[i] != '.') return false;
    for (i++; i < s.len; i++)
        if (!is_name_byte(s.data[i]) && s.data[i] != ':') return false;
    return true;
}

/* What stands between "[" and "]". */
static bool is_ip_literal(spry_slice s) {
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (s.len && spry_lower(s.data[0]) == 'v') return is_ip_future(s);
    if (s.len == 0 || s.len >= sizeof(text) || memchr(s.data, '\0', s.len)) return false;
    memcpy(text, s.data, s.len);
    text[s.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* Nothing, or ":" and digits; none at all are allowed (RFC 3986 section 3.2.3). */
static bool is_port(spry_slice s) {
    if (s.len && s.data[0] != ':') return false;
    unsigned port = 0;
    for (size_t i = 1; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') return false;
        port = port * 10 + (unsigned)(s.data[i] - '0');
        if (port > 65535) return false;
    }
    return true;
}

bool spry_url_host_valid(spry_slice host) {
    if (host.len == 0) return true;
    bool literal = host.data[0] == '[';
    const char *end = memchr(host.data, literal ? ']' : ':', host.len);
    if (literal) {
        if (!end) return false;
        spry_slice inside = spry_slice_of(host.data + 1, (size_t)(end - host.data) - 1);
        return is_ip_literal(inside) && is_port(from(host, inside.len + 2));
    }
    size_t n = end ? (size_t)(end - host.data) : host.len;
    return is_reg_name(spry_slice_of(host.data, n)) && is_port(from(host, n));
}
