/* Response bytes, see response.h. */
#include "proto/response.h"

#include "proto/line.h"

#include <stdio.h>

const char *spry_response_reason(int status) {
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 423: return "Locked";
    case 424: return "Failed Dependency";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
    }
}

bool spry_response_is_bodiless(int status) {
    return status < 200 || status == 204 || status == 304;
}

int spry_response_raw(spry_buf *out, spry_slice bytes) {
    return spry_buf_append(out, bytes.data, bytes.len);
}

static char *put(char *to, spry_slice bytes) {
    if (bytes.len) memcpy(to, bytes.data, bytes.len);
    return to + bytes.len;
}

int spry_response_start(spry_buf *out, int status, spry_slice date) {
    const spry_slice ok = spry_slice_lit("HTTP/1.1 200 OK\r\n"); /* nearly every response */
    if (status != 200)
        return spry_buf_printf(out, "HTTP/1.1 %d %s\r\n%.*s", status, spry_response_reason(status),
                               (int)date.len, date.data);
    if (spry_buf_reserve(out, ok.len + date.len)) return SPRY_ENOMEM;
    put(put(out->data + out->len, ok), date);
    out->len += ok.len + date.len;
    return SPRY_OK;
}

bool spry_response_is_token(spry_slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (!spry_is_token_byte(s.data[i])) return false;
    return s.len > 0;
}

static bool is_field_value(spry_slice s) {
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

int spry_response_field(spry_buf *out, spry_slice name, spry_slice value) {
    if (!spry_response_is_token(name) || !is_field_value(value)) return SPRY_EINVAL;
    if (spry_buf_reserve(out, name.len + value.len + 4)) return SPRY_ENOMEM;
    char *to = put(out->data + out->len, name);
    to = put(put(to, spry_slice_lit(": ")), value);
    put(to, spry_slice_lit("\r\n"));
    out->len += name.len + value.len + 4;
    return SPRY_OK;
}

/* Decimal digits of n at the end of `room`; printf is too slow for a line in every response. */
static spry_slice digits(uint64_t n, char room[static 20]) {
    char *at = room + 20;
    do {
        *--at = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    return spry_slice_of(at, (size_t)(room + 20 - at));
}

int spry_response_end(spry_buf *out, uint64_t length, spry_slice connection, spry_slice content) {
    const spry_slice name = spry_slice_lit("Content-Length: "), end = spry_slice_lit("\r\n");
    char room[20];
    size_t most = name.len + sizeof room + end.len + connection.len + end.len;
    if (content.len > SIZE_MAX - most || spry_buf_reserve(out, most + content.len))
        return SPRY_ENOMEM;
    char *to = out->data + out->len;
    if (length != SPRY_NO_LENGTH) to = put(put(put(to, name), digits(length, room)), end);
    to = put(put(put(to, connection), end), content);
    out->len = (size_t)(to - out->data);
    return SPRY_OK;
}

/* The same in hexadecimal. */
static spry_slice hex_digits(size_t n, char room[static 16]) {
    char *at = room + 16;
    do {
        *--at = "0123456789abcdef"[n % 16];
        n /= 16;
    } while (n);
    return spry_slice_of(at, (size_t)(room + 16 - at));
}

int spry_response_chunk(spry_buf *out, spry_slice bytes) {
    if (bytes.len == 0) return SPRY_OK;
    char room[16];
    spry_slice size = hex_digits(bytes.len, room);
    if (spry_buf_reserve(out, size.len + bytes.len + 4)) return SPRY_ENOMEM;
    char *to = out->data + out->len;
    memcpy(to, size.data, size.len);
    memcpy(to + size.len, "\r\n", 2);
    memcpy(to + size.len + 2, bytes.data, bytes.len);
    memcpy(to + size.len + 2 + bytes.len, "\r\n", 2);
    out->len += size.len + bytes.len + 4;
    return SPRY_OK;
}

int spry_response_canned(spry_buf *out, int status, spry_slice date, const char *why,
                         bool head_only) {
    size_t mark = out->len;
    if (spry_response_start(out, status, date) ||
        spry_buf_printf(out,
                        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                        "Connection: close\r\n\r\n%s%s",
                        strlen(why) + 1, head_only ? "" : why, head_only ? "" : "\n")) {
        out->len = mark;
        return SPRY_ENOMEM;
    }
    return SPRY_OK;
}
