/* Finds the end of HTTP answers, which is all that the client needs to know of them. */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    enum { STATUS_LINE, FIELDS, BODY, CHUNK_LINE, CHUNK, TRAILERS } part;
    bool has_length, is_chunked;
    int status;
    size_t left;        /* of the body or the chunk */
    size_t line_length; /* of the beginning of a line that is not all here */
    char line[256];     /* longer lines are cut */
} answer_reader;

/* Moves *bytes on, to the end of an answer at most. True: there it is, and r->status is its own. A
 * 101 ends with its head. */
bool answer_read(answer_reader *r, const char **bytes, size_t *length);

#endif
