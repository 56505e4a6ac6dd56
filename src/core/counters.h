/* What has happened on the connections of a handler since it was made. Only ever added to. */
#ifndef SPRY_CORE_COUNTERS_H
#define SPRY_CORE_COUNTERS_H

#include <stdint.h>

typedef struct spry_counters {
    uint64_t accepted;                  /* connections */
    uint64_t bytes_in, bytes_out;       /* of all connections */
    uint64_t messages_in, messages_out; /* of sessions: taken by their readers, put in the output */
    uint64_t messages_dropped, slow_closes; /* because the peer was too slow */
} spry_counters;

#endif
