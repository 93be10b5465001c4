/* Goal: a message is the same for the viewers of another program, with the parts that they may have
 * of it, and a record that no relay wrote is none. Method: a worker that only has memory writes and
 * reads. */
#include "server/handover/live/live_message.h"

#include "server/handover/live/live_format.h"
#include "server/hub/message_part.h"
#include "tests/unit/server/hub/hub_fixture.h"

static struct worker worker;
static struct topic_registry registry;
static struct topic *topic;
static struct live_census census;
static struct live_topics topics;
static uint8_t stream[1 << 16];

static void open_worker(void)
{
    lone_worker_init(&worker, 1 << 20);
    topic_registry_init(&registry, 1);
    topic = topic_find_or_create(&registry, "t0");
    live_census_init(&census, &worker);
    live_census_add_topic(&census, topic);
    topics = (struct live_topics){.all = &topic, .count = 1};
}

static void close_worker(void)
{
    live_census_deinit(&census);
    topic_unref(topic);
    topic_registry_deinit(&registry);
    lone_worker_deinit(&worker);
}

TestSuite(live_message, .init = open_worker, .fini = close_worker);

static struct message *read_back(struct handover_writer *writer, const char **ret_error)
{
    struct handover_record record;
    size_t len;

    cr_assert_eq(handover_reader_record(bytes_of(stream, writer->len), &record, &len),
                 HANDOVER_READ);
    return live_message_read(&record, &worker, &topics, ret_error);
}

static struct message *copy_of(const struct message *message)
{
    struct handover_writer writer;
    const char *error;

    handover_writer_init(&writer, stream, live_message_size(message));
    cr_assert(live_message_write(&writer, &census, message));
    struct message *copy = read_back(&writer, &error);

    cr_assert_not_null(copy, "%s", error);
    return copy;
}

static void expect_same_part(const struct message *message, const struct message *copy,
                             enum message_part part)
{
    struct iovec slices[MESSAGE_PART_SLICES], of_copy[MESSAGE_PART_SLICES];

    cr_assert_eq(message_part_exists(message, part), message_part_exists(copy, part));
    if (!message_part_exists(message, part)) {
        return;
    }
    unsigned count = message_part_slices(message, part, 0, slices);

    cr_assert_eq(message_part_slices(copy, part, 0, of_copy), count);
    for (unsigned i = 0; i < count; i++) {
        cr_assert(bytes_equal(bytes_of(slices[i].iov_base, slices[i].iov_len),
                              bytes_of(of_copy[i].iov_base, of_copy[i].iov_len)));
    }
}

static void expect_same(struct message *message)
{
    struct message *copy = copy_of(message);

    cr_assert_eq(copy->class, message->class);
    cr_assert_eq(copy->topic, message->topic);
    cr_assert_eq(copy->is_secret, message->is_secret);
    cr_assert_eq(copy->is_leading, message->is_leading);
    cr_assert_eq(copy->starts_at_boundary, message->starts_at_boundary);
    cr_assert_eq(copy->stream, message->stream);
    cr_assert_eq(copy->sequence, message->sequence);
    cr_assert_eq(copy->source, message->source);
    cr_assert_eq(copy->received_us, message->received_us);
    cr_assert_eq(copy->sent_us, message->sent_us);
    for (enum message_part part = MESSAGE_WHOLE; part <= MESSAGE_STOP; part++) {
        expect_same_part(message, copy, part);
    }
    message_release(&worker, copy);
    message_release(&worker, message);
}

static struct message *data_of(const char *text)
{
    struct message *message = message_of_text(&worker, WS_OPCODE_BINARY, text);

    message_charge(&worker, message, topic);
    message->stream = 65;
    message->sequence = 8;
    message->source = 9;
    message->received_us = 10;
    message->sent_us = 11;
    return message;
}

Test(live_message, data_comes_back_with_its_stamps)
{
    expect_same(data_of("some data"));
    expect_same(data_of(""));
    expect_same(message_of_text(&worker, WS_OPCODE_TEXT, "text"));
}

Test(live_message, parts_come_back)
{
    struct message *message = data_of("0123456789");

    message->class = MESSAGE_KEY;
    message->is_leading = true;
    message->starts_at_boundary = true;
    cr_assert(message_part_start_at(&worker, message, 3, bytes_of_text("splice"), 7));
    expect_same(message);
    message = data_of("0123456789");
    cr_assert(message_part_stop_at(&worker, message, 10));
    expect_same(message);
    message = data_of("0123456789");
    cr_assert(message_part_stop_at(&worker, message, 4));
    expect_same(message);
}

Test(live_message, frames_of_the_protocol_come_back)
{
    expect_same(message_create_control(&worker, WS_OPCODE_PING, bytes_of_text("p")));
    expect_same(message_create_control(&worker, WS_OPCODE_CLOSE, bytes_of_text("\x03\xe8")));
    expect_same(message_create_notice(&worker, MESSAGE_NOTICE, bytes_of_text("n")));
}

Test(live_message, answer_without_a_frame_comes_back)
{
    struct message *message = message_create_unframed(&worker, 4);

    memcpy(message->payload, "HTTP", 4);
    message->payload_len = 4;
    message->is_secret = true;
    expect_same(message);
}

struct fields {
    uint64_t class, opcode, topic, stop, start;
};

static void expect_none(struct fields fields)
{
    struct handover_writer writer;
    const char *error = "";

    handover_writer_init(&writer, stream, sizeof stream);
    handover_writer_begin(&writer, LIVE_KIND_MESSAGE, 0);
    handover_writer_number(&writer, LIVE_MESSAGE_CLASS, fields.class);
    handover_writer_number(&writer, LIVE_MESSAGE_OPCODE, fields.opcode);
    handover_writer_number(&writer, LIVE_MESSAGE_TOPIC, fields.topic);
    handover_writer_number(&writer, LIVE_MESSAGE_STOP, fields.stop);
    handover_writer_number(&writer, LIVE_MESSAGE_START, fields.start);
    handover_writer_bytes(&writer, LIVE_MESSAGE_PAYLOAD, bytes_of_text("0123456789"));
    cr_assert(handover_writer_end(&writer));
    cr_assert_null(read_back(&writer, &error));
    cr_assert_str_eq(error, "a message is none");
    cr_assert_eq(worker.blocks.blocks_used, 0);
}

Test(live_message, record_that_no_relay_wrote_is_none)
{
    expect_none((struct fields){.class = MESSAGE_CLASS_COUNT, .opcode = WS_OPCODE_TEXT});
    expect_none((struct fields){.class = MESSAGE_DATA, .opcode = WS_OPCODE_CLOSE});
    expect_none((struct fields){.class = MESSAGE_PING, .opcode = WS_OPCODE_TEXT});
    expect_none((struct fields){.class = MESSAGE_UNFRAMED, .opcode = WS_OPCODE_TEXT});
    expect_none((struct fields){.class = MESSAGE_DATA, .opcode = WS_OPCODE_TEXT, .topic = 1});
    expect_none((struct fields){.class = MESSAGE_DATA, .opcode = WS_OPCODE_TEXT, .stop = 11});
    expect_none((struct fields){.class = MESSAGE_DATA, .opcode = WS_OPCODE_TEXT, .start = 10});
}

Test(live_message, no_memory_is_told)
{
    struct message *message = data_of("some data");
    struct handover_writer writer;
    const char *error = "";

    handover_writer_init(&writer, stream, sizeof stream);
    cr_assert(live_message_write(&writer, &census, message));
    worker.blocks.bytes_max = worker.blocks.bytes_held;
    cr_assert_null(read_back(&writer, &error));
    cr_assert_str_eq(error, "no memory for messages (RELAY_MESSAGE_MEMORY)");
    message_release(&worker, message);
}

Test(live_message, what_does_not_fit_is_told)
{
    struct message *message = data_of("some data");
    struct handover_writer writer;

    handover_writer_init(&writer, stream, 20);
    cr_assert_not(live_message_write(&writer, &census, message));
    message_release(&worker, message);
}
