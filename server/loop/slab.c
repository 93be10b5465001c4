#include "server/loop/slab.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"

static void *map(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (pages == MAP_FAILED) {
        return NULL;
    }
    madvise(pages, bytes, MADV_NOHUGEPAGE); /* which could not be returned in parts */
    return pages;
}

int slab_init(struct slab *slab, size_t place_bytes, uint32_t places_max)
{
    *slab = (struct slab){.memory = map(place_bytes * places_max),
                          .place_bytes = place_bytes,
                          .places_max = places_max,
                          .free = map(sizeof *slab->free * places_max)};
    if (slab->memory == NULL || slab->free == NULL) {
        slab_deinit(slab);
        return -ENOMEM;
    }
    return 0;
}

void slab_deinit(struct slab *slab)
{
    if (slab->memory != NULL) {
        munmap(slab->memory, slab->place_bytes * slab->places_max);
    }
    if (slab->free != NULL) {
        munmap(slab->free, sizeof *slab->free * slab->places_max);
    }
    *slab = (struct slab){0};
}

static void *place_at(const struct slab *slab, uint32_t number)
{
    return slab->memory + slab->place_bytes * number;
}

static void note_free(uint32_t *count, uint32_t free_count)
{
    *count = *count < free_count ? *count : free_count;
}

void *slab_take(struct slab *slab)
{
    if (slab->free_count == 0) {
        return slab->made < slab->places_max ? place_at(slab, slab->made++) : NULL;
    }
    slab->free_count--;
    note_free(&slab->idle_count, slab->free_count);
    note_free(&slab->bare_count, slab->free_count);
    return place_at(slab, slab->free[slab->free_count]);
}

void slab_put(struct slab *slab, void *place)
{
    size_t offset = (size_t)((uint8_t *)place - slab->memory);

    CHECK(offset % slab->place_bytes == 0 && offset / slab->place_bytes < slab->made);
    CHECK(slab->free_count < slab->made);
    slab->free[slab->free_count++] = (uint32_t)(offset / slab->place_bytes);
}

static int compare(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;

    return (first < second) - (first > second);
}

/* Whole pages only: one that a place shares with others stays, unless these are among them. */
static void discard(const struct slab *slab, uint32_t first, uint32_t end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t begin_bytes = (slab->place_bytes * first + page - 1) / page * page;
    size_t end_bytes = slab->place_bytes * end / page * page;

    if (begin_bytes < end_bytes) {
        madvise(slab->memory + begin_bytes, end_bytes - begin_bytes, MADV_DONTNEED);
    }
}

/* The first count of the free ones, in runs of neighbours. The highest come first, so that those
 * that are taken next lie close together at the beginning. */
static void discard_idle(struct slab *slab, uint32_t count)
{
    uint32_t from = 0; /* of the run */

    qsort(slab->free, count, sizeof *slab->free, compare);
    for (uint32_t i = 1; i <= count; i++) {
        if (i == count || slab->free[i] + 1 != slab->free[i - 1]) {
            discard(slab, slab->free[i - 1], slab->free[from] + 1);
            from = i;
        }
    }
}

/* All are looked at each time, so that it is worth while: a peer that opens and closes some of many
 * must not have that done in each period. */
static uint32_t spare_min(uint32_t bare_count)
{
    return bare_count / 8 > SLAB_SPARE_MIN ? bare_count / 8 : SLAB_SPARE_MIN;
}

size_t slab_end_period(struct slab *slab)
{
    uint32_t idle_count = slab->idle_count;
    uint32_t bare_count = slab->bare_count;

    CHECK(bare_count <= slab->free_count && idle_count <= slab->free_count);
    slab->idle_count = slab->free_count;
    if (idle_count < bare_count + spare_min(bare_count)) {
        return 0;
    }
    slab->bare_count = idle_count;
    discard_idle(slab, idle_count);
    return (idle_count - bare_count) * slab->place_bytes;
}
