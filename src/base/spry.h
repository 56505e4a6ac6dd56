/* What every part of the core shares: error codes and small helpers. Owns nothing. */
#ifndef SPRY_BASE_SPRY_H
#define SPRY_BASE_SPRY_H

#include <stddef.h>

#define SPRY_VERSION "0.1.0"

/* Functions that return int return 0 (or a count) on success and one of these otherwise. */
enum spry_err {
    SPRY_OK = 0,
    SPRY_ENOMEM = -1,    /* an allocation failed: an ordinary error, never fatal */
    SPRY_EINVAL = -2,    /* the input breaks the rules of its grammar */
    SPRY_ETOOBIG = -3,   /* a limit was passed */
    SPRY_ENOTFOUND = -4, /* nothing matches */
    SPRY_EMETHOD = -5,   /* something matches, but not for this method */
    SPRY_EEXIST = -6,    /* there is one already */
    SPRY_ECLOSED = -7,   /* the peer or the session is gone */
};

/* The struct of `type` whose field `member` is at `ptr`. */
#define spry_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#if defined(__GNUC__)
#define SPRY_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define SPRY_MUST_CHECK __attribute__((warn_unused_result))
#else
#define SPRY_PRINTF(fmt, args)
#define SPRY_MUST_CHECK
#endif

#endif
