/* Matching a path, see router.h. It holds nothing, so that a check may longjmp through it. */
#include "core/router_tree.h"

/* Splits of one segment that may be tried: bounds what a hostile path can cost. */
enum { EMBEDDED_TRIES = 1000 };

struct search {
    enum spry_method method;
    const char *end; /* of the path */
    spry_router_check check;
    void *ud;
    spry_match *out; /* params has the values so far, without names */
    size_t count;    /* how many */
};

static void push(struct search *s, const char *from, const char *to, bool rest) {
    spry_param *param = &s->out->params[s->count++];
    param->value = spry_slice_of(from, (size_t)(to - from));
    param->rest = rest;
}

static bool satisfies(struct search *s, int constraint, spry_slice value) {
    return constraint < 0 || (s->check && s->check(s->ud, constraint, value));
}

/* The path may end here: takes the route for the method, or notes which methods there are. */
static bool finish(struct search *s, const struct ends *ends) {
    if (!ends) return false;
    const struct route *route = ends->by_method[s->method];
    if (!route && s->method == SPRY_HEAD) route = ends->by_method[SPRY_GET];
    if (!route) route = ends->by_method[SPRY_METHOD_OTHER];
    if (!route) {
        for (int m = 0; m < SPRY_METHODS; m++)
            if (ends->by_method[m]) s->out->allow |= SPRY_METHOD_BIT(m);
        return false;
    }
    spry_match *out = s->out;
    out->route = route->id;
    for (size_t i = 0; i < s->count; i++) {
        if (route->names[i].len == 0) continue;
        out->params[out->param_count] = out->params[i];
        out->params[out->param_count++].name = route->names[i];
    }
    return true;
}

/* Whether the literal stands at `at`, and that is not inside an escape: in a canonical path "%"
 * always begins one of three bytes. */
static bool literal_at(spry_slice segment, size_t at, spry_slice literal) {
    if ((at >= 1 && segment.data[at - 1] == '%') || (at >= 2 && segment.data[at - 2] == '%'))
        return false;
    return literal.len == 0 || memcmp(segment.data + at, literal.data, literal.len) == 0;
}

/* Finds for each hole the last place where the literal behind it can stand when every hole is to
 * have at least one byte; later holes are seen to first. False when there is no room. */
static bool last_places(const struct edge *edge, spry_slice segment, size_t *last) {
    size_t room = segment.len; /* where the literal must end, or before */
    for (size_t i = edge->hole_count; i-- > 0;) {
        spry_slice literal = edge->holes[i].after;
        bool at_end = i + 1 == edge->hole_count;
        size_t first = (i == 0 ? edge->before.len : 0) + 1;
        if (room < first + literal.len) return false;
        size_t at = room - literal.len;
        while (!literal_at(segment, at, literal))
            if (at_end || at-- == first) return false;
        last[i] = at;
        room = at - 1;
    }
    return true;
}

/* Fills the holes from `i` on, which begin at `from`: the longest value first. */
static bool fill_holes(struct search *s, const struct edge *edge, spry_slice segment, size_t i,
                       size_t from, const size_t *last, int *tries) {
    if (i == edge->hole_count) return true;
    const struct hole *hole = &edge->holes[i];
    size_t stop = i + 1 == edge->hole_count ? last[i] : from + 1;
    for (size_t at = last[i]; at >= stop && at > from; at--) {
        if (!literal_at(segment, at, hole->after)) continue;
        if (--*tries < 0) return false;
        spry_slice value = spry_slice_of(segment.data + from, at - from);
        if (!satisfies(s, hole->constraint, value)) continue;
        push(s, value.data, value.data + value.len, false);
        if (fill_holes(s, edge, segment, i + 1, at + hole->after.len, last, tries)) return true;
        s->count--;
    }
    return false;
}

/* Whether the edge takes the segment; then its values are pushed. */
static bool enter(struct search *s, const struct edge *edge, spry_slice segment) {
    if (edge->rank == EMBEDDED) {
        size_t last[SPRY_MAX_PARAMS];
        int tries = EMBEDDED_TRIES;
        return segment.len > edge->literal_bytes && literal_at(segment, 0, edge->before) &&
               last_places(edge, segment, last) &&
               fill_holes(s, edge, segment, 0, edge->before.len, last, &tries);
    }
    if (!satisfies(s, edge->constraint, segment)) return false;
    push(s, segment.data, segment.data + segment.len, false);
    return true;
}

/* The path may end here, with one more value. */
static bool finish_with(struct search *s, const struct ends *ends, const char *from, const char *to,
                        bool rest) {
    if (!ends) return false;
    push(s, from, to, rest);
    if (finish(s, ends)) return true;
    s->count--;
    return false;
}

/* Matches what is left of the path, from the segment at `at`, below a node. As deep as the tree,
 * and each node is come to at most once. */
static bool walk(struct search *s, const struct node *node, const char *at) {
    if (at == s->end)
        return finish(s, node->end) || finish(s, node->optional) ||
               finish_with(s, node->rest[0], at, at, true);
    const char *slash = memchr(at, '/', (size_t)(s->end - at));
    const char *stop = slash ? slash : s->end, *next = slash ? slash + 1 : s->end;
    spry_slice segment = spry_slice_of(at, (size_t)(stop - at));
    if (segment.len == 0) return false; /* not canonical */
    if (node->child_count) {
        uint32_t hash = spry_tree_hash(segment);
        const struct node *child = *spry_tree_slot(node->slots, node->slot_count, hash, segment);
        if (child && walk(s, child, next)) return true;
    }
    size_t mark = s->count;
    for (const struct edge *edge = node->edges; edge; edge = edge->next) {
        if (enter(s, edge, segment) && walk(s, &edge->child, next)) return true;
        s->count = mark;
    }
    return (!slash && finish_with(s, node->optional, at, stop, false)) ||
           finish_with(s, node->rest[1], at, s->end, true) ||
           finish_with(s, node->rest[0], at, s->end, true);
}

int spry_router_match(const spry_router *router, enum spry_method method, spry_slice path,
                      spry_router_check check, void *ud, spry_match *out) {
    out->route = -1, out->allow = 0, out->param_count = 0;
    if (path.len == 0 || path.data[0] != '/') return SPRY_ENOTFOUND;
    struct search s = {method, path.data + path.len, check, ud, out, 0};
    if (walk(&s, &router->root, path.data + 1)) return SPRY_OK;
    if (!out->allow) return SPRY_ENOTFOUND;
    if (out->allow & SPRY_METHOD_BIT(SPRY_GET)) out->allow |= SPRY_METHOD_BIT(SPRY_HEAD);
    out->allow |= SPRY_METHOD_BIT(SPRY_OPTIONS);
    return SPRY_EMETHOD;
}
