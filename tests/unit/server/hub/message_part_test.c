/* Goal: a viewer that starts or stops within a message receives one frame of the right bytes, which
 * are those of the message but for what is added in front; the memory of parts is the topic's, and
 * returns with the message.
 * Method: a worker without threads, a topic; every offset, and every byte at which a send may go
 * on. */
#include <signal.h>

#include "server/hub/message_part.h"
#include "server/hub/topic.h"
#include "tests/unit/server/hub/hub_fixture.h"
#include "wire/ws_frame.h"

enum { MEMORY = 16 * 1024 * 1024 };

static struct {
    struct worker worker;
    struct topic_registry registry;
    struct topic *topic;
} scene;

static void open_scene(void)
{
    lone_worker_init(&scene.worker, MEMORY);
    topic_registry_init(&scene.registry, 1);
    scene.topic = topic_find_or_create(&scene.registry, "lab/camera");
}

static void close_scene(void)
{
    CHECK(scene.topic->parts[0].budget.bytes == 0);
    topic_unref(scene.topic);
    topic_registry_deinit(&scene.registry);
    lone_worker_deinit(&scene.worker);
}

TestSuite(message_part, .init = open_scene, .fini = close_scene);

static struct message *make(size_t len, enum ws_opcode opcode)
{
    struct message *message = message_create(&scene.worker, len);

    for (size_t i = 0; i < len; i++) {
        message->payload[i] = (uint8_t)(i * 7);
    }
    message->payload_len = (uint32_t)len;
    message_charge(&scene.worker, message, scene.topic);
    message_frame(message, opcode);
    return message;
}

/* The frame of a part, put together. */
static size_t collect(const struct message *message, enum message_part part, size_t skip,
                      uint8_t *frame)
{
    struct iovec slices[MESSAGE_PART_SLICES];
    unsigned count = message_part_slices(message, part, skip, slices);
    size_t len = 0;

    cr_assert(count >= 1 && count <= MESSAGE_PART_SLICES);
    for (unsigned i = 0; i < count; i++) {
        cr_assert_gt(slices[i].iov_len, 0);
        memcpy(frame + len, slices[i].iov_base, slices[i].iov_len);
        len += slices[i].iov_len;
    }
    return len;
}

/* The part is a frame of splice and the payload from `from` to `to`, wherever a send goes on. */
static void expect_part(const struct message *message, enum message_part part, const char *splice,
                        size_t from, size_t to)
{
    static uint8_t frame[200 * 1024], rest[200 * 1024];
    size_t len = collect(message, part, 0, frame);
    size_t payload_len = strlen(splice) + to - from;
    uint8_t header[WS_SERVER_HEADER_BYTES_MAX];
    size_t header_len = ws_frame_header_write(WS_OPCODE_BINARY, payload_len, header);

    cr_assert(message_part_exists(message, part));
    cr_assert_eq(len, header_len + payload_len);
    cr_assert_eq(message_part_len(message, part), len);
    cr_assert_eq(message_part_payload_len(message, part), payload_len);
    cr_assert_arr_eq(frame, header, header_len);
    cr_assert_arr_eq(frame + header_len, splice, strlen(splice));
    cr_assert_arr_eq(frame + header_len + strlen(splice), message->payload + from, to - from);
    for (size_t skip = 0; skip < len; skip += 1 + skip / 8) {
        cr_assert_eq(collect(message, part, skip, rest), len - skip);
        cr_assert_arr_eq(rest, frame + skip, len - skip);
    }
}

static const struct {
    size_t len;
    uint32_t start, stop;
    const char *splice;
} cases[] = {
    {1, 0, 1, ""},         {1, 0, 0, "repair"},          {300, 0, 300, "repair"},
    {300, 188, 188, ""},   {300, 299, 1, "tables"},      {126, 1, 125, "x"},
    {70000, 5, 65535, ""}, {70000, 4465, 65536, "long"}, {100000, 18800, 0, "long"},
};

Test(message_part, is_one_frame_of_the_right_bytes)
{
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct message *message = make(cases[i].len, WS_OPCODE_BINARY);

        cr_assert(message_part_start_at(&scene.worker, message, cases[i].start,
                                        bytes_of_text(cases[i].splice), cases[i].stop));
        expect_part(message, MESSAGE_WHOLE, "", 0, cases[i].len);
        expect_part(message, MESSAGE_START, cases[i].splice, cases[i].start, cases[i].len);
        if (cases[i].stop > 0) {
            expect_part(message, MESSAGE_STOP, "", 0, cases[i].stop);
        } else {
            cr_assert_not(message_part_exists(message, MESSAGE_STOP));
        }
        message_release(&scene.worker, message);
    }
}

Test(message_part, may_be_a_stop_alone)
{
    for (uint32_t stop = 0; stop <= 300; stop++) {
        struct message *message = make(300, WS_OPCODE_BINARY);

        cr_assert(message_part_stop_at(&scene.worker, message, stop));
        cr_assert_not(message_part_exists(message, MESSAGE_START));
        cr_assert_eq(message_part_exists(message, MESSAGE_STOP), stop > 0);
        if (stop > 0) {
            expect_part(message, MESSAGE_STOP, "", 0, stop);
        }
        cr_assert_eq(scene.worker.blocks.blocks_used, stop > 0 && stop < 300 ? 2 : 1,
                     "memory only where a frame of its own is needed");
        message_release(&scene.worker, message);
    }
}

Test(message_part, keeps_text_as_text)
{
    struct message *message = make(10, WS_OPCODE_TEXT);
    uint8_t frame[32];

    cr_assert(message_part_start_at(&scene.worker, message, 4, bytes_of(NULL, 0), 6));
    collect(message, MESSAGE_START, 0, frame);
    cr_assert_eq(frame[0], 0x81);
    collect(message, MESSAGE_STOP, 0, frame);
    cr_assert_eq(frame[0], 0x81);
    message_release(&scene.worker, message);
}

Test(message_part, is_charged_to_the_topic_and_comes_home)
{
    struct message *message = make(1000, WS_OPCODE_BINARY);
    size_t bytes = scene.topic->parts[0].budget.bytes;
    uint8_t splice[MESSAGE_SPLICE_BYTES_MAX] = {0};

    cr_assert(message_part_start_at(&scene.worker, message, 0, bytes_of(splice, sizeof splice), 0));
    cr_assert_eq(scene.topic->parts[0].budget.bytes, bytes + message_parts_memory(message));
    cr_assert_geq(message_parts_memory(message), sizeof splice);
    message_release(&scene.worker, message);
    cr_assert_eq(scene.topic->parts[0].budget.bytes, 0);
    cr_assert_eq(scene.worker.blocks.blocks_used, 0);
}

Test(message_part, is_refused_without_memory)
{
    struct message *message = make(1000, WS_OPCODE_BINARY);
    size_t bytes = scene.topic->parts[0].budget.bytes;

    scene.worker.blocks.bytes_max = scene.worker.blocks.bytes_held;
    cr_assert_not(message_part_start_at(&scene.worker, message, 10, bytes_of_text("repair"), 1000));
    cr_assert_not(message_part_stop_at(&scene.worker, message, 10));
    cr_assert_not(message_part_exists(message, MESSAGE_START));
    cr_assert_not(message_part_exists(message, MESSAGE_STOP));
    cr_assert_eq(scene.topic->parts[0].budget.bytes, bytes);
    cr_assert(message_part_stop_at(&scene.worker, message, 1000), "that takes none");
    message_release(&scene.worker, message);
}

Test(message_part, does_not_start_behind_the_end, .signal = SIGABRT)
{
    struct message *message = make(10, WS_OPCODE_BINARY);

    cr_assert(message_part_start_at(&scene.worker, message, 10, bytes_of(NULL, 0), 0));
}
