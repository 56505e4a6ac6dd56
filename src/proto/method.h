/* Request methods (RFC 9110 section 9, RFC 5789) and sets of them. Owns nothing. */
#ifndef SPRY_PROTO_METHOD_H
#define SPRY_PROTO_METHOD_H

#include "base/slice.h"

enum spry_method {
    SPRY_GET,
    SPRY_HEAD,
    SPRY_POST,
    SPRY_PUT,
    SPRY_PATCH,
    SPRY_DELETE,
    SPRY_OPTIONS,
    SPRY_METHOD_OTHER, /* any other token: only a route for every method takes it */
};

/* How many methods have a name here. */
#define SPRY_METHODS ((int)SPRY_METHOD_OTHER)

/* A set of methods is an unsigned with these bits. */
#define SPRY_METHOD_BIT(method) (1u << (method))

/* Room for every name with ", " between them and a final NUL, in bytes. */
#define SPRY_METHOD_LIST_MAX 64

/* The method of that name; names are case-sensitive. SPRY_METHOD_OTHER for one not known here. */
enum spry_method spry_method_parse(spry_slice name);

/* Writes the names in the set as an Allow header has them ("GET, HEAD"), with a final NUL, and
 * returns the length without it. */
size_t spry_method_list(unsigned set, char out[SPRY_METHOD_LIST_MAX]);

#endif
