/* Goal: viewers of a stream see no break by a move, and those that join afterwards begin with what
 * was kept before it. Method: two programs (programs.h); a publisher of a small crafted transport
 * stream, of one picture in each message. */
#include "server/handover/live/live_cache.h"

#include "server/hub/message_part.h"
#include "tests/unit/server/handover/live/programs.h"
#include "tests/unit/wire/media/mpegts_tables.h"

static const uint8_t key_picture[] = {0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 0x88};
static const uint8_t dependent_picture[] = {0, 0, 1, 0x41, 0x9a};

static struct program *const first = &programs[0], *const second = &programs[1];
static struct peer publisher, viewer;
static struct conn *publishing, *viewing;
static uint8_t counter;

static void settle(struct program *program)
{
    for (unsigned i = 0; i < 20; i++) {
        program_turn(program);
    }
}

static void open_programs(void)
{
    programs_open(2, 2);
    counter = 0;
    publishing = program_join(first, 0, "camera", false, true, &publisher);
    viewing = program_join(first, 1, "camera", true, false, &viewer);
}

static void close_programs(void)
{
    programs_close();
    peer_close(&publisher);
    peer_close(&viewer);
}

TestSuite(live_cache, .init = open_programs, .fini = close_programs);

static void publish_bytes(struct program *program, const void *bytes, size_t len)
{
    uint8_t frame[8 * MPEGTS_PACKET_SIZE];

    peer_send(&publisher,
              bytes_of(frame, frame_of(frame, FRAME_FIN | WS_OPCODE_BINARY, bytes, len)));
    settle(program);
}

static void publish_picture(struct program *program, const uint8_t *picture, size_t len,
                            bool is_key)
{
    uint8_t message[3 * MPEGTS_PACKET_SIZE];
    size_t used = 0;

    if (is_key) {
        craft_pat(message);
        craft_pmt(0x1b, PID_VIDEO, message + MPEGTS_PACKET_SIZE);
        used = 2 * MPEGTS_PACKET_SIZE;
    }
    craft_picture(picture, len, is_key, message + used);
    message[used + 3] |= counter++ & 15;
    publish_bytes(program, message, used + MPEGTS_PACKET_SIZE);
}

static void publish_key(struct program *program)
{
    publish_picture(program, key_picture, sizeof key_picture, true);
}

static void publish_dependent(struct program *program)
{
    publish_picture(program, dependent_picture, sizeof dependent_picture, false);
}

static unsigned heard_count(struct peer *peer)
{
    unsigned opcode, count = 0;
    struct bytes payload;

    while (peer_next(peer, &opcode, &payload)) {
        count++;
    }
    return count;
}

/* Messages with which a viewer begins that joins on that worker. */
static unsigned begins_with(struct program *program, unsigned index)
{
    struct peer joining;
    unsigned opcode, count = 0;
    struct bytes payload;

    program_join(program, index, "camera", true, false, &joining);
    settle(program);
    while (peer_next(&joining, &opcode, &payload)) {
        cr_assert_eq(opcode, WS_OPCODE_BINARY);
        cr_assert_eq(payload.data[0], MPEGTS_SYNC_BYTE);
        cr_assert_eq(payload.len % MPEGTS_PACKET_SIZE, 0);
        count++;
    }
    peer_close(&joining);
    return count;
}

Test(live_cache, viewers_begin_with_what_was_kept_before_the_move)
{
    publish_key(first);
    publish_dependent(first);
    publish_dependent(first);
    programs_move(first, second);
    for (unsigned worker = 0; worker < 2; worker++) {
        cr_assert_eq(begins_with(second, worker), 3);
    }
    cr_assert_eq(heard_count(&viewer), 3);
}

Test(live_cache, stream_is_kept_on_from_where_it_was)
{
    publish_key(first);
    publish_dependent(first);
    programs_move(first, second);
    publish_dependent(second);
    publish_dependent(second);
    cr_assert_eq(begins_with(second, 1), 4);
    publish_key(second);
    publish_dependent(second);
    cr_assert_eq(begins_with(second, 0), 2);
    cr_assert_eq(heard_count(&viewer), 6);
}

/* The end of a picture's packet comes in a message of its own. The kept messages' classes, with or
 * without a move in between. */
static void note_classes(bool moves, char *ret_classes)
{
    struct program *program = first;
    uint8_t packets[2 * MPEGTS_PACKET_SIZE];

    publish_key(program);
    craft_picture(dependent_picture, sizeof dependent_picture, false, packets);
    craft_picture(dependent_picture, sizeof dependent_picture, false, packets + MPEGTS_PACKET_SIZE);
    packets[3] |= counter++ & 15;
    packets[MPEGTS_PACKET_SIZE + 3] |= counter++ & 15;
    publish_bytes(program, packets, MPEGTS_PACKET_SIZE + 100);
    if (moves) {
        programs_move(first, second);
        program = second;
    }
    publish_bytes(program, packets + MPEGTS_PACKET_SIZE + 100, MPEGTS_PACKET_SIZE - 100);
    const struct stream_cache *cache =
        phase_websocket_of(program_newest(program, 0))->topic->parts[0].cache;

    cr_assert_not_null(cache);
    for (unsigned i = 0; i < cache->messages.count; i++) {
        const struct message *message = send_queue_at(&cache->messages, i);

        ret_classes[i] = (char)('0' + message->class);
        cr_assert_eq(message->stream, send_queue_at(&cache->messages, 0)->stream);
    }
    ret_classes[cache->messages.count] = '\0';
}

Test(live_cache, messages_have_the_class_that_they_would_have_had)
{
    char expected[8], classes[8];

    note_classes(false, expected);
    cr_assert_eq(strlen(expected), 3);
    note_classes(true, classes);
    cr_assert_str_eq(classes, expected);
}

Test(live_cache, picture_of_its_own_is_kept)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xdb, 0, 3, 1,    0xff, 0xda,
                                   0,    3,    1,    1,    2, 3, 0xff, 0xd9};
    struct peer joining;
    unsigned opcode;
    struct bytes payload;

    publish_bytes(first, jpeg, sizeof jpeg);
    programs_move(first, second);
    program_join(second, 0, "camera", true, false, &joining);
    program_await(second, peer_next(&joining, &opcode, &payload));
    cr_assert(bytes_equal(payload, bytes_of(jpeg, sizeof jpeg)));
    peer_close(&joining);
}

Test(live_cache, cache_without_its_publisher_lasts_as_long_as_before)
{
    publish_key(first);
    conn_close_now(publishing, CLOSE_BY_PEER);
    settle(first);
    programs_move(first, second);
    cr_assert_eq(begins_with(second, 0), 1);
    program_pass_ms(second, STREAM_CACHE_LINGER_MS + 200);
    settle(second);
    cr_assert_eq(begins_with(second, 0), 0);
}

Test(live_cache, viewer_that_awaits_a_key_picture_awaits_it_there)
{
    struct peer waiting;

    publish_key(first);
    program_join_as(first, 1,
                    (struct wish){.topic = "camera",
                                  .booking_id = "b1",
                                  .query = "&join=next-keyframe",
                                  .can_read = true},
                    &waiting);
    publish_dependent(first);
    programs_move(first, second);
    publish_dependent(second);
    cr_assert_eq(heard_count(&waiting), 0);
    publish_key(second);
    publish_dependent(second);
    cr_assert_eq(heard_count(&waiting), 2);
    peer_close(&waiting);
}

/* A slow viewer of the stream knows where it stands. */
Test(live_cache, streams_have_the_same_numbers_and_new_ones_others)
{
    struct peer other;

    publish_key(first);
    uint32_t stream = phase_websocket_of(publishing)->recogniser.stream;
    uint16_t source = phase_websocket_of(publishing)->source;

    cr_assert_neq(stream, 0);
    programs_move(first, second);
    cr_assert_eq(phase_websocket_of(program_newest(second, 0))->recogniser.stream, stream);
    cr_assert_eq(program_newest(second, 1)->subscriber.lag.streams[0].id, stream);
    struct conn *newcomer = program_join(second, 0, "camera", false, true, &other);
    struct peer before = publisher;

    publisher = other;
    publish_key(second);
    cr_assert_neq(phase_websocket_of(newcomer)->recogniser.stream, 0);
    cr_assert_neq(phase_websocket_of(newcomer)->recogniser.stream, stream);
    cr_assert_neq(phase_websocket_of(newcomer)->source, source);
    other = publisher;
    publisher = before;
    peer_close(&other);
}

Test(live_cache, of_two_caches_for_one_worker_the_newer_stays)
{
    struct peer other;

    program_close(second);
    program_open(second, 1);
    publish_key(first);
    publish_dependent(first);
    program_pass_ms(first, 100);
    program_pass_ms(second, 100);
    program_join(first, 1, "camera", false, true, &other);
    struct peer before = publisher;

    publisher = other;
    publish_key(first);
    other = publisher;
    publisher = before;
    programs_move(first, second);
    cr_assert_eq(begins_with(second, 0), 1);
    peer_close(&other);
}

Test(live_cache, cache_is_none_where_nothing_is_cached)
{
    second->topics.cache_bounds = (struct stream_cache_bounds){0};
    publish_key(first);
    programs_move(first, second);
    cr_assert_eq(begins_with(second, 0), 0);
    publish_dependent(second);
    cr_assert_eq(heard_count(&viewer), 2);
}
