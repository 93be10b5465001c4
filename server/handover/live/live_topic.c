#include "server/handover/live/live_topic.h"

#include "server/handover/live/live_format.h"

bool live_topic_write(struct handover_writer *writer, const struct worker *worker,
                      struct topic *topic)
{
    handover_writer_begin(writer, LIVE_KIND_TOPIC, 0);
    handover_writer_bytes(writer, LIVE_TOPIC_NAME, bytes_of_text(topic->name));
    handover_writer_number(writer, LIVE_TOPIC_SOURCES, atomic_load(&topic->sources));
    handover_writer_number(writer, LIVE_TOPIC_STREAMS, topic->parts[worker->index].streams_count);
    return handover_writer_end(writer);
}

/* So that a new publisher is not taken for one that is there. Other workers read theirs. */
static void raise_sources(struct topic *topic, uint32_t sources)
{
    uint32_t before = atomic_load(&topic->sources);

    while (before < sources && !atomic_compare_exchange_weak(&topic->sources, &before, sources)) {
    }
}

/* Numbers of streams are those of a worker, which has them again, or are never used again. */
static void raise_streams(struct topic_part *part, uint32_t streams)
{
    part->streams_count = part->streams_count < streams ? streams : part->streams_count;
}

struct topic *live_topic_read(const struct handover_record *record, struct conn_table *table)
{
    struct bytes bytes;
    char name[TOPIC_NAME_SIZE];
    uint64_t sources = 0, streams = 0;

    if (!handover_reader_bytes(record, LIVE_TOPIC_NAME, &bytes) ||
        bytes_find(bytes, '\0') < bytes.len || bytes_to_text(bytes, name, sizeof name) != 0) {
        return NULL;
    }
    struct topic *topic = topic_find_or_create(table->shared->topics, name);

    if (topic != NULL) {
        (void)!handover_reader_number(record, LIVE_TOPIC_SOURCES, &sources);
        (void)!handover_reader_number(record, LIVE_TOPIC_STREAMS, &streams);
        raise_sources(topic, (uint32_t)sources);
        raise_streams(&topic->parts[table->worker->index], (uint32_t)streams);
    }
    return topic;
}
