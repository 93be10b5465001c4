#include "server/access/code_store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "server/limits.h"

struct code_entry {
    struct list node;         /* by age, or in the free list */
    struct list session_node; /* in the bucket of its booking and topic, by age */
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
    uint32_t buckets_count;
    uint64_t ttl_ms;
    struct code_entry **buckets;
    struct list *sessions; /* buckets by booking and topic */
    struct code_entry *entries;
};

struct code_store *code_store_create(uint32_t codes_max, uint64_t ttl_ms)
{
    struct code_store *store = calloc(1, sizeof *store);

    if (store == NULL) {
        return NULL;
    }
    store->ttl_ms = ttl_ms;
    store->buckets_count = codes_max;
    store->entries = calloc(codes_max, sizeof *store->entries);
    store->buckets = calloc(codes_max, sizeof(struct code_entry *));
    store->sessions = calloc(codes_max, sizeof(struct list));
    list_init(&store->by_age);
    list_init(&store->unused);
    pthread_mutex_init(&store->mutex, NULL);
    if (store->entries == NULL || store->buckets == NULL || store->sessions == NULL) {
        code_store_destroy(store);
        return NULL;
    }
    for (uint32_t i = 0; i < codes_max; i++) {
        list_init(&store->sessions[i]);
        list_init(&store->entries[i].session_node);
        list_append(&store->unused, &store->entries[i].node);
    }
    return store;
}

void code_store_destroy(struct code_store *store)
{
    if (store == NULL) {
        return;
    }
    pthread_mutex_destroy(&store->mutex);
    bytes_wipe(store->entries,
               store->entries == NULL ? 0 : store->buckets_count * sizeof *store->entries);
    free(store->entries);
    free(store->buckets);
    free(store->sessions);
    free(store);
}

/* Codes are random, so a few of their bytes are as good as a hash. */
static struct code_entry **bucket_of(struct code_store *store, struct bytes code)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < code.len && i < 18; i++) {
        hash = hash * 31 + code.data[i];
    }
    return &store->buckets[hash % store->buckets_count];
}

static void discard(struct code_store *store, struct code_entry *entry)
{
    struct code_entry **place = bucket_of(store, bytes_of_text(entry->code));

    while (*place != entry) {
        place = &(*place)->next_in_bucket;
    }
    *place = entry->next_in_bucket;
    list_remove(&entry->node);
    list_remove(&entry->session_node);
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

static struct list *session_of(struct code_store *store, const struct permission *permission)
{
    uint64_t hash = text_hash(text_hash(0, permission->topic), permission->booking_id);

    return &store->sessions[hash % store->buckets_count];
}

static bool is_same_session(const struct permission *a, const struct permission *b)
{
    return strcmp(a->topic, b->topic) == 0 && strcmp(a->booking_id, b->booking_id) == 0;
}

/* One holder of a token must not use up the codes of all others: its own oldest makes room. */
static bool evict_of_session(struct code_store *store, const struct permission *permission)
{
    struct code_entry *oldest = NULL;
    unsigned count = 0;

    list_for_each(node, session_of(store, permission))
    {
        struct code_entry *entry = container_of(node, struct code_entry, session_node);

        if (is_same_session(&entry->permission, permission)) {
            oldest = oldest == NULL ? entry : oldest;
            count++;
        }
    }
    if (count < CODES_PER_SESSION_MAX) {
        return false;
    }
    discard(store, oldest);
    return true;
}

int code_store_put(struct code_store *store, const struct permission *permission, uint64_t now_ms,
                   char code[static CODE_SIZE], bool *ret_evicted)
{
    pthread_mutex_lock(&store->mutex);
    discard_expired(store, now_ms);
    *ret_evicted = evict_of_session(store, permission);
    if (list_empty(&store->unused)) {
        pthread_mutex_unlock(&store->mutex);
        return -ENOSPC;
    }
    struct code_entry *entry = container_of(store->unused.next, struct code_entry, node);

    list_remove(&entry->node);
    random_uuid(entry->code);
    entry->permission = *permission;
    entry->expires_ms = now_ms + store->ttl_ms;
    struct code_entry **bucket = bucket_of(store, bytes_of_text(entry->code));

    entry->next_in_bucket = *bucket;
    *bucket = entry;
    list_append(&store->by_age, &entry->node);
    list_append(session_of(store, permission), &entry->session_node);
    store->count++;
    memcpy(code, entry->code, CODE_SIZE);
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
