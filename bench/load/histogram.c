#include "histogram.h"

#include <stddef.h>

enum { BITS = 6, STEPS = 1 << BITS };

/* Below 128 a step is a value; above, the highest bit says which power, the next six which step. */
static size_t step_of(uint64_t value) {
    if (value < STEPS) return (size_t)value;
    unsigned power = 63 - (unsigned)__builtin_clzll(value);
    return (size_t)(power - BITS + 1) * STEPS + (size_t)(value >> (power - BITS) & (STEPS - 1));
}

static uint64_t value_of(size_t step) {
    if (step < STEPS) return step;
    return (STEPS + step % STEPS) << (step / STEPS - 1);
}

void histogram_add(histogram *h, uint64_t value) {
    h->steps[step_of(value)]++;
    h->count++;
    if (value > h->longest) h->longest = value;
}

uint64_t histogram_quantile(const histogram *h, double quantile) {
    uint64_t wanted = (uint64_t)((double)h->count * quantile), seen = 0;
    for (size_t i = 0; i < sizeof h->steps / sizeof *h->steps; i++) {
        seen += h->steps[i];
        if (seen > wanted) return value_of(i);
    }
    return 0;
}
