/* Building the tree of routes, see router.h. */
#include "core/router_tree.h"

#include "proto/url.h"

#include <stdlib.h>

enum {
    CHUNK_BYTES = 4096,
    FIRST_SLOTS = 4,
};

/* Zeroed memory that lives as long as the router, NULL when there is none. */
static void *hold(spry_router *r, size_t size) {
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct chunk *c = r->chunks;
    if (!c || c->cap - c->used < size) {
        size_t cap = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        c = calloc(1, sizeof(*c) + cap);
        if (!c) return NULL;
        c->next = r->chunks, c->cap = cap;
        r->chunks = c;
    }
    c->used += size;
    return c->data + c->used - size;
}

/* Decoded text as it stands in a canonical path. False when there is no memory. */
static bool hold_canonical(spry_router *r, spry_slice text, spry_slice *out) {
    char *data = hold(r, text.len * 3);
    size_t w = 0;
    if (!data) return false;
    for (size_t i = 0; i < text.len; i++) w += spry_url_put_canonical(text.data[i], data + w);
    *out = spry_slice_of(data, w);
    return true;
}

/* Makes room for one more static child. */
static bool grow_slots(spry_router *r, struct node *node) {
    if (node->child_count * 4 < node->slot_count * 3) return true;
    size_t count = node->slot_count ? node->slot_count * 2 : FIRST_SLOTS;
    struct node **slots = hold(r, count * sizeof(struct node *));
    if (!slots) return false;
    for (size_t i = 0; i < node->slot_count; i++)
        if (node->slots[i])
            *spry_tree_slot(slots, count, node->slots[i]->hash, node->slots[i]->text) =
                node->slots[i];
    node->slots = slots, node->slot_count = count;
    return true;
}

static struct node *add_static(spry_router *r, struct node *node, spry_slice text) {
    if (!grow_slots(r, node) || !hold_canonical(r, text, &text)) return NULL;
    uint32_t hash = spry_tree_hash(text);
    struct node **slot = spry_tree_slot(node->slots, node->slot_count, hash, text);
    if (*slot) return *slot;
    struct node *child = hold(r, sizeof(*child));
    if (!child) return NULL;
    child->text = text, child->hash = hash;
    node->child_count++;
    return *slot = child;
}

static bool same_shape(const struct edge *a, const struct edge *b) {
    if (a->rank != b->rank || a->constraint != b->constraint || a->hole_count != b->hole_count ||
        !spry_slice_eq(a->before, b->before))
        return false;
    for (size_t i = 0; i < a->hole_count; i++)
        if (a->holes[i].constraint != b->holes[i].constraint ||
            !spry_slice_eq(a->holes[i].after, b->holes[i].after))
            return false;
    return true;
}

/* Fills an embedded edge from its parts, which are valid. */
static bool set_parts(spry_router *r, struct edge *edge, const spry_segment *segment) {
    struct hole *holes = hold(r, segment->part_count * sizeof(*holes));
    if (!holes) return false;
    for (size_t i = 0; i < segment->part_count; i++) {
        const spry_part *part = &segment->parts[i];
        if (part->is_param) {
            holes[edge->hole_count++].constraint = part->constraint;
            continue;
        }
        spry_slice *literal = i ? &holes[edge->hole_count - 1].after : &edge->before;
        if (!hold_canonical(r, part->text, literal)) return false;
        edge->literal_bytes += literal->len;
    }
    edge->holes = holes;
    return true;
}

static struct node *add_edge(spry_router *r, struct node *node, const spry_segment *segment) {
    bool embedded = segment->kind == SPRY_SEGMENT_EMBEDDED;
    struct edge made = {.constraint = -1, .rank = PLAIN};
    if (embedded) {
        made.rank = EMBEDDED;
        if (!set_parts(r, &made, segment)) return NULL;
    } else if (segment->constraint >= 0) {
        made.rank = CONSTRAINED, made.constraint = segment->constraint;
    }
    struct edge **link = &node->edges;
    for (; *link && (*link)->rank <= made.rank; link = &(*link)->next) {
        if (same_shape(*link, &made)) return &(*link)->child;
        if (embedded && (*link)->rank == EMBEDDED && (*link)->literal_bytes < made.literal_bytes)
            break; /* what has this shape has as many, so it is not further on */
    }
    struct edge *edge = hold(r, sizeof(*edge));
    if (!edge) return NULL;
    *edge = made;
    edge->next = *link;
    *link = edge;
    return &edge->child;
}

static bool has_nul(spry_slice text) {
    return text.len && memchr(text.data, '\0', text.len);
}

static size_t params_of(const spry_segment *segment) {
    size_t n = 0;
    if (segment->kind == SPRY_SEGMENT_STATIC) return 0;
    if (segment->kind != SPRY_SEGMENT_EMBEDDED) return 1;
    for (size_t i = 0; i < segment->part_count; i++) n += segment->parts[i].is_param;
    return n;
}

static bool valid_text(spry_slice text) {
    return text.len && !has_nul(text);
}

/* Whether a canonical path can match the segment. */
static bool valid_segment(const spry_segment *segment, bool last) {
    switch (segment->kind) {
    case SPRY_SEGMENT_STATIC:
        return valid_text(segment->text) && !spry_slice_eq(segment->text, spry_slice_lit(".")) &&
               !spry_slice_eq(segment->text, spry_slice_lit(".."));
    case SPRY_SEGMENT_PARAM: return true;
    case SPRY_SEGMENT_EMBEDDED: /* literals and parameters alternate */
        for (size_t i = 0; i < segment->part_count; i++) {
            const spry_part *part = &segment->parts[i];
            if (i && part->is_param == part[-1].is_param) return false;
            if (!part->is_param && !valid_text(part->text)) return false;
        }
        return params_of(segment) > 0;
    case SPRY_SEGMENT_OPTIONAL: return last;
    case SPRY_SEGMENT_REST: return last && segment->min <= 1;
    }
    return false;
}

static int validate(const spry_segment *segments, size_t count) {
    size_t params = 0;
    if (count > SPRY_MAX_SEGMENTS) return SPRY_ETOOBIG;
    for (size_t i = 0; i < count; i++) {
        if (!valid_segment(&segments[i], i + 1 == count)) return SPRY_EINVAL;
        params += params_of(&segments[i]);
    }
    return params > SPRY_MAX_PARAMS ? SPRY_ETOOBIG : SPRY_OK;
}

static bool hold_name(spry_router *r, spry_slice name, spry_slice *out) {
    char *copy = hold(r, name.len);
    if (!copy) return false;
    if (name.len) memcpy(copy, name.data, name.len);
    *out = spry_slice_of(copy, name.len);
    return true;
}

/* A route with copies of the names of its parameters. */
static struct route *hold_route(spry_router *r, const spry_segment *segments, size_t count,
                                int id) {
    size_t params = 0, n = 0;
    for (size_t i = 0; i < count; i++) params += params_of(&segments[i]);
    struct route *route = hold(r, sizeof(*route));
    spry_slice *names = hold(r, params * sizeof(*names));
    if (!route || !names) return NULL;
    for (size_t i = 0; i < count; i++) {
        const spry_segment *s = &segments[i];
        bool embedded = s->kind == SPRY_SEGMENT_EMBEDDED;
        if (s->kind == SPRY_SEGMENT_STATIC) continue;
        if (!embedded && !hold_name(r, s->text, &names[n++])) return NULL;
        for (size_t k = 0; embedded && k < s->part_count; k++)
            if (s->parts[k].is_param && !hold_name(r, s->parts[k].text, &names[n++])) return NULL;
    }
    route->id = id, route->names = names;
    return route;
}

/* Where the routes of this shape end; what is missing on the way is made. */
static struct ends **place_of(spry_router *r, const spry_segment *segments, size_t count) {
    struct node *node = &r->root;
    for (size_t i = 0; i < count; i++) {
        const spry_segment *s = &segments[i];
        if (s->kind == SPRY_SEGMENT_OPTIONAL) return &node->optional;
        if (s->kind == SPRY_SEGMENT_REST) return &node->rest[s->min];
        node = s->kind == SPRY_SEGMENT_STATIC ? add_static(r, node, s->text) : add_edge(r, node, s);
        if (!node) return NULL;
    }
    return &node->end;
}

spry_router *spry_router_new(void) {
    return calloc(1, sizeof(spry_router));
}

int spry_router_add(spry_router *router, enum spry_method method, const spry_segment *segments,
                    size_t count, int route) {
    int err = route < 0 ? SPRY_EINVAL : validate(segments, count);
    if (err) return err;
    struct ends **place = place_of(router, segments, count);
    if (!place) return SPRY_ENOMEM;
    if (*place && (*place)->by_method[method]) return SPRY_EEXIST;
    struct route *held = hold_route(router, segments, count, route);
    if (held && !*place) *place = hold(router, sizeof(**place));
    if (!held || !*place) return SPRY_ENOMEM;
    (*place)->by_method[method] = held;
    return SPRY_OK;
}

void spry_router_delete(spry_router *router) {
    if (!router) return;
    while (router->chunks) {
        struct chunk *c = router->chunks;
        router->chunks = c->next;
        free(c);
    }
    free(router);
}
