/* An intrusive hash table: what is kept brings its own entry as a field, so that entering can fail
 * only for want of the first slots, and leaving never does. It grows and shrinks by itself; when
 * there is no memory for more slots, its chains get longer instead.
 *
 * The hash comes from outside, and so does the comparison: entries with the hash that is looked for
 * are gone through with spry_table_find and spry_table_next. A zeroed table is an empty one. */
#ifndef SPRY_BASE_TABLE_H
#define SPRY_BASE_TABLE_H

#include "base/slice.h"
#include "base/spry.h"

#include <stdint.h>

typedef struct spry_entry {
    struct spry_entry *next; /* in the same slot */
    uint64_t hash;
} spry_entry;

typedef struct spry_table {
    spry_entry **slots;
    size_t slot_count; /* 0 or a power of two */
    size_t count;      /* entries */
} spry_table;

/* Enters. 0 or SPRY_ENOMEM. */
int spry_table_add(spry_table *t, spry_entry *entry, uint64_t hash) SPRY_MUST_CHECK;

/* Takes an entry out; it must be in the table. */
void spry_table_remove(spry_table *t, spry_entry *entry);

/* The first entry with this hash, NULL when there is none. */
spry_entry *spry_table_find(const spry_table *t, uint64_t hash);

/* The next one with the same hash. */
spry_entry *spry_table_next(const spry_entry *entry);

/* Releases the slots; entries are their owners'. */
void spry_table_free(spry_table *t);

/* Spreads the bits of a number over all of it. */
uint64_t spry_hash_number(uint64_t n);

/* A hash of bytes; with a random seed nobody outside can tell which ones collide. */
uint64_t spry_hash_bytes(uint64_t seed, spry_slice bytes);

#endif
