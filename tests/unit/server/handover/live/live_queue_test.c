/* Goal: a queue has the same entries in another program, in the same order, and a field that does
 * not fit the messages is none. Method: a worker that only has memory writes and reads. */
#include "server/handover/live/live_queue.h"

#include "server/handover/handover_reader.h"
#include "tests/unit/server/hub/hub_fixture.h"

enum { KIND = 64, ID = 1 };

static struct worker worker;
static struct topic_registry registry;
static struct topic *topic;
static struct message *all[3];
static struct live_messages messages = {.all = all, .count = 3};
static struct send_queue queue, copy;
static uint8_t stream[1 << 16];

static void open_worker(void)
{
    lone_worker_init(&worker, 1 << 20);
    topic_registry_init(&registry, 1);
    topic = topic_find_or_create(&registry, "t0");
    send_queue_init(&queue);
    send_queue_init(&copy);
    for (unsigned i = 0; i < 3; i++) {
        all[i] = message_of_text(&worker, WS_OPCODE_TEXT, "text");
        all[i]->may_stop = i == 2;
    }
}

static void close_worker(void)
{
    send_queue_clear(&queue, &worker);
    send_queue_clear(&copy, &worker);
    for (unsigned i = 0; i < 3; i++) {
        message_release(&worker, all[i]);
    }
    CHECK(worker.blocks.blocks_used == 0);
    topic_unref(topic);
    topic_registry_deinit(&registry);
    lone_worker_deinit(&worker);
}

TestSuite(live_queue, .init = open_worker, .fini = close_worker);

static void add(unsigned number, struct send_entry entry)
{
    entry.share = &all[number]->home_share;
    cr_assert(send_queue_insert(&queue, &worker, queue.count, entry));
}

static struct bytes write_queue(void)
{
    struct live_census census;
    struct handover_writer writer;
    struct handover_record record;
    struct bytes field;
    size_t len;

    live_census_init(&census, &worker);
    for (unsigned i = 0; i < 3; i++) { /* in this order */
        struct send_queue one;

        send_queue_init(&one);
        cr_assert(send_queue_insert(&one, &worker, 0, send_entry_of(&all[i]->home_share)));
        live_census_add_queue(&census, &one);
        send_queue_clear(&one, &worker);
    }
    handover_writer_init(&writer, stream, sizeof stream);
    handover_writer_begin(&writer, KIND, 0);
    cr_assert(live_queue_write(&writer, ID, &census, &queue));
    cr_assert(handover_writer_end(&writer));
    live_census_deinit(&census);
    cr_assert_eq(handover_reader_record(bytes_of(stream, writer.len), &record, &len),
                 HANDOVER_READ);
    cr_assert(handover_reader_bytes(&record, ID, &field));
    cr_assert_eq(field.len, live_queue_size(&queue));
    return field;
}

Test(live_queue, entries_come_back_in_their_order)
{
    add(2, (struct send_entry){.part = MESSAGE_STOP, .late_ms = 70000});
    add(0, (struct send_entry){.is_catch_up = true});
    add(1, (struct send_entry){0});
    add(0, (struct send_entry){0});
    cr_assert(live_queue_read(write_queue(), &worker, topic, &messages, &copy));
    cr_assert_eq(copy.count, 4);
    cr_assert_eq(copy.bytes, queue.bytes);
    cr_assert_eq(copy.catch_up_count, 1);
    cr_assert_eq(copy.topic, topic, "it is charged with what the viewer begins with");
    for (unsigned i = 0; i < 4; i++) {
        const struct send_entry *entry = send_queue_entry(&queue, i);
        const struct send_entry *read = send_queue_entry(&copy, i);

        cr_assert_eq(read->share, entry->share);
        cr_assert_eq(read->part, entry->part);
        cr_assert_eq(read->late_ms, entry->late_ms);
        cr_assert_eq(read->is_catch_up, entry->is_catch_up);
    }
}

Test(live_queue, empty_one_stays_empty)
{
    cr_assert(live_queue_read(write_queue(), &worker, topic, &messages, &copy));
    cr_assert(send_queue_empty(&copy));
    cr_assert_null(copy.topic);
}

static void expect_none(const uint8_t *entry, size_t len)
{
    cr_assert_not(live_queue_read(bytes_of(entry, len), &worker, topic, &messages, &copy));
    send_queue_clear(&copy, &worker);
}

Test(live_queue, field_that_does_not_fit_the_messages_is_none)
{
    uint8_t entry[LIVE_QUEUE_ENTRY_BYTES] = {0};

    expect_none(entry, sizeof entry - 1);
    entry[0] = 3;
    expect_none(entry, sizeof entry);
    entry[0] = 0;
    entry[8] = MESSAGE_STOP; /* a part that the message does not have */
    expect_none(entry, sizeof entry);
    entry[8] = MESSAGE_STOP + 1;
    expect_none(entry, sizeof entry);
    entry[8] = MESSAGE_WHOLE;
    entry[9] = 2;
    expect_none(entry, sizeof entry);
}

Test(live_queue, more_than_any_viewer_has_is_none)
{
    static uint8_t entries[(LIVE_QUEUE_ENTRIES_MAX + 1) * LIVE_QUEUE_ENTRY_BYTES];

    expect_none(entries, sizeof entries);
    cr_assert(live_queue_read(bytes_of(entries, sizeof entries - LIVE_QUEUE_ENTRY_BYTES), &worker,
                              topic, &messages, &copy));
}
