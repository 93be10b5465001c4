/* Places of one size in memory that is reserved at once: the kernel provides pages as they are
 * used, and places that were of no use for a period have none. A place that was given back is zero
 * where it was, so it may hold what it held before, or zeroes, or some of each. Owner worker only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

enum slab_limits {
    SLAB_SPARE_MIN = 64, /* fewer, or an eighth of those without pages, keep theirs */
};

struct slab {
    uint8_t *memory;
    size_t place_bytes;
    uint32_t places_max;
    uint32_t made;  /* below it they were taken at least once */
    uint32_t *free; /* numbers of places; the warmest is last, and taken first */
    uint32_t free_count;
    uint32_t idle_count; /* the fewest that were free since the period began */
    uint32_t bare_count; /* the first ones of free, whose pages were given back */
};

/* 0 or -errno. */
MUST_USE int slab_init(struct slab *slab, size_t place_bytes, uint32_t places_max);
/* Harmless after a failed slab_init, and for one that is all zero. */
void slab_deinit(struct slab *slab);

/* NULL: all are taken. */
MUST_USE void *slab_take(struct slab *slab);
void slab_put(struct slab *slab, void *place);

/* Ends a period and begins the next: returns pages of places that were free all through it to the
 * system. Returns the bytes of these places. */
size_t slab_end_period(struct slab *slab);
