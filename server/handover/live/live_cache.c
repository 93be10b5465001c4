#include "server/handover/live/live_cache.h"

#include "server/handover/live/live_format.h"
#include "server/handover/live/live_scalars.h"

enum { CACHE_BYTES = 512 }; /* of its record, without its messages */

static const struct live_scalar of_cache[] = {
    LIVE_SCALAR_PAST(struct stream_cache, started_ms, LIVE_CACHE_STARTED_MS),
    LIVE_SCALAR_PAST(struct stream_cache, newest_ms, LIVE_CACHE_NEWEST_MS),
    LIVE_SCALAR_COUNT(struct stream_cache, key_count, LIVE_CACHE_KEY_COUNT),
    LIVE_SCALAR_BOOL(struct stream_cache, key_stops, LIVE_CACHE_KEY_STOPS),
    LIVE_SCALAR_BOOL(struct stream_cache, is_stream, LIVE_CACHE_IS_STREAM),
    LIVE_SCALAR_BOOL(struct stream_cache, is_cut, LIVE_CACHE_IS_CUT),
};

size_t live_cache_size(const struct stream_cache *cache)
{
    return CACHE_BYTES + live_queue_size(&cache->messages);
}

bool live_cache_write(struct handover_writer *writer, const struct live_census *census,
                      const struct stream_cache *cache, int64_t publisher)
{
    const struct worker *worker = cache->worker;

    handover_writer_begin(writer, LIVE_KIND_CACHE, 0);
    handover_writer_number(writer, LIVE_CACHE_TOPIC, live_census_topic(census, cache->topic));
    if (publisher >= 0) {
        handover_writer_number(writer, LIVE_CACHE_PUBLISHER, (uint64_t)publisher);
    }
    live_scalars_write(writer, of_cache, ARRAY_LENGTH(of_cache), cache, worker);
    handover_writer_number(writer, LIVE_CACHE_IS_HOME,
                           atomic_load(&cache->topic->cache_home) == worker->index + 1);
    bool is_written = live_queue_write(writer, LIVE_CACHE_MESSAGES, census, &cache->messages);

    return handover_writer_end(writer) && is_written;
}

static bool read_publisher(const struct handover_record *record, struct conn *const *publishers,
                           size_t publishers_count, const struct subscriber **ret_publisher)
{
    uint64_t number;

    *ret_publisher = NULL;
    if (!handover_reader_number(record, LIVE_CACHE_PUBLISHER, &number)) {
        return true;
    }
    if (number >= publishers_count) {
        return false;
    }
    *ret_publisher = &publishers[number]->subscriber;
    return true;
}

static bool read_members(const struct handover_record *record, struct worker *worker,
                         struct stream_cache *ret_read)
{
    *ret_read = (struct stream_cache){0};
    return live_scalars_read(record, of_cache, ARRAY_LENGTH(of_cache), ret_read, worker);
}

static void take_members(struct stream_cache *cache, const struct stream_cache *read)
{
    cache->publisher = read->publisher;
    cache->started_ms = read->started_ms;
    cache->key_count = read->key_count;
    cache->key_stops = read->key_stops;
    cache->is_stream = read->is_stream;
    cache->is_cut = read->is_cut;
}

bool live_cache_read(const struct handover_record *record, struct conn_table *table,
                     const struct live_topics *topics, const struct live_messages *messages,
                     struct conn *const *publishers, size_t publishers_count)
{
    struct worker *worker = table->worker;
    struct stream_cache read;
    struct bytes field;
    uint64_t topic, is_home = 0;

    if (!read_members(record, worker, &read) ||
        !read_publisher(record, publishers, publishers_count, &read.publisher) ||
        !handover_reader_number(record, LIVE_CACHE_TOPIC, &topic) || topic >= topics->count ||
        !handover_reader_bytes(record, LIVE_CACHE_MESSAGES, &field)) {
        return false;
    }
    struct stream_cache *cache = stream_cache_make(worker, topics->all[topic], read.newest_ms);

    if (cache == NULL) {
        return true;
    }
    (void)!handover_reader_number(record, LIVE_CACHE_IS_HOME, &is_home);
    take_members(cache, &read);
    bool is_read = live_queue_read(field, worker, topics->all[topic], messages, &cache->messages);

    stream_cache_made(cache, is_home == 1);
    return is_read;
}
