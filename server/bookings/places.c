#include "server/bookings/places.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

enum { BUCKETS = 4096 };

/* One that holds places; forgotten with its last one. */
struct owner {
    struct owner *next_in_bucket;
    uint32_t count;
    char name[];
};

struct places {
    pthread_mutex_t mutex;
    uint32_t max;         /* for those that may write */
    uint32_t readers_max; /* of all, where a reader asks */
    uint32_t count;
    struct owner *buckets[BUCKETS];
};

struct places *places_create(uint32_t connections_max)
{
    struct places *places = calloc(1, sizeof *places);
    uint32_t reserve = connections_max / PLACES_RESERVE;

    if (places == NULL) {
        return NULL;
    }
    pthread_mutex_init(&places->mutex, NULL);
    places->max = connections_max - reserve;
    places->readers_max = places->max - reserve;
    return places;
}

void places_destroy(struct places *places)
{
    if (places == NULL) {
        return;
    }
    CHECK(places->count == 0);
    pthread_mutex_destroy(&places->mutex);
    free(places);
}

static const char *name_of(const char *booking_id, const char *topic)
{
    return booking_id[0] != '\0' ? booking_id : topic;
}

/* Bookings and topics come from signed tokens only, so no outsider can choose them to collide. */
static struct owner **find(struct places *places, const char *name)
{
    struct owner **place = &places->buckets[bytes_hash(0, bytes_of_text(name)) % BUCKETS];

    while (*place != NULL && strcmp((*place)->name, name) != 0) {
        place = &(*place)->next_in_bucket;
    }
    return place;
}

static int judge(const struct places *places, const struct owner *owner,
                 const struct permission *permission)
{
    uint32_t max = permission->can_write ? places->max : places->readers_max;
    uint32_t held = owner == NULL ? 0 : owner->count;

    if (places->count >= max) {
        return -ENOSPC;
    }
    if (held >= PLACES_FLOOR && held / PLACES_SHARE >= max - places->count) {
        return -EDQUOT;
    }
    return 0;
}

static struct owner *add(struct owner **place, const char *name)
{
    size_t size = strlen(name) + 1;
    struct owner *owner = calloc(1, sizeof *owner + size);

    if (owner != NULL) {
        memcpy(owner->name, name, size);
        *place = owner;
    }
    return owner;
}

static int take(struct places *places, const struct permission *permission)
{
    const char *name = name_of(permission->booking_id, permission->topic);
    struct owner **place = find(places, name);
    int refused = judge(places, *place, permission);

    if (refused != 0) {
        return refused;
    }
    struct owner *owner = *place != NULL ? *place : add(place, name);

    if (owner == NULL) {
        return -ENOMEM;
    }
    owner->count++;
    places->count++;
    return 0;
}

int places_take(struct places *places, const struct permission *permission)
{
    pthread_mutex_lock(&places->mutex);
    int failed = take(places, permission);

    pthread_mutex_unlock(&places->mutex);
    return failed;
}

int places_look(struct places *places, const struct permission *permission)
{
    pthread_mutex_lock(&places->mutex);
    struct owner *owner = *find(places, name_of(permission->booking_id, permission->topic));
    int refused = judge(places, owner, permission);

    pthread_mutex_unlock(&places->mutex);
    return refused;
}

void places_give(struct places *places, const char *booking_id, const char *topic)
{
    pthread_mutex_lock(&places->mutex);
    struct owner **place = find(places, name_of(booking_id, topic));
    struct owner *owner = *place;

    CHECK(owner != NULL);
    CHECK(places->count > 0);
    places->count--;
    owner->count--;
    if (owner->count == 0) {
        *place = owner->next_in_bucket;
        free(owner);
    }
    pthread_mutex_unlock(&places->mutex);
}

uint32_t places_count(struct places *places)
{
    pthread_mutex_lock(&places->mutex);
    uint32_t count = places->count;

    pthread_mutex_unlock(&places->mutex);
    return count;
}
