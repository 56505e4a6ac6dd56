/* Lines of a request, see line.h. Everything is looked at from left to right, and the first flaw
 * decides; so the answer does not depend on how the bytes were cut into packets. */
#include "proto/line.h"

#include <llhttp.h>

/* A method longer than any that is known, bytes. */
enum { METHOD_MAX = 32 };

static int flaw(const char **why, int status, const char *sentence) {
    *why = sentence;
    return status;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_hex(char c) {
    return is_digit(c) || (spry_lower(c) >= 'a' && spry_lower(c) <= 'f');
}

static bool is_space(char c) {
    return c == ' ' || c == '\t';
}

/* A control byte other than a tab. */
static bool is_control(char c) {
    unsigned char u = (unsigned char)c;
    return (u < ' ' && u != '\t') || u == 0x7f;
}

/* ---- the request line ---- */

/* The number of a method of HTTP that the parser's library knows by name; -1 for another. TRACE
 * and CONNECT are known, but nothing here can implement them. */
static int method_number(spry_slice name) {
    for (int m = HTTP_DELETE; m <= HTTP_UNLINK; m++) {
        const char *known = llhttp_method_name((llhttp_method_t)m);
        if (!spry_slice_eq(name, spry_slice_of(known, strlen(known)))) continue;
        return m == HTTP_CONNECT || m == HTTP_TRACE ? -1 : m;
    }
    return -1;
}

static void next_part(spry_request_line *r, enum spry_line_part part) {
    r->part = part;
    r->part_at = ++r->seen; /* behind the space */
}

static bool is_target_byte(char c) {
    return c > ' ' && c < 0x7f && c != '#';
}

/* Each of these goes on as far as its part does, or the bytes do. */

static int scan_method(spry_request_line *r, spry_slice line, const char **why) {
    static const char usual[] = "GET ";
    size_t at = r->seen;
    if (at == 0 && line.len >= sizeof usual - 1 && !memcmp(line.data, usual, sizeof usual - 1)) {
        r->method = HTTP_GET, r->seen = sizeof usual - 2;
        next_part(r, SPRY_LINE_TARGET);
        return 0;
    }
    while (at < line.len && at <= METHOD_MAX && spry_is_token_byte(line.data[at])) at++;
    r->seen = at;
    if (at > METHOD_MAX) return flaw(why, 501, "the method is not implemented");
    if (r->seen == line.len) return 0;
    if (line.data[r->seen] != ' ' || r->seen == 0) return flaw(why, 400, "the method is malformed");
    r->method = method_number(spry_slice_of(line.data, r->seen));
    next_part(r, SPRY_LINE_TARGET);
    return 0;
}

static int scan_target(spry_request_line *r, spry_slice line, size_t max, const char **why) {
    size_t most = line.len - r->part_at > max ? r->part_at + max : line.len, at = r->seen;
    while (at < most && is_target_byte(line.data[at])) at++;
    r->seen = at;
    if (r->seen == line.len) return 0;
    if (is_target_byte(line.data[r->seen]))
        return flaw(why, 414, "the request target is longer than limits.requestLine");
    if (line.data[r->seen] != ' ' || r->seen == r->part_at)
        return flaw(why, 400, "the request target has bytes that a URI can't have, or is empty");
    r->target_at = r->part_at, r->target_len = r->seen - r->part_at;
    next_part(r, SPRY_LINE_VERSION);
    return 0;
}

/* Whether the version is the one that nearly every request has, and the line ends behind it. */
static bool is_1_1(const spry_request_line *r, spry_slice line) {
    static const char usual[] = "HTTP/1.1\r\n";
    return line.len - r->part_at == sizeof usual - 1 && r->seen == r->part_at &&
           memcmp(line.data + r->part_at, usual, sizeof usual - 1) == 0;
}

static int scan_version(spry_request_line *r, spry_slice line, const char **why) {
    static const char shape[] = "HTTP/0.0\r\n"; /* 0 for any digit */
    if (is_1_1(r, line)) r->seen = line.len, r->major = r->minor = '1';
    for (; r->seen < line.len; r->seen++) {
        char c = line.data[r->seen];
        size_t at = r->seen - r->part_at;
        if (at >= sizeof shape - 1 || (shape[at] == '0' ? !is_digit(c) : c != shape[at]))
            return flaw(why, 400, "the request line does not end in an HTTP version and CRLF");
        if (at == 5) r->major = c;
        if (at == 7) r->minor = c;
    }
    if (r->seen - r->part_at < sizeof shape - 1) return 0;
    /* A higher minor version is read as 1.1 (RFC 9110 section 2.5). */
    if (r->major != '1') return flaw(why, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    return r->method >= 0 ? 0 : flaw(why, 501, "the method is not implemented");
}

int spry_line_request(spry_request_line *r, spry_slice line, size_t target_max, const char **why) {
    int status = 0;
    if (r->part == SPRY_LINE_METHOD) status = scan_method(r, line, why);
    if (!status && r->part == SPRY_LINE_TARGET) status = scan_target(r, line, target_max, why);
    if (!status && r->part == SPRY_LINE_VERSION) status = scan_version(r, line, why);
    return status;
}

/* ---- field lines ---- */

size_t spry_line_plain_fields(spry_slice bytes) {
    size_t at = 0;
    for (const char *lf; at < bytes.len; at = (size_t)(lf - bytes.data) + 1) {
        const char *line = bytes.data + at;
        lf = memchr(line, '\n', bytes.len - at);
        if (lf && lf - line == 1 && *line == '\r') return at + 2; /* the end of the section */
        if (!lf || lf - line < 2 || lf[-1] != '\r') break;
        if (is_space(line[0]) || line[0] == ':' || is_space(lf[-2])) break;
    }
    return at;
}

int spry_line_field(spry_slice line, size_t *len, const char **why) {
    size_t n = line.len;
    if (n < 2 || line.data[n - 2] != '\r') return flaw(why, 400, "a line ends in LF without CR");
    if (is_space(line.data[0]))
        return flaw(why, 400, "a line of the header section begins with a space");
    if (line.data[0] == ':') return flaw(why, 400, "a header field has no name");
    for (n -= 2; n > 0 && is_space(line.data[n - 1]);) n--;
    *len = n;
    return 0;
}

/* ---- the line before a chunk ---- */

static size_t skip_space(spry_slice line, size_t at) {
    while (at < line.len && is_space(line.data[at])) at++;
    return at;
}

static size_t skip_token(spry_slice line, size_t at) {
    while (at < line.len && spry_is_token_byte(line.data[at])) at++;
    return at;
}

/* Behind the quoted-string that begins at `at`, or 0 when it does not end. */
static size_t skip_quoted(spry_slice line, size_t at) {
    for (at++; at < line.len && line.data[at] != '"'; at++) {
        if (line.data[at] == '\\') at++;
        if (at >= line.len || is_control(line.data[at])) return 0;
    }
    return at < line.len ? at + 1 : 0;
}

/* Behind the chunk-ext-name and its value that begin at `at`, or 0 when they are malformed. */
static size_t skip_extension(spry_slice line, size_t at) {
    size_t name = skip_space(line, at);
    size_t end = skip_token(line, name);
    if (end == name) return 0;
    size_t equals = skip_space(line, end);
    if (equals == line.len || line.data[equals] != '=') return end;
    size_t value = skip_space(line, equals + 1);
    if (value < line.len && line.data[value] == '"') return skip_quoted(line, value);
    end = skip_token(line, value);
    return end == value ? 0 : end;
}

int spry_line_chunk(spry_slice line, size_t *digits, const char **why) {
    size_t at = 0;
    while (at < line.len && is_hex(line.data[at])) at++;
    if (at == 0) return flaw(why, 400, "a chunk does not begin with its size");
    *digits = at;
    for (size_t semicolon; (semicolon = skip_space(line, at)) < line.len;) {
        if (line.data[semicolon] != ';') break;
        at = skip_extension(line, semicolon + 1);
        if (at == 0) return flaw(why, 400, "a chunk extension is malformed");
    }
    if (!spry_slice_eq(spry_slice_of(line.data + at, line.len - at), spry_slice_lit("\r\n")))
        return flaw(why, 400, "the line with a chunk's size is malformed");
    return 0;
}
