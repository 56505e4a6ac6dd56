/* From a method and a canonical path (proto/url.h) to a route: a tree of segments.
 *
 * Built once by spry_router_add, then only matched. Owns copies of every text it was given.
 * spry_router_new / spry_router_delete.
 *
 * At each segment the more specific alternative is tried first: static, constrained (in the order
 * of adding), embedded (more literal bytes first), plain parameter, optional, rest (one or more
 * before zero or more); when what follows does not match, the next one is tried. Where a path ends,
 * a route for the method is taken, else for HEAD one for GET, else one for every method; if there
 * is none the search goes on to less specific routes. Matching allocates nothing, and its cost does
 * not grow with the number of static or plain routes. */
#ifndef SPRY_CORE_ROUTER_H
#define SPRY_CORE_ROUTER_H

#include "base/slice.h"
#include "base/spry.h"
#include "proto/method.h"

#define SPRY_MAX_PARAMS 16   /* parameters of a route, named or not */
#define SPRY_MAX_SEGMENTS 64 /* segments of a route; a path may have any number */

/* Part of an embedded segment: literal text or a parameter of at least one byte. */
typedef struct spry_part {
    bool is_param;
    spry_slice text; /* literal: decoded text, not empty; parameter: its name, empty = unnamed */
    int constraint;  /* parameter: what `check` is asked, -1 = anything */
} spry_part;

enum spry_segment_kind {
    SPRY_SEGMENT_STATIC,   /* exactly this text */
    SPRY_SEGMENT_PARAM,    /* one segment, which may be constrained */
    SPRY_SEGMENT_EMBEDDED, /* parts inside one segment; two parameters are never neighbours */
    SPRY_SEGMENT_OPTIONAL, /* zero or one segment; last */
    SPRY_SEGMENT_REST,     /* `min` or more segments; last */
};

typedef struct spry_segment {
    enum spry_segment_kind kind;
    spry_slice text;        /* STATIC: decoded text, else the parameter's name, empty = unnamed */
    int constraint;         /* PARAM: what `check` is asked, -1 = anything */
    unsigned min;           /* REST: 0 or 1 */
    const spry_part *parts; /* EMBEDDED: borrowed until spry_router_add returns */
    size_t part_count;
} spry_segment;

/* Whether a value (canonical, a slice into the path) satisfies a constraint. It may longjmp:
 * spry_router_match holds nothing. */
typedef bool (*spry_router_check)(void *ud, int constraint, spry_slice value);

typedef struct spry_param {
    spry_slice name;  /* the router's, lives as long as it does */
    spry_slice value; /* canonical, points into the matched path */
    bool rest;        /* value may be several segments, see spry_url_decode_canonical */
} spry_param;

typedef struct spry_match {
    int route;          /* as given to spry_router_add; valid when there is a match */
    unsigned allow;     /* SPRY_EMETHOD: the methods that the path takes, see proto/method.h */
    size_t param_count; /* named parameters; an absent optional is not among them */
    spry_param params[SPRY_MAX_PARAMS];
} spry_match;

typedef struct spry_router spry_router;

/* NULL when there is no memory. */
spry_router *spry_router_new(void);

/* Adds a route; `route` is any number >= 0 and need not be unique. `method` is SPRY_METHOD_OTHER
 * for every method. Parameter names are the route's own: routes of one shape may differ in them.
 * 0, or SPRY_EEXIST: there is a route of this shape and method; SPRY_ETOOBIG: over one of the two
 * maxima above; SPRY_EINVAL: no path can match it, or an optional or rest is not last;
 * SPRY_ENOMEM. */
int spry_router_add(spry_router *router, enum spry_method method, const spry_segment *segments,
                    size_t count, int route) SPRY_MUST_CHECK;

/* Fills `out`. 0, or SPRY_ENOTFOUND: no route, or the path does not begin with "/"; SPRY_EMETHOD:
 * routes, but not for this method: `allow` has theirs, HEAD where GET is, and OPTIONS. `check` may
 * be NULL when no route is constrained. */
int spry_router_match(const spry_router *router, enum spry_method method, spry_slice path,
                      spry_router_check check, void *ud, spry_match *out) SPRY_MUST_CHECK;

void spry_router_delete(spry_router *router);

#endif
