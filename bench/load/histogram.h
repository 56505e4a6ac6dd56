/* Latencies, with 64 steps to each power of two: less than 2 % off. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

typedef struct {
    uint64_t count, longest, steps[64 * 64];
} histogram;

void histogram_add(histogram *h, uint64_t value);
uint64_t histogram_quantile(const histogram *h, double quantile); /* 0.5 is the median */

#endif
