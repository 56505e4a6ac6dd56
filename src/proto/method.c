/* Request methods, see method.h. */
#include "proto/method.h"

static const spry_slice names[] = {
    [SPRY_GET] = {"GET", 3},         [SPRY_HEAD] = {"HEAD", 4},   [SPRY_POST] = {"POST", 4},
    [SPRY_PUT] = {"PUT", 3},         [SPRY_PATCH] = {"PATCH", 5}, [SPRY_DELETE] = {"DELETE", 6},
    [SPRY_OPTIONS] = {"OPTIONS", 7},
};

enum spry_method spry_method_parse(spry_slice name) {
    for (int m = 0; m < SPRY_METHODS; m++)
        if (spry_slice_eq(name, names[m])) return (enum spry_method)m;
    return SPRY_METHOD_OTHER;
}

size_t spry_method_list(unsigned set, char out[SPRY_METHOD_LIST_MAX]) {
    size_t len = 0;
    for (int m = 0; m < SPRY_METHODS; m++) {
        if (!(set & SPRY_METHOD_BIT(m))) continue;
        if (len) out[len++] = ',', out[len++] = ' ';
        memcpy(out + len, names[m].data, names[m].len);
        len += names[m].len;
    }
    out[len] = '\0';
    return len;
}
