/* The tree that router.c builds and router_match.c searches; private to the two. All of it lies in
 * the router's chunks, which are freed whole. */
#ifndef SPRY_CORE_ROUTER_TREE_H
#define SPRY_CORE_ROUTER_TREE_H

#include "core/router.h"

#include <stdalign.h>
#include <stdint.h>

/* What a method leads to. */
struct route {
    int id;
    const spry_slice *names; /* of its parameters in path order; empty = unnamed */
};

/* The routes that end at one place, by method; the last one takes every method. */
struct ends {
    const struct route *by_method[SPRY_METHODS + 1];
};

struct node {
    spry_slice text;     /* canonical; of a static segment */
    uint32_t hash;       /* of text */
    struct node **slots; /* static children, an open-addressing hash table, at most 3/4 full */
    size_t slot_count;   /* 0 or a power of two */
    size_t child_count;
    struct edge *edges;                    /* the other children, most specific first */
    struct ends *end, *optional, *rest[2]; /* rest by its min; NULL = no route */
};

/* A parameter inside an embedded segment, and the literal behind it. */
struct hole {
    int constraint;
    spry_slice after; /* canonical; empty only behind the last */
};

/* A segment that is no static text. A plain parameter is ordered as one without constraint. */
struct edge {
    enum edge_rank { CONSTRAINED, EMBEDDED, PLAIN } rank;
    int constraint;    /* CONSTRAINED */
    spry_slice before; /* EMBEDDED: the literal before the first hole; canonical */
    const struct hole *holes;
    size_t hole_count;
    size_t literal_bytes; /* in before and in every after */
    struct node child;
    struct edge *next;
};

struct chunk {
    struct chunk *next;
    size_t used, cap;
    alignas(max_align_t) char data[];
};

struct spry_router {
    struct chunk *chunks;
    struct node root;
};

/* FNV-1a. */
static inline uint32_t spry_tree_hash(spry_slice text) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < text.len; i++) h = (h ^ (unsigned char)text.data[i]) * 16777619u;
    return h;
}

/* The slot of the static child with that text, or the empty one where it would be. */
static inline struct node **spry_tree_slot(struct node **slots, size_t slot_count, uint32_t hash,
                                           spry_slice text) {
    size_t i = hash & (slot_count - 1);
    while (slots[i] && !(slots[i]->hash == hash && spry_slice_eq(slots[i]->text, text)))
        i = (i + 1) & (slot_count - 1);
    return &slots[i];
}

#endif
