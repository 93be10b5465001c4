#include "server/bookings/code_store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"

struct code_entry {
    struct list node; /* by age, or in the free list */
    struct code_entry *next_in_bucket;
    uint64_t expires_ms;
    char code[CODE_SIZE];
    struct permission permission;
};

struct code_store {
    pthread_mutex_t mutex;
    struct list by_age; /* all have the same time to live: oldest first is first to expire */
    struct list unused;
    uint32_t count;
    uint32_t codes_max;
    uint32_t session_codes_max;
    uint64_t ttl_ms;
    struct code_entry **buckets; /* codes_max */
    /* Unused codes by booking and topic. Two sessions may fall into one bucket and are counted
     * together then: a share is so large that this hurts neither. */
    uint32_t *session_counts;
    struct code_entry *entries; /* codes_max; below entries_made they were used at least once */
    uint32_t entries_made;
};

struct code_store *code_store_create(uint32_t codes_max, uint64_t ttl_ms)
{
    struct code_store *store = calloc(1, sizeof *store);

    if (store == NULL) {
        return NULL;
    }
    store->ttl_ms = ttl_ms;
    store->codes_max = codes_max;
    store->session_codes_max = codes_max < CODES_SHARES ? 1 : codes_max / CODES_SHARES;
    store->entries = calloc(codes_max, sizeof *store->entries);
    store->buckets = calloc(codes_max, sizeof(struct code_entry *));
    store->session_counts = calloc(CODE_SESSION_BUCKETS, sizeof(uint32_t));
    list_init(&store->by_age);
    list_init(&store->unused);
    pthread_mutex_init(&store->mutex, NULL);
    if (store->entries == NULL || store->buckets == NULL || store->session_counts == NULL) {
        code_store_destroy(store);
        return NULL;
    }
    return store;
}

void code_store_destroy(struct code_store *store)
{
    if (store == NULL) {
        return;
    }
    pthread_mutex_destroy(&store->mutex);
    bytes_wipe(store->entries, store->entries_made * sizeof *store->entries);
    free(store->entries);
    free(store->buckets);
    free(store->session_counts);
    free(store);
}

static struct code_entry **bucket_of(struct code_store *store, struct bytes code)
{
    return &store->buckets[bytes_hash(0, code) % store->codes_max];
}

static uint32_t *session_count(struct code_store *store, const struct permission *permission)
{
    uint64_t hash = bytes_hash(bytes_hash(0, bytes_of_text(permission->topic)),
                               bytes_of_text(permission->booking_id));

    return &store->session_counts[hash % CODE_SESSION_BUCKETS];
}

/* Its memory is touched with its first use: a large bound alone costs nothing. */
static struct code_entry *take_unused(struct code_store *store)
{
    if (list_empty(&store->unused)) {
        CHECK(store->entries_made < store->codes_max);
        return &store->entries[store->entries_made++];
    }
    return container_of(list_take_first(&store->unused), struct code_entry, node);
}

static void discard(struct code_store *store, struct code_entry *entry)
{
    struct code_entry **place = bucket_of(store, bytes_of_text(entry->code));

    while (*place != entry) {
        place = &(*place)->next_in_bucket;
    }
    *place = entry->next_in_bucket;
    list_remove(&entry->node);
    (*session_count(store, &entry->permission))--;
    bytes_wipe(entry->code, sizeof entry->code);
    list_append(&store->unused, &entry->node);
    store->count--;
}

static void discard_expired(struct code_store *store, uint64_t now_ms)
{
    while (!list_empty(&store->by_age)) {
        struct code_entry *oldest = container_of(store->by_age.next, struct code_entry, node);

        if (oldest->expires_ms > now_ms) {
            return;
        }
        discard(store, oldest);
    }
}

/* No code that was given out is taken back for a newer one: its holder is on the way. One session
 * must not use up the codes of all others either. */
static bool has_room(struct code_store *store, const struct permission *permission)
{
    return store->count < store->codes_max &&
           *session_count(store, permission) < store->session_codes_max;
}

static void add(struct code_store *store, struct code_entry *entry)
{
    struct code_entry **bucket = bucket_of(store, bytes_of_text(entry->code));

    entry->next_in_bucket = *bucket;
    *bucket = entry;
    list_append(&store->by_age, &entry->node);
    (*session_count(store, &entry->permission))++;
    store->count++;
}

int code_store_put(struct code_store *store, const struct permission *permission, uint64_t now_ms,
                   char code[static CODE_SIZE])
{
    pthread_mutex_lock(&store->mutex);
    discard_expired(store, now_ms);
    if (!has_room(store, permission)) {
        pthread_mutex_unlock(&store->mutex);
        return -ENOSPC;
    }
    struct code_entry *entry = take_unused(store);

    random_uuid(entry->code);
    entry->permission = *permission;
    entry->expires_ms = now_ms + store->ttl_ms;
    add(store, entry);
    memcpy(code, entry->code, CODE_SIZE);
    pthread_mutex_unlock(&store->mutex);
    return 0;
}

void code_store_for_each(struct code_store *store, uint64_t now_ms,
                         void (*on_code)(const char *code, const struct permission *permission,
                                         uint64_t left_ms, void *context),
                         void *context)
{
    pthread_mutex_lock(&store->mutex);
    list_for_each(node, &store->by_age)
    {
        const struct code_entry *entry = container_of(node, struct code_entry, node);

        if (entry->expires_ms > now_ms) {
            on_code(entry->code, &entry->permission, entry->expires_ms - now_ms, context);
        }
    }
    pthread_mutex_unlock(&store->mutex);
}

int code_store_restore(struct code_store *store, const char code[static CODE_SIZE],
                       const struct permission *permission, uint64_t left_ms, uint64_t now_ms)
{
    pthread_mutex_lock(&store->mutex);
    if (store->count >= store->codes_max) {
        pthread_mutex_unlock(&store->mutex);
        return -ENOSPC;
    }
    struct code_entry *entry = take_unused(store);

    memcpy(entry->code, code, CODE_SIZE);
    entry->permission = *permission;
    entry->expires_ms = now_ms + (left_ms < store->ttl_ms ? left_ms : store->ttl_ms);
    add(store, entry);
    pthread_mutex_unlock(&store->mutex);
    return 0;
}

int code_store_take(struct code_store *store, struct bytes code, uint64_t now_ms,
                    struct permission *ret_permission)
{
    int result = -ENOENT;

    pthread_mutex_lock(&store->mutex);
    discard_expired(store, now_ms);
    for (struct code_entry *entry = *bucket_of(store, code); entry != NULL;
         entry = entry->next_in_bucket) {
        /* Workers' clocks differ by a turn, so an expired code may wait behind one that is not. */
        if (entry->expires_ms > now_ms && bytes_equal_secret(bytes_of_text(entry->code), code)) {
            *ret_permission = entry->permission;
            discard(store, entry);
            result = 0;
            break;
        }
    }
    pthread_mutex_unlock(&store->mutex);
    return result;
}

void code_store_discard_booking(struct code_store *store, const char *booking_id)
{
    pthread_mutex_lock(&store->mutex);
    list_for_each(node, &store->by_age)
    {
        struct code_entry *entry = container_of(node, struct code_entry, node);

        if (strcmp(entry->permission.booking_id, booking_id) == 0) {
            discard(store, entry);
        }
    }
    pthread_mutex_unlock(&store->mutex);
}

uint32_t code_store_count(struct code_store *store)
{
    pthread_mutex_lock(&store->mutex);
    uint32_t count = store->count;

    pthread_mutex_unlock(&store->mutex);
    return count;
}

uint64_t code_store_room_after_ms(struct code_store *store, uint64_t now_ms)
{
    uint64_t after_ms = 0;

    pthread_mutex_lock(&store->mutex);
    if (!list_empty(&store->by_age)) {
        uint64_t expires_ms = container_of(store->by_age.next, struct code_entry, node)->expires_ms;

        after_ms = expires_ms > now_ms ? expires_ms - now_ms : 0;
    }
    pthread_mutex_unlock(&store->mutex);
    return after_ms;
}
