/* Server-sent events as a client reads them: the data of each, of one line. */
#ifndef EVENT_H
#define EVENT_H

#include "answer.h"

enum { EVENT_LINE = 128 };

typedef struct {
    const char *piece; /* of the body, what is left of it */
    size_t size;
    char line[EVENT_LINE]; /* longer ones are cut */
    size_t length;         /* of the line that comes in, or that of the data */
    bool is_data;          /* what the line is, with the end of it */
} event_reader;

/* Moves *bytes on, to the end of an event's data at most, which then is in
 * r->line behind "data: ". False: more bytes are needed. */
bool event_read(event_reader *r, answer_reader *answer, const char **bytes, size_t *length);

#endif
