/* Goal: a topic goes on with numbers that nothing of it has yet. Method: tables that are only
 * filled in, of two workers. */
#include "server/handover/live/live_topic.h"

#include "server/handover/live/live_format.h"
#include "tests/unit/server/hub/hub_fixture.h"

static struct worker workers[2];
static struct topic_registry registry;
static struct conn_shared shared = {.topics = &registry};
static struct conn_table tables[2];
static uint8_t stream[1024];

static void open_tables(void)
{
    topic_registry_init(&registry, 2);
    for (unsigned i = 0; i < 2; i++) {
        workers[i] = (struct worker){.index = i};
        tables[i] = (struct conn_table){.worker = &workers[i], .shared = &shared};
    }
}

static void close_tables(void)
{
    topic_registry_deinit(&registry);
}

TestSuite(live_topic, .init = open_tables, .fini = close_tables);

static struct topic *read_back(const struct handover_writer *writer, unsigned index)
{
    struct handover_record record;
    size_t len;

    cr_assert_eq(handover_reader_record(bytes_of(stream, writer->len), &record, &len),
                 HANDOVER_READ);
    return live_topic_read(&record, &tables[index]);
}

static struct topic *read_numbers(unsigned index, uint64_t sources, uint64_t streams)
{
    struct handover_writer writer;

    handover_writer_init(&writer, stream, sizeof stream);
    handover_writer_begin(&writer, LIVE_KIND_TOPIC, 0);
    handover_writer_bytes(&writer, LIVE_TOPIC_NAME, bytes_of_text("t0"));
    handover_writer_number(&writer, LIVE_TOPIC_SOURCES, sources);
    handover_writer_number(&writer, LIVE_TOPIC_STREAMS, streams);
    cr_assert(handover_writer_end(&writer));
    return read_back(&writer, index);
}

Test(live_topic, topic_is_written_and_found)
{
    struct topic *topic = topic_find_or_create(&registry, "t0");
    struct handover_writer writer;

    topic_next_source(topic);
    topic->parts[1].streams_count = 5;
    handover_writer_init(&writer, stream, LIVE_TOPIC_BYTES);
    cr_assert(live_topic_write(&writer, &workers[1], topic));
    atomic_store(&topic->sources, 0);
    topic->parts[1].streams_count = 0;
    cr_assert_eq(read_back(&writer, 1), topic);
    cr_assert_eq(topic_next_source(topic), 2);
    cr_assert_eq(topic_next_stream(topic, &workers[1]), 6 * WORKERS_MAX + 1);
    topic_unref(topic);
    topic_unref(topic);
}

Test(live_topic, longest_name_fits)
{
    char name[TOPIC_NAME_SIZE];
    struct handover_writer writer;

    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    struct topic *topic = topic_find_or_create(&registry, name);

    handover_writer_init(&writer, stream, LIVE_TOPIC_BYTES);
    cr_assert(live_topic_write(&writer, &workers[0], topic));
    topic_unref(topic);
}

/* Parts of several workers come one after the other. */
Test(live_topic, numbers_only_grow)
{
    struct topic *topic = read_numbers(0, 7, 3);

    cr_assert_eq(read_numbers(0, 4, 2), topic);
    cr_assert_eq(read_numbers(1, 5, 1), topic);
    cr_assert_eq(atomic_load(&topic->sources), 7);
    cr_assert_eq(topic_next_stream(topic, &workers[0]), 4 * WORKERS_MAX);
    cr_assert_eq(topic_next_stream(topic, &workers[1]), 4 * WORKERS_MAX + 1,
                 "a stream of another worker may be here");
    cr_assert_eq(topic_next_stream(topic, &workers[1]), 5 * WORKERS_MAX + 1);
    for (unsigned i = 0; i < 3; i++) {
        topic_unref(topic);
    }
}

static struct topic *read_name(const void *name, size_t len)
{
    struct handover_writer writer;

    handover_writer_init(&writer, stream, sizeof stream);
    handover_writer_begin(&writer, LIVE_KIND_TOPIC, 0);
    if (name != NULL) {
        handover_writer_bytes(&writer, LIVE_TOPIC_NAME, bytes_of(name, len));
    }
    cr_assert(handover_writer_end(&writer));
    return read_back(&writer, 0);
}

Test(live_topic, name_that_is_none_is_refused)
{
    char name[TOPIC_NAME_SIZE];

    memset(name, 'n', sizeof name);
    cr_assert_null(read_name(NULL, 0));
    cr_assert_null(read_name("a\0b", 3));
    cr_assert_null(read_name(name, sizeof name));
    cr_assert_eq(registry.topics_count, 0);
}
