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

/* Moves *bytes on, to the end of the head at most. True: it is here, with r->status. */
bool answer_read_head(answer_reader *r, const char **bytes, size_t *length);

/* Behind a head: moves *bytes on, behind a piece of a body that comes in chunks and has no end.
 * False: more bytes are needed. */
bool answer_read_piece(answer_reader *r, const char **bytes, size_t *length, const char **piece,
                       size_t *size);

#endif
