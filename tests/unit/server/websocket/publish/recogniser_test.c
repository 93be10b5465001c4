/* Goal: each message of a publisher has its class, and viewers may begin and stop where its stream
 * allows; a publisher of data has no memory of its own, and without memory messages are sent whole.
 * Method: a worker without threads; crafted packets of a small stream. */
#include "server/hub/message_part.h"
#include "server/websocket/publish/recogniser.h"
#include "tests/unit/server/hub/hub_fixture.h"
#include "tests/unit/wire/media/mpegts_tables.h"
#include "wire/media/stream_probe.h"

enum { MEMORY = 16 * 1024 * 1024 };

static const uint8_t key_picture[] = {0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 0x88};
static const uint8_t dependent_picture[] = {0, 0, 1, 0x41, 0x9a};
static const uint8_t disposable_picture[] = {0, 0, 1, 0x01, 0x9a};

static struct {
    struct worker worker;
    struct topic_registry registry;
    struct topic *topic;
    struct recogniser recogniser;
    uint8_t stream[8 * MPEGTS_PACKET_SIZE];
    size_t stream_len;
    uint8_t counter; /* of the pictures' packets */
} scene;

static void open_scene(void)
{
    lone_worker_init(&scene.worker, MEMORY);
    topic_registry_init(&scene.registry, 1);
    scene.topic = topic_find_or_create(&scene.registry, "camera");
}

static void close_scene(void)
{
    recogniser_deinit(&scene.recogniser, &scene.worker, scene.topic);
    CHECK(scene.topic->parts[0].budget.bytes == 0);
    topic_unref(scene.topic);
    topic_registry_deinit(&scene.registry);
    lone_worker_deinit(&scene.worker);
}

TestSuite(recogniser, .init = open_scene, .fini = close_scene);

static uint8_t *next_packet(void)
{
    uint8_t *raw = scene.stream + scene.stream_len;

    cr_assert_lt(scene.stream_len, sizeof scene.stream);
    scene.stream_len += MPEGTS_PACKET_SIZE;
    return raw;
}

static void add_tables(void)
{
    craft_pat(next_packet());
    craft_pmt(0x1b, PID_VIDEO, next_packet());
}

/* In one packet, with a length, so that its end is known. */
static void add_picture(const uint8_t *bytes, size_t len, bool is_key)
{
    uint8_t *raw = next_packet();

    craft_picture(bytes, len, is_key, raw);
    raw[3] |= scene.counter++ & 15;
}

static struct message *take(const void *payload, size_t len)
{
    struct message *message = message_create(&scene.worker, len);

    cr_assert_not_null(message);
    memcpy(message->payload, payload, len);
    message->payload_len = (uint32_t)len;
    message_charge(&scene.worker, message, scene.topic);
    message_frame(message, WS_OPCODE_BINARY);
    recogniser_take(&scene.recogniser, &scene.worker, message);
    return message;
}

static struct message *take_stream(void)
{
    struct message *message = take(scene.stream, scene.stream_len);

    scene.stream_len = 0;
    return message;
}

static void expect_class(struct message *message, enum message_class class)
{
    cr_assert_eq(message->class, class);
    message_release(&scene.worker, message);
}

Test(recogniser, leaves_data_as_it_is_without_memory_of_its_own)
{
    for (unsigned i = 0; i < 200; i++) {
        struct message *message = take("some line of text", 17);

        cr_assert_null(message->parts);
        expect_class(message, MESSAGE_DATA);
        cr_assert_null(scene.recogniser.probe);
    }
    expect_class(take("", 0), MESSAGE_DATA);
    cr_assert_eq(scene.worker.blocks.blocks_used, 0);
}

Test(recogniser, knows_jpeg_without_memory_of_its_own)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xdb, 0, 3, 1,    0xff, 0xda,
                                   0,    3,    1,    5,    6, 7, 0xff, 0xd9};

    expect_class(take(jpeg, sizeof jpeg), MESSAGE_JPEG);
    cr_assert_null(scene.recogniser.probe);
}

Test(recogniser, lets_viewers_begin_at_a_key_picture_behind_its_tables)
{
    struct iovec slices[MESSAGE_PART_SLICES];

    add_tables();
    add_picture(key_picture, sizeof key_picture, true);
    struct message *message = take_stream();

    cr_assert_not_null(scene.recogniser.probe);
    cr_assert_eq(message->class, MESSAGE_KEY);
    cr_assert_neq(message->stream, 0);
    cr_assert(message->starts_at_boundary);
    cr_assert(message_part_exists(message, MESSAGE_START));
    cr_assert_eq(message_part_slices(message, MESSAGE_START, 0, slices), 2);
    cr_assert_eq(slices[1].iov_len, MPEGTS_PACKET_SIZE, "the picture");
    const uint8_t *front = slices[0].iov_base;

    cr_assert_eq((slices[0].iov_len - 4) % MPEGTS_PACKET_SIZE, 0, "whole packets");
    cr_assert_gt(slices[0].iov_len, 4 + 2 * MPEGTS_PACKET_SIZE);
    cr_assert_eq(front[4], MPEGTS_SYNC_BYTE);
    expect_class(message, MESSAGE_KEY);
    add_picture(dependent_picture, sizeof dependent_picture, false);
    message = take_stream();
    cr_assert_not(message_part_exists(message, MESSAGE_START));
    cr_assert_eq(message->starts_at_boundary, true);
    expect_class(message, MESSAGE_DEPENDENT);
}

Test(recogniser, is_charged_to_the_topic)
{
    add_tables();
    add_picture(key_picture, sizeof key_picture, true);
    message_release(&scene.worker, take_stream());
    cr_assert_eq(scene.topic->parts[0].budget.bytes, sizeof(struct stream_probe));
    recogniser_deinit(&scene.recogniser, &scene.worker, scene.topic);
    cr_assert_eq(scene.topic->parts[0].budget.bytes, 0);
}

Test(recogniser, takes_a_stream_for_data_without_memory)
{
    add_tables();
    add_picture(key_picture, sizeof key_picture, true);
    struct message *message = message_create(&scene.worker, scene.stream_len);

    memcpy(message->payload, scene.stream, scene.stream_len);
    message->payload_len = (uint32_t)scene.stream_len;
    message_charge(&scene.worker, message, scene.topic);
    message_frame(message, WS_OPCODE_BINARY);
    scene.worker.blocks.bytes_max = scene.worker.blocks.bytes_held;
    recogniser_take(&scene.recogniser, &scene.worker, message);
    cr_assert_null(scene.recogniser.probe);
    cr_assert_eq(counted(&scene.worker, parts_skipped), 1);
    expect_class(message, MESSAGE_DATA);
}

Test(recogniser, sends_a_message_whole_without_memory_for_its_parts)
{
    add_tables();
    add_picture(key_picture, sizeof key_picture, true);
    message_release(&scene.worker, take_stream());
    struct message *message = message_create(&scene.worker, MPEGTS_PACKET_SIZE);

    add_picture(key_picture, sizeof key_picture, true);
    memcpy(message->payload, scene.stream, scene.stream_len);
    message->payload_len = (uint32_t)scene.stream_len;
    message_charge(&scene.worker, message, scene.topic);
    message_frame(message, WS_OPCODE_BINARY);
    block_pool_trim(&scene.worker.blocks, 0);
    scene.worker.blocks.bytes_max = scene.worker.blocks.bytes_held;
    recogniser_take(&scene.recogniser, &scene.worker, message);
    cr_assert_not(message_part_exists(message, MESSAGE_START));
    cr_assert_eq(counted(&scene.worker, parts_skipped), 1);
    expect_class(message, MESSAGE_KEY);
}

Test(recogniser, obeys_the_policy_of_the_topic)
{
    scene.topic->policy = TOPIC_POLICY_LATEST;
    expect_class(take("some line of text", 17), MESSAGE_LATEST);
    scene.topic->policy = TOPIC_POLICY_DATA;
    add_tables();
    add_picture(key_picture, sizeof key_picture, true);
    expect_class(take_stream(), MESSAGE_DATA);
    cr_assert_null(scene.recogniser.probe);
}

Test(recogniser, leaves_text_as_it_is)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_TEXT, "\xff\xd8\xff");

    message_charge(&scene.worker, message, scene.topic);
    recogniser_take(&scene.recogniser, &scene.worker, message);
    cr_assert_eq(scene.recogniser.messages, 0);
    expect_class(message, MESSAGE_DATA);
}

Test(recogniser, lets_viewers_go_on_behind_a_picture_that_they_do_not_need)
{
    struct iovec slices[MESSAGE_PART_SLICES];

    add_tables();
    add_picture(key_picture, sizeof key_picture, true);
    expect_class(take_stream(), MESSAGE_KEY);
    add_picture(disposable_picture, sizeof disposable_picture, false);
    struct message *message = take_stream();

    cr_assert_not(message_part_exists(message, MESSAGE_START));
    expect_class(message, MESSAGE_DISPOSABLE);
    add_picture(dependent_picture, sizeof dependent_picture, false);
    message = take_stream();
    cr_assert(message_part_exists(message, MESSAGE_START));
    cr_assert_eq(message_part_slices(message, MESSAGE_START, 0, slices), 2);
    cr_assert_eq(slices[1].iov_len, MPEGTS_PACKET_SIZE, "all of it");
    expect_class(message, MESSAGE_DEPENDENT);
    add_picture(dependent_picture, sizeof dependent_picture, false);
    message = take_stream();
    cr_assert_not(message_part_exists(message, MESSAGE_START));
    expect_class(message, MESSAGE_DEPENDENT);
}

/* In two packets, with a PTS. */
static void add_stamped(const uint8_t *bytes, size_t len, uint8_t pts)
{
    uint8_t *pes = scene.stream + scene.stream_len + 6;
    uint16_t pes_len = 2 * PACKET_PAYLOAD_MAX - 2 - 6;

    add_picture(bytes, len, false);
    memcpy(pes + 4, (const uint8_t[]){(uint8_t)(pes_len >> 8), (uint8_t)pes_len}, 2);
    memcpy(pes + 7, (const uint8_t[]){0x80, 5, 0x21, 0, 1, 0, (uint8_t)(pts << 1 | 1)}, 7);
    memcpy(pes + 14, bytes, len);
    uint8_t *raw = next_packet();

    craft_packet(&(struct craft){.pid = PID_VIDEO, .filler = 0xaa}, raw);
    raw[3] |= scene.counter++ & 15;
}

Test(recogniser, announces_the_gap_behind_a_leading_picture_in_several_messages)
{
    add_tables();
    add_stamped(key_picture, sizeof key_picture, 5);
    expect_class(take_stream(), MESSAGE_KEY);
    add_stamped(dependent_picture, sizeof dependent_picture, 3);
    struct message *message = take(scene.stream, MPEGTS_PACKET_SIZE);

    cr_assert(message->is_leading);
    expect_class(message, MESSAGE_DEPENDENT);
    message = take(scene.stream + MPEGTS_PACKET_SIZE, MPEGTS_PACKET_SIZE);
    scene.stream_len = 0;
    cr_assert_not(message->starts_at_boundary);
    expect_class(message, MESSAGE_STREAM);
    for (unsigned i = 0; i < 2; i++) {
        add_stamped(dependent_picture, sizeof dependent_picture, 8);
        message = take_stream();
        cr_assert_eq(message_part_exists(message, MESSAGE_START), i == 0);
        expect_class(message, MESSAGE_DEPENDENT);
    }
}
