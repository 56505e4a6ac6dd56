/* The intrusive hash table, see table.h. */
#include "base/table.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 16 };

static spry_entry **slot_of(const spry_table *t, uint64_t hash) {
    return &t->slots[hash & (t->slot_count - 1)];
}

static void push(spry_table *t, spry_entry *entry) {
    spry_entry **slot = slot_of(t, entry->hash);
    entry->next = *slot;
    *slot = entry;
}

static int resize(spry_table *t, size_t slot_count) {
    spry_entry **slots = calloc(slot_count, sizeof *slots);
    if (!slots) return SPRY_ENOMEM;
    spry_table old = *t;
    t->slots = slots, t->slot_count = slot_count;
    for (size_t i = 0; i < old.slot_count; i++) {
        for (spry_entry *entry = old.slots[i], *next; entry; entry = next) {
            next = entry->next;
            push(t, entry);
        }
    }
    free(old.slots);
    return SPRY_OK;
}

int spry_table_add(spry_table *t, spry_entry *entry, uint64_t hash) {
    if (!t->slots && resize(t, FIRST_SLOTS)) return SPRY_ENOMEM;
    if (t->count == t->slot_count) (void)resize(t, t->slot_count * 2);
    entry->hash = hash;
    push(t, entry);
    t->count++;
    return SPRY_OK;
}

void spry_table_remove(spry_table *t, spry_entry *entry) {
    spry_entry **at = slot_of(t, entry->hash);
    while (*at != entry) at = &(*at)->next;
    *at = entry->next;
    t->count--;
    if (t->slot_count > FIRST_SLOTS && t->count < t->slot_count / 8)
        (void)resize(t, t->slot_count / 2);
}

static spry_entry *with_hash(spry_entry *entry, uint64_t hash) {
    while (entry && entry->hash != hash) entry = entry->next;
    return entry;
}

spry_entry *spry_table_find(const spry_table *t, uint64_t hash) {
    return t->slots ? with_hash(*slot_of(t, hash), hash) : NULL;
}

spry_entry *spry_table_next(const spry_entry *entry) {
    return with_hash(entry->next, entry->hash);
}

void spry_table_free(spry_table *t) {
    free(t->slots);
    *t = (spry_table){0};
}

/* ---- hashes ---- */

/* The finalizer of MurmurHash3. */
uint64_t spry_hash_number(uint64_t n) {
    n = (n ^ (n >> 33)) * 0xff51afd7ed558ccdu;
    n = (n ^ (n >> 33)) * 0xc4ceb9fe1a85ec53u;
    return n ^ (n >> 33);
}

/* FNV-1a, begun at the seed. */
uint64_t spry_hash_bytes(uint64_t seed, spry_slice bytes) {
    uint64_t hash = seed ^ 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (unsigned char)bytes.data[i]) * 0x100000001b3u;
    return spry_hash_number(hash);
}
