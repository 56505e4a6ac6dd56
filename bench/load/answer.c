#include "answer.h"

#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool begins(const char *line, size_t length, const char *with) {
    size_t wanted = strlen(with);
    return length >= wanted && strncasecmp(line, with, wanted) == 0;
}

static bool end_of_head(answer_reader *r) {
    r->part = r->is_chunked ? CHUNK_LINE : BODY;
    if (r->is_chunked) return false;
    if (!r->has_length && r->status != 101) load_fail("an answer without a length");
    return r->left == 0;
}

static bool end_of_chunk_line(answer_reader *r, const char *line) {
    r->left = strtoul(line, NULL, 16);
    r->part = r->left ? CHUNK : TRAILERS;
    r->left += 2; /* its line end */
    return false;
}

static void on_status_line(answer_reader *r, const char *line, size_t length) {
    if (!begins(line, length, "HTTP/1.1 "))
        load_fail("no HTTP/1.1 answer: %.*s", (int)length, line);
    *r = (answer_reader){.part = FIELDS, .status = (int)strtol(line + 9, NULL, 10)};
}

static void on_field(answer_reader *r, const char *line, size_t length) {
    if (begins(line, length, "content-length:")) {
        r->has_length = true;
        r->left = strtoul(line + 15, NULL, 10);
    } else if (begins(line, length, "transfer-encoding: chunked")) {
        r->is_chunked = true;
    }
}

/* True at the end of an answer. `length` is without the line end. */
static bool on_line(answer_reader *r, const char *line, size_t length) {
    switch (r->part) {
    case STATUS_LINE: on_status_line(r, line, length); return false;
    case FIELDS:
        if (length == 0) return end_of_head(r);
        on_field(r, line, length);
        return false;
    case CHUNK_LINE: return end_of_chunk_line(r, line);
    default: return length == 0; /* of the trailers */
    }
}

static void keep(answer_reader *r, const char *bytes, size_t length) {
    size_t room = sizeof r->line - r->line_length;
    if (length > room) length = room;
    memcpy(r->line + r->line_length, bytes, length);
    r->line_length += length;
}

static bool read_line(answer_reader *r, const char **bytes, size_t *length) {
    const char *line = *bytes, *end = memchr(line, '\n', *length);
    size_t size = end ? (size_t)(end - line) + 1 : *length;
    *bytes += size;
    *length -= size;
    if (r->line_length || !end) {
        keep(r, line, size);
        line = r->line;
        size = r->line_length;
    }
    if (!end) return false;
    r->line_length = 0;
    return on_line(r, line, size < 2 ? 0 : size - 2);
}

static bool skip(answer_reader *r, const char **bytes, size_t *length) {
    size_t size = r->left < *length ? r->left : *length;
    *bytes += size;
    *length -= size;
    r->left -= size;
    if (r->left) return false;
    if (r->part == BODY) return true;
    r->part = CHUNK_LINE;
    return false;
}

bool answer_read(answer_reader *r, const char **bytes, size_t *length) {
    while (*length) {
        bool skips = r->part == BODY || r->part == CHUNK;
        bool ended = skips ? skip(r, bytes, length) : read_line(r, bytes, length);
        if (!ended) continue;
        r->part = STATUS_LINE;
        return true;
    }
    return false;
}

bool answer_read_head(answer_reader *r, const char **bytes, size_t *length) {
    while (*length && r->part < BODY) (void)read_line(r, bytes, length);
    return r->part >= BODY;
}

bool answer_read_piece(answer_reader *r, const char **bytes, size_t *length, const char **piece,
                       size_t *size) {
    while (*length) {
        if (r->part != CHUNK && read_line(r, bytes, length)) load_fail("a stream has ended");
        if (r->part != CHUNK) continue;
        size_t content = r->left > 2 ? r->left - 2 : 0; /* without the line end behind it */
        *piece = *bytes;
        *size = content < *length ? content : *length;
        (void)skip(r, bytes, length);
        if (*size) return true;
    }
    return false;
}
