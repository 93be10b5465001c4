#include "server/handover/live/live_topic.h"

#include "server/handover/live/live_format.h"

/* Numbers of this program, or of the one before. */
static uint32_t streams_of(const struct topic *topic, const struct worker *worker)
{
    uint32_t before = atomic_load(&topic->streams_before);
    uint32_t count = topic->parts[worker->index].streams_count;

    return count > before ? count : before;
}

bool live_topic_write(struct handover_writer *writer, const struct worker *worker,
                      struct topic *topic)
{
    handover_writer_begin(writer, LIVE_KIND_TOPIC, 0);
    handover_writer_bytes(writer, LIVE_TOPIC_NAME, bytes_of_text(topic->name));
    handover_writer_number(writer, LIVE_TOPIC_SOURCES, atomic_load(&topic->sources));
    handover_writer_number(writer, LIVE_TOPIC_STREAMS, streams_of(topic, worker));
    return handover_writer_end(writer);
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
        topic_raise_sources(topic, (uint32_t)sources);
        topic_raise_streams(topic, (uint32_t)streams);
    }
    return topic;
}
