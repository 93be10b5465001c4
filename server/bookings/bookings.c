#include "server/bookings/bookings.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"

struct booking {
    struct list node; /* in its list, or among the unused */
    struct booking *next_in_bucket;
    enum booking_list list;
    int64_t exp_s;
    char id[TOKEN_TEXT_SIZE];
};

struct bookings {
    pthread_mutex_t mutex;
    struct code_store *codes;
    struct list lists[BOOKING_LISTS];
    uint32_t counts[BOOKING_LISTS];
    int64_t earliest_s[BOOKING_LISTS]; /* no entry of the list expires before */
    uint32_t bookings_max;             /* of each list */
    struct list unused;
    uint32_t buckets_count;
    struct booking **buckets;
    struct booking *entries; /* buckets_count; below entries_made they were used at least once */
    uint32_t entries_made;
};

struct bookings *bookings_create(uint32_t bookings_max, struct code_store *codes)
{
    struct bookings *bookings = calloc(1, sizeof *bookings);

    if (bookings == NULL) {
        return NULL;
    }
    bookings->codes = codes;
    bookings->bookings_max = bookings_max;
    bookings->buckets_count = bookings_max * BOOKING_LISTS;
    bookings->entries = calloc(bookings->buckets_count, sizeof *bookings->entries);
    bookings->buckets = calloc(bookings->buckets_count, sizeof(struct booking *));
    pthread_mutex_init(&bookings->mutex, NULL);
    list_init(&bookings->unused);
    for (unsigned list = 0; list < BOOKING_LISTS; list++) {
        list_init(&bookings->lists[list]);
        bookings->earliest_s[list] = INT64_MAX;
    }
    if (bookings->entries == NULL || bookings->buckets == NULL) {
        bookings_destroy(bookings);
        return NULL;
    }
    return bookings;
}

void bookings_destroy(struct bookings *bookings)
{
    if (bookings == NULL) {
        return;
    }
    pthread_mutex_destroy(&bookings->mutex);
    free(bookings->entries);
    free(bookings->buckets);
    free(bookings);
}

/* Booking ids come from signed tokens only, so no outsider can choose them to collide. */
static struct booking **bucket_of(struct bookings *bookings, const char *id)
{
    return &bookings->buckets[bytes_hash(0, bytes_of_text(id)) % bookings->buckets_count];
}

static struct booking *find(struct bookings *bookings, const char *id)
{
    struct booking *booking = *bucket_of(bookings, id);

    while (booking != NULL && strcmp(booking->id, id) != 0) {
        booking = booking->next_in_bucket;
    }
    return booking;
}

static bool is_expired(const struct booking *booking, int64_t now_s)
{
    return booking->exp_s < now_s;
}

static void forget(struct bookings *bookings, struct booking *booking)
{
    struct booking **place = bucket_of(bookings, booking->id);

    while (*place != booking) {
        place = &(*place)->next_in_bucket;
    }
    *place = booking->next_in_bucket;
    list_remove(&booking->node);
    bookings->counts[booking->list]--;
    list_prepend(&bookings->unused, &booking->node);
}

static void set_expiry(struct bookings *bookings, struct booking *booking, int64_t exp_s)
{
    booking->exp_s = exp_s;
    if (exp_s < bookings->earliest_s[booking->list]) {
        bookings->earliest_s[booking->list] = exp_s;
    }
}

/* All workers wait for this mutex: a full list is walked only when an entry can have expired. */
static uint32_t forget_expired(struct bookings *bookings, enum booking_list list, int64_t now_s)
{
    int64_t earliest_s = INT64_MAX;
    uint32_t forgotten = 0;

    if (bookings->earliest_s[list] >= now_s) {
        return 0;
    }
    list_for_each(node, &bookings->lists[list])
    {
        struct booking *booking = container_of(node, struct booking, node);

        if (is_expired(booking, now_s)) {
            forget(bookings, booking);
            forgotten++;
        } else if (booking->exp_s < earliest_s) {
            earliest_s = booking->exp_s;
        }
    }
    bookings->earliest_s[list] = earliest_s;
    return forgotten;
}

static bool has_room(struct bookings *bookings, enum booking_list list, int64_t now_s)
{
    return bookings->counts[list] < bookings->bookings_max ||
           forget_expired(bookings, list, now_s) > 0;
}

/* Memory that was never used takes none of the machine's. */
static struct booking *take_unused(struct bookings *bookings)
{
    if (!list_empty(&bookings->unused)) {
        return container_of(list_take_first(&bookings->unused), struct booking, node);
    }
    CHECK(bookings->entries_made < bookings->buckets_count);
    return &bookings->entries[bookings->entries_made++];
}

static struct booking *add(struct bookings *bookings, const char *id)
{
    struct booking *booking = take_unused(bookings);
    struct booking **bucket = bucket_of(bookings, id);

    memcpy(booking->id, id, strlen(id) + 1);
    booking->next_in_bucket = *bucket;
    *bucket = booking;
    return booking;
}

/* Puts the booking into the list, from wherever it is. */
static int put(struct bookings *bookings, enum booking_list list, const char *id, int64_t exp_s,
               int64_t now_s)
{
    struct booking *booking = find(bookings, id);

    if (booking != NULL && booking->list == list) {
        set_expiry(bookings, booking, exp_s);
        return 0;
    }
    if (!has_room(bookings, list, now_s)) {
        return -ENOSPC;
    }
    booking = find(bookings, id); /* making room may have forgotten it */
    if (booking != NULL) {
        list_remove(&booking->node);
        bookings->counts[booking->list]--;
    } else {
        booking = add(bookings, id);
    }
    booking->list = list;
    set_expiry(bookings, booking, exp_s);
    list_append(&bookings->lists[list], &booking->node);
    bookings->counts[list]++;
    return 0;
}

static bool is_denied(struct bookings *bookings, const char *id, int64_t now_s)
{
    const struct booking *booking = find(bookings, id);

    return booking != NULL && booking->list == BOOKINGS_DENIED && !is_expired(booking, now_s);
}

int bookings_deny(struct bookings *bookings, const char *booking_id, int64_t exp_s, int64_t now_s)
{
    pthread_mutex_lock(&bookings->mutex);
    int failed = put(bookings, BOOKINGS_DENIED, booking_id, exp_s, now_s);

    code_store_discard_booking(bookings->codes, booking_id);
    pthread_mutex_unlock(&bookings->mutex);
    return failed;
}

void bookings_allow(struct bookings *bookings, const char *booking_id, int64_t exp_s, int64_t now_s)
{
    pthread_mutex_lock(&bookings->mutex);
    struct booking *booking = find(bookings, booking_id);

    if (put(bookings, BOOKINGS_ALLOWED, booking_id, exp_s, now_s) != 0 && booking != NULL) {
        /* The list of allowed ones is full; no longer being denied is what counts. */
        forget(bookings, booking);
    }
    pthread_mutex_unlock(&bookings->mutex);
}

bool bookings_is_denied(struct bookings *bookings, const char *booking_id, int64_t now_s)
{
    pthread_mutex_lock(&bookings->mutex);
    bool denied = is_denied(bookings, booking_id, now_s);

    pthread_mutex_unlock(&bookings->mutex);
    return denied;
}

bool bookings_find(struct bookings *bookings, const char *booking_id, enum booking_list *ret_list,
                   int64_t *ret_exp_s)
{
    pthread_mutex_lock(&bookings->mutex);
    const struct booking *booking = find(bookings, booking_id);

    if (booking != NULL) {
        *ret_list = booking->list;
        *ret_exp_s = booking->exp_s;
    }
    pthread_mutex_unlock(&bookings->mutex);
    return booking != NULL;
}

static bool is_listed(struct bookings *bookings, const char *id, int64_t exp_s)
{
    const struct booking *booking = find(bookings, id);

    return booking != NULL && booking->list == BOOKINGS_ALLOWED && booking->exp_s == exp_s;
}

int bookings_grant(struct bookings *bookings, const struct permission *permission, uint64_t now_ms,
                   int64_t now_s, struct grant *ret_grant)
{
    const char *id = permission->booking_id;

    pthread_mutex_lock(&bookings->mutex);
    if (is_denied(bookings, id, now_s)) {
        pthread_mutex_unlock(&bookings->mutex);
        return -EACCES;
    }
    int failed = code_store_put(bookings->codes, permission, now_ms, ret_grant->code);

    if (failed == 0) {
        ret_grant->is_new = !is_listed(bookings, id, permission->exp_s) &&
                            put(bookings, BOOKINGS_ALLOWED, id, permission->exp_s, now_s) == 0;
    }
    pthread_mutex_unlock(&bookings->mutex);
    return failed;
}

int bookings_extend(struct bookings *bookings, const char *booking_id, int64_t exp_s, int64_t now_s,
                    bool *ret_is_new)
{
    pthread_mutex_lock(&bookings->mutex);
    const struct booking *booking = find(bookings, booking_id);
    bool denied = is_denied(bookings, booking_id, now_s);
    bool is_later = booking == NULL || booking->list != BOOKINGS_ALLOWED || booking->exp_s < exp_s;

    *ret_is_new =
        !denied && is_later && put(bookings, BOOKINGS_ALLOWED, booking_id, exp_s, now_s) == 0;
    pthread_mutex_unlock(&bookings->mutex);
    return denied ? -EACCES : 0;
}

void bookings_for_each(struct bookings *bookings, enum booking_list list, int64_t now_s,
                       void (*on_entry)(const char *booking_id, int64_t exp_s, void *context),
                       void *context)
{
    pthread_mutex_lock(&bookings->mutex);
    list_for_each(node, &bookings->lists[list])
    {
        const struct booking *booking = container_of(node, struct booking, node);

        if (!is_expired(booking, now_s)) {
            on_entry(booking->id, booking->exp_s, context);
        }
    }
    pthread_mutex_unlock(&bookings->mutex);
}

uint32_t bookings_tidy(struct bookings *bookings, int64_t now_s)
{
    uint32_t forgotten = 0;

    pthread_mutex_lock(&bookings->mutex);
    for (unsigned list = 0; list < BOOKING_LISTS; list++) {
        forgotten += forget_expired(bookings, (enum booking_list)list, now_s);
    }
    pthread_mutex_unlock(&bookings->mutex);
    return forgotten;
}

uint32_t bookings_count(struct bookings *bookings, enum booking_list list)
{
    pthread_mutex_lock(&bookings->mutex);
    uint32_t count = bookings->counts[list];

    pthread_mutex_unlock(&bookings->mutex);
    return count;
}
