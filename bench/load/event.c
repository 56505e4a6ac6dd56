#include "event.h"

#include <string.h>

/* Takes what there is of a line. True: it is complete. */
static bool take_line(event_reader *r) {
    const char *end = memchr(r->piece, '\n', r->size);
    size_t size = end ? (size_t)(end - r->piece) : r->size;
    size_t room = r->length < EVENT_LINE ? EVENT_LINE - r->length : 0;
    memcpy(r->line + r->length, r->piece, size < room ? size : room);
    r->length += size;
    size += end ? 1 : 0;
    r->piece += size;
    r->size -= size;
    return end != NULL;
}

bool event_read(event_reader *r, answer_reader *answer, const char **bytes, size_t *length) {
    for (;;) {
        if (r->is_data) r->length = 0;
        r->is_data = false;
        while (r->size) {
            if (!take_line(r)) break;
            r->is_data = r->length >= 6 && memcmp(r->line, "data: ", 6) == 0;
            if (r->is_data) return true;
            r->length = 0;
        }
        if (!answer_read_piece(answer, bytes, length, &r->piece, &r->size)) return false;
    }
}
