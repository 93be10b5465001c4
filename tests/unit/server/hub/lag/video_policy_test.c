/* Goal: whatever a slow viewer loses, each stream that it gets is a sequence of runs that begin at
 * a key picture behind its splice and end where a picture is whole; no picture is begun that waited
 * longer than its bound; a stream that cannot be cut is treated as data.
 * Method: streams of pictures made of units of 8 bytes, cut into messages anywhere; single cases,
 * and random use, in which every byte that was sent is read. */
#include "server/hub/lag/video_policy.h"

#include <stdlib.h>

#include "server/hub/drop_policy.h"
#include "server/hub/lag/key_wait.h"
#include "server/hub/topic.h"
#include "tests/unit/server/hub/send_queue_fixture.h"

enum { UNIT_BYTES = 8, UNITS_MAX = 64, STREAMS = 2, AGE_MS = 1000 };

static const struct send_queue_bounds bounds = {
    .messages_max = 4, .bytes_max = 1 << 20, .age_ms_max = 5 * AGE_MS, .video_age_ms_max = AGE_MS};

static bool leads; /* the next message */

static struct topic_registry registry;
static struct topic *topic;

struct unit {
    char kind; /* of the picture: K, D or B (disposable); or S, the splice, or G, that of a gap */
    uint8_t stream, index, is_last;
    uint32_t picture;
};
_Static_assert(sizeof(struct unit) == UNIT_BYTES, "a unit is what is sent");

/* A publisher: what it sent, and what the viewer got of it. */
static struct {
    struct unit next;
    uint8_t units; /* of the picture that next belongs to */
    bool is_whole; /* before next */
    bool follows_disposable;
    char kinds[1 << 16]; /* of its pictures */
    struct unit got;
    bool has_got;
    unsigned runs, gaps, thinned;
    uint64_t received_ms[1 << 16]; /* of the message in which the picture begins */
} streams[STREAMS];

static void open_streams(void)
{
    open_scene();
    scene.worker.now_ms = 100000;
    topic_registry_init(&registry, 1);
    topic = topic_find_or_create(&registry, "camera");
    for (uint8_t i = 0; i < STREAMS; i++) {
        memset(&streams[i], 0, sizeof streams[i]);
        streams[i].next = (struct unit){.kind = 'K', .stream = i};
        streams[i].units = 1;
        streams[i].is_whole = true;
    }
}

static void close_streams(void)
{
    topic_unref(topic);
    topic_registry_deinit(&registry);
    close_scene();
}

TestSuite(video_policy, .init = open_streams, .fini = close_streams);

/* A message of these units, as a probe would mark it. */
static struct message *message_of_units(const struct unit *units, unsigned count,
                                        bool starts_at_boundary)
{
    struct message *message = message_create(&scene.worker, count * UNIT_BYTES);
    uint32_t stop = 0, start = 0;
    bool starts = false;

    cr_assert_not_null(message);
    message->class = MESSAGE_STREAM;
    for (unsigned i = 0; i < count; i++) {
        stop = units[i].is_last ? (i + 1) * UNIT_BYTES : stop;
        if (units[i].index > 0) {
            continue;
        }
        if (units[i].kind == 'K') {
            start = i * UNIT_BYTES;
            starts = true;
            message->class = MESSAGE_KEY;
        } else if (message->class != MESSAGE_KEY) {
            message->class = MESSAGE_DEPENDENT;
        }
    }
    memcpy(message->payload, units, count * UNIT_BYTES);
    message->payload_len = count * UNIT_BYTES;
    message->stream = units[0].stream + 1u;
    message->is_leading = leads;
    message->starts_at_boundary = starts_at_boundary;
    if (units[0].kind == 'B' && units[0].index == 0 && units[count - 1].is_last &&
        units[count - 1].picture == units[0].picture) {
        message->class = MESSAGE_DISPOSABLE;
    }
    message->received_ms = scene.worker.now_ms;
    message_charge(&scene.worker, message, topic);
    message_frame(message, WS_OPCODE_BINARY);

    bool *follows_disposable = &streams[units[0].stream].follows_disposable;
    const struct unit splice = {.kind = starts ? 'S' : 'G', .stream = units[0].stream};

    starts |= *follows_disposable && starts_at_boundary;
    *follows_disposable = message->class == MESSAGE_DISPOSABLE;
    cr_assert(starts ? message_part_start_at(&scene.worker, message, start,
                                             bytes_of(&splice, sizeof splice), stop)
                     : message_part_stop_at(&scene.worker, message, stop));
    return message;
}

static bool push_of(struct message *message, const struct send_queue_bounds *its)
{
    bool pushed = drop_policy_push(&scene.viewer, &scene.worker, its, &message->home_share);

    message_release(&scene.worker, message);
    return pushed;
}

/* The next units of a stream; a picture that begins is of kind, 0 meaning one of eight is a key
 * picture, and has so many units. */
static bool publish(unsigned number, unsigned count, char kind, unsigned units_of_new,
                    const struct send_queue_bounds *its)
{
    struct unit units[UNITS_MAX];
    bool starts_at_boundary = streams[number].is_whole;

    cr_assert_leq(count, UNITS_MAX);
    for (unsigned i = 0; i < count; i++) {
        struct unit *next = &streams[number].next;

        if (next->index == 0) {
            next->kind = kind != 0 ? kind : "KDBDBBDB"[next->picture % 8];
            streams[number].units = (uint8_t)units_of_new;
            streams[number].kinds[next->picture] = next->kind;
            streams[number].received_ms[next->picture] = scene.worker.now_ms;
        }
        next->is_last = next->index + 1u == streams[number].units;
        units[i] = *next;
        streams[number].is_whole = next->is_last;
        next->index = (uint8_t)(next->is_last ? 0 : next->index + 1);
        next->picture += next->is_last;
    }
    return push_of(message_of_units(units, count, starts_at_boundary), its);
}

/* One whole picture in one message. */
static bool publish_picture(char kind)
{
    return publish(0, 2, kind, 2, &bounds);
}

static void take_unit(const struct unit *unit)
{
    struct unit *got = &streams[unit->stream].got;
    bool *has_got = &streams[unit->stream].has_got;

    cr_assert_lt(unit->stream, STREAMS);
    if (unit->kind == 'G') {
        cr_assert(*has_got && got->is_last, "a gap within picture %u", got->picture);
        streams[unit->stream].gaps++;
        return; /* the next one tells what is missing */
    }
    if (unit->kind == 'S') {
        cr_assert(!*has_got || got->is_last, "a run ended within picture %u", got->picture);
        streams[unit->stream].runs++;
    } else if (*has_got && got->kind == 'S') {
        cr_assert(unit->kind == 'K' && unit->index == 0, "a run begins with %c%u.%u", unit->kind,
                  unit->picture, unit->index);
    } else if (*has_got) {
        while (streams[unit->stream].gaps > 0 && got->picture + 1 < unit->picture) {
            got->picture++;
            cr_assert_eq(streams[unit->stream].kinds[got->picture], 'B', "others need it");
        }
        cr_assert_eq(unit->picture, got->picture + got->is_last, "%u behind %u", unit->picture,
                     got->picture);
        cr_assert_eq(unit->index, got->is_last ? 0 : got->index + 1);
    }
    *got = *unit;
    *has_got = true;
    streams[unit->stream].thinned += streams[unit->stream].gaps;
    streams[unit->stream].gaps = 0;
}

/* Takes all frames that were sent wholly; the rest stays. */
static void take_frames(void)
{
    size_t at = 0;

    while (scene.sent_len - at >= 2) {
        size_t header = scene.sent[at + 1] == 126 ? 4 : 2;

        if (scene.sent_len - at < header) {
            break;
        }
        size_t len =
            header == 4 ? (size_t)scene.sent[at + 2] << 8 | scene.sent[at + 3] : scene.sent[at + 1];

        cr_assert_eq(scene.sent[at] & 0xf0, 0x80, "not the start of a frame");
        if (scene.sent_len - at < header + len) {
            break;
        }
        for (size_t i = 0; (scene.sent[at] & 0x0f) == WS_OPCODE_BINARY && i < len;
             i += UNIT_BYTES) {
            struct unit unit;

            memcpy(&unit, scene.sent + at + header + i, sizeof unit);
            take_unit(&unit);
        }
        at += header + len;
    }
    memmove(scene.sent, scene.sent + at, scene.sent_len - at);
    scene.sent_len -= at;
}

static void send_at_most(size_t len)
{
    drop_policy_drop_old(&scene.viewer, &scene.worker, &bounds);
    take_at_most(len);
    take_frames();
}

static void send_all(void)
{
    while (!send_queue_empty(&scene.viewer.queue)) {
        send_at_most(SIZE_MAX);
    }
}

/* Picture 0, of which the viewer has taken a part. */
static void make_slow(void)
{
    cr_assert(publish_picture('K'));
    send_at_most(1);
}

static uint64_t dropped(void)
{
    cr_assert_eq(counted(&scene.worker, messages_dropped_video),
                 scene.viewer.lag.dropped[LAG_POLICY_VIDEO]);
    return scene.viewer.lag.dropped[LAG_POLICY_VIDEO];
}

static void expect_got(unsigned picture, unsigned runs)
{
    cr_assert_eq(streams[0].got.picture, picture, "picture %u", streams[0].got.picture);
    cr_assert_eq(streams[0].runs, runs);
}

Test(video_policy, viewer_that_is_fast_enough_gets_everything)
{
    make_slow();
    for (unsigned i = 0; i < 200; i++) {
        scene.worker.now_ms += 4;
        cr_assert(publish_picture(i % 10 == 9 ? 'K' : 'D'));
    }
    send_all();
    expect_got(200, 0);
    cr_assert_eq(dropped(), 0);
}

Test(video_policy, skips_from_what_it_has_begun_to_the_newest_key_picture)
{
    make_slow();
    publish_picture('D');
    publish_picture('K');
    publish_picture('D');
    scene.worker.now_ms += AGE_MS;
    publish_picture('K');
    publish_picture('D');
    scene.worker.now_ms++;
    send_all();
    expect_got(5, 1);
    cr_assert_eq(dropped(), 3);
}

Test(video_policy, awaits_a_key_picture_when_none_is_there)
{
    make_slow();
    publish_picture('D');
    publish_picture('D');
    scene.worker.now_ms += AGE_MS + 1;
    send_all();
    expect_got(0, 0);
    cr_assert_not(publish_picture('D'));
    cr_assert_eq(dropped(), 3);
    cr_assert(publish_picture('K'));
    cr_assert(publish_picture('D'));
    send_all();
    expect_got(5, 1);
}

Test(video_policy, does_not_resume_at_a_key_picture_that_is_too_old_itself)
{
    make_slow();
    publish_picture('D');
    publish_picture('K');
    scene.worker.now_ms += AGE_MS + 1;
    publish_picture('D');
    send_all();
    expect_got(0, 0);
    cr_assert_eq(dropped(), 3);
}

Test(video_policy, stops_within_a_message_where_a_picture_is_whole)
{
    make_slow();
    publish(0, 1, 'D', 2, &bounds);
    send_at_most(SIZE_MAX);         /* the rest of picture 0, then half of 1 */
    publish(0, 2, 'D', 2, &bounds); /* the other half, and a half of 2 */
    publish(0, 2, 'D', 2, &bounds);
    scene.worker.now_ms += AGE_MS;
    publish(0, 1, 'K', 2, &bounds);
    publish(0, 2, 'K', 2, &bounds);
    scene.worker.now_ms++;
    send_all();
    cr_assert_eq(streams[0].runs, 1);
    cr_assert_eq(streams[0].got.kind, 'K');
}

Test(video_policy, sends_the_rest_of_a_picture_that_comes_later)
{
    make_slow();
    send_at_most(SIZE_MAX);
    publish(0, 1, 'D', 4, &bounds);
    send_at_most(1);
    publish(0, 1, 'D', 4, &bounds);
    scene.worker.now_ms += AGE_MS + 1;
    send_at_most(1);
    cr_assert(publish(0, 1, 'D', 4, &bounds));
    cr_assert(publish(0, 2, 'D', 4, &bounds), "the last of its units is in it");
    cr_assert_not(publish(0, 3, 'D', 4, &bounds));
    send_all();
    expect_got(1, 0);
    cr_assert_eq(streams[0].got.index, 3);
    cr_assert_eq(dropped(), 1);
}

Test(video_policy, goes_on_without_a_gap_when_a_key_picture_comes_before_the_end)
{
    make_slow();
    send_at_most(SIZE_MAX);
    publish(0, 1, 'D', 3, &bounds);
    send_at_most(1);
    publish(0, 1, 'D', 3, &bounds);
    scene.worker.now_ms += AGE_MS + 1;
    send_at_most(1);
    cr_assert(publish(0, 2, 'K', 2, &bounds), "the end and a beginning");
    cr_assert(publish(0, 1, 'K', 2, &bounds));
    send_all();
    expect_got(2, 0);
    cr_assert_eq(dropped(), 0);
}

Test(video_policy, loses_pictures_that_no_others_need_first)
{
    make_slow();
    publish_picture('B');
    publish_picture('D');
    publish_picture('B');
    publish_picture('B');
    publish_picture('D');
    publish_picture('B');
    scene.worker.now_ms += AGE_MS / 2;
    send_at_most(1);
    cr_assert_eq(dropped(), 0);
    scene.worker.now_ms++;
    send_at_most(1);
    cr_assert_eq(dropped(), 3, "the last one stays until its successor is here");
    send_all();
    expect_got(6, 0);
    cr_assert_eq(streams[0].thinned, 2);
}

/* A picture of two units that is shown before the key picture. */
static bool publish_leading(void)
{
    bool pushed;

    leads = true;
    pushed = publish_picture('B');
    leads = false;
    return pushed;
}

Test(video_policy, leaves_out_pictures_that_may_need_what_was_skipped)
{
    make_slow();
    publish_picture('D');
    scene.worker.now_ms += AGE_MS;
    publish_picture('K');
    publish_leading();
    scene.worker.now_ms++;
    send_all();
    expect_got(2, 1);
    cr_assert_not(publish_leading());
    cr_assert(publish_picture('D'));
    cr_assert(publish_leading());
    send_all();
    expect_got(6, 1);
    cr_assert_eq(streams[0].thinned, 1);
    cr_assert_eq(dropped(), 3);
}

Test(video_policy, leaves_them_out_behind_a_key_picture_that_was_awaited)
{
    make_slow();
    publish_picture('D');
    scene.worker.now_ms += AGE_MS + 1;
    send_all();
    cr_assert(publish_picture('K'));
    cr_assert_not(publish_leading());
    cr_assert(publish_picture('D'));
    send_all();
    expect_got(4, 1);
    cr_assert_eq(streams[0].thinned, 1);
}

Test(video_policy, makes_room_by_skipping_when_there_are_too_many_bytes)
{
    const struct send_queue_bounds few = {.messages_max = 1,
                                          .bytes_max = 10 * (2 * UNIT_BYTES + 2)};

    make_slow();
    for (unsigned i = 1; i <= 10; i++) {
        cr_assert(publish(0, 2, i == 8 ? 'K' : 'D', 2, &few));
    }
    cr_assert_eq(dropped(), 0, "exactly full is not over");
    cr_assert(publish(0, 2, 'D', 2, &few));
    cr_assert_eq(dropped(), 7);
    send_all();
    expect_got(11, 1);
}

Test(video_policy, stream_without_ends_stays_within_its_bounds)
{
    const struct send_queue_bounds few = {.messages_max = 1, .bytes_max = 1000};

    make_slow();
    for (unsigned i = 0; i < 200; i++) {
        publish(0, 2, 'D', 250, &few);
        cr_assert_leq(scene.viewer.queue.bytes, 1000 + 2 * UNIT_BYTES * 3);
    }
    cr_assert_gt(dropped(), 0);
    send_queue_clear(&scene.viewer.queue, &scene.worker);
}

Test(video_policy, stream_without_key_pictures_loses_its_oldest)
{
    publish(0, 2, 'D', 2, &bounds);
    send_at_most(1);
    for (unsigned i = 0; i < 10; i++) {
        cr_assert(publish_picture('D'));
    }
    cr_assert_eq(scene.viewer.queue.count, 1 + 4);
    cr_assert_eq(dropped(), 0);
    cr_assert_eq(scene.viewer.lag.dropped[LAG_POLICY_DATA], 6);
    send_queue_clear(&scene.viewer.queue, &scene.worker);
}

Test(video_policy, stream_that_has_no_key_pictures_any_more_goes_on_after_a_time)
{
    make_slow();
    publish_picture('D');
    scene.worker.now_ms += AGE_MS + 1;
    send_all();
    scene.worker.now_ms += KEY_WAIT_MS_MAX;
    cr_assert_not(publish_picture('D'));
    scene.worker.now_ms++;
    cr_assert(publish_picture('D'));
    send_queue_clear(&scene.viewer.queue, &scene.worker);
}

/* Each message has the end of a picture and the beginning of the next. */
Test(video_policy, stream_that_is_cut_anywhere_goes_on_after_twice_the_time)
{
    make_slow();
    publish(0, 3, 'D', 2, &bounds);
    scene.worker.now_ms += AGE_MS + 1;
    send_all();
    scene.worker.now_ms += KEY_WAIT_INSIDE_MS_MAX;
    cr_assert_not(publish_picture('D'));
    scene.worker.now_ms++;
    cr_assert(publish_picture('D'));
    cr_assert(publish_picture('D'));
    send_queue_clear(&scene.viewer.queue, &scene.worker);
}

/* Their time stamps never go on from that of the key picture. */
Test(video_policy, stream_whose_pictures_are_all_leading_goes_on_after_a_time)
{
    make_slow();
    publish_picture('D');
    scene.worker.now_ms += AGE_MS + 1;
    send_all();
    cr_assert(publish_picture('K'));
    cr_assert_not(publish_leading());
    scene.worker.now_ms += KEY_WAIT_MS_MAX;
    cr_assert_not(publish_leading());
    scene.worker.now_ms++;
    cr_assert(publish_leading());
    cr_assert(publish_leading());
    send_queue_clear(&scene.viewer.queue, &scene.worker);
}

Test(video_policy, viewer_may_ask_for_another_way)
{
    static const struct {
        enum lag_recovery recovery;
        uint64_t dropped_data, dropped_latest;
        unsigned waiting;
    } ways[] = {{LAG_RECOVER_NONE, 6, 0, 4}, {LAG_RECOVER_LATEST, 0, 8, 2}};

    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        scene.viewer.lag = (struct lag){.recovery = ways[i].recovery};
        publish_picture('K');
        send_at_most(1);
        for (unsigned k = 0; k < 10; k++) {
            cr_assert(publish_picture('D'));
        }
        cr_assert_eq(scene.viewer.lag.dropped[LAG_POLICY_DATA], ways[i].dropped_data);
        cr_assert_eq(scene.viewer.lag.dropped[LAG_POLICY_LATEST], ways[i].dropped_latest);
        cr_assert_eq(scene.viewer.queue.count, 1 + ways[i].waiting);
        send_queue_clear(&scene.viewer.queue, &scene.worker);
        scene.sent_len = 0;
    }
}

Test(video_policy, cuts_each_stream_by_itself)
{
    make_slow();
    cr_assert(publish(1, 1, 'K', 1, &bounds));
    publish_picture('D');
    publish(1, 1, 'D', 1, &bounds);
    scene.worker.now_ms += AGE_MS;
    cr_assert(publish(1, 1, 'K', 1, &bounds));
    publish_picture('D');
    scene.worker.now_ms++;
    send_all();
    expect_got(0, 0);
    cr_assert_eq(streams[1].got.picture, 2);
    cr_assert_not(publish_picture('D'));
    cr_assert(publish(1, 1, 'D', 1, &bounds));
    cr_assert(publish_picture('K'));
    send_all();
    expect_got(4, 1);
    cr_assert_eq(streams[1].got.picture, 3);
}

/* Pictures that begin in the first send that begins a message. */
static void check_ages(void)
{
    const struct send_queue *queue = &scene.viewer.queue;

    for (unsigned i = queue->sent_offset > 0 ? 1 : 0; i < queue->count; i++) {
        const struct send_entry *entry = send_queue_entry(queue, i);
        struct iovec slices[MESSAGE_PART_SLICES];
        unsigned count =
            message_part_slices(entry->share->message, (enum message_part)entry->part, 0, slices);
        const struct unit *end =
            (const void *)((uint8_t *)slices[count - 1].iov_base + slices[count - 1].iov_len);

        /* One that stops within may hold a whole picture before it. */
        if (!message_is_stream(entry->share->message) || entry->part == MESSAGE_STOP) {
            continue;
        }
        for (size_t k = 1; k * UNIT_BYTES <= slices[count - 1].iov_len; k++) {
            struct unit unit;

            memcpy(&unit, end - k, sizeof unit);
            if (unit.index == 0 && unit.kind != 'S' && unit.kind != 'G') {
                cr_assert_leq(
                    scene.worker.now_ms, streams[unit.stream].received_ms[unit.picture] + AGE_MS,
                    "%c%u of %u at %u of %u, state %d", unit.kind, unit.picture, unit.stream, i,
                    queue->count, scene.viewer.lag.streams[unit.stream].state);
            }
        }
    }
}

static void random_publish(void)
{
    unsigned number = rand() % 4 == 0;

    if (streams[number].is_whole && rand() % 2 == 0) {
        publish(number, 2, 0, 2, &bounds);
    } else {
        publish(number, 1 + (unsigned)rand() % 5, 0, 1 + (unsigned)rand() % 7, &bounds);
    }
}

static void random_other(void)
{
    struct message *ping = message_create_control(&scene.worker, WS_OPCODE_PING, bytes_of("p", 1));

    push_of(ping, &bounds);
}

Test(video_policy, never_breaks_a_stream_under_random_use)
{
    unsigned runs = 0, thinned = 0;

    for (unsigned round = 0; round < 60; round++) {
        srand(round);
        scene.viewer.lag = (struct lag){0};
        for (unsigned i = 0; i < STREAMS; i++) {
            memset(&streams[i], 0, sizeof streams[i]);
            streams[i].next = (struct unit){.kind = 'K', .stream = (uint8_t)i};
            streams[i].is_whole = true;
        }
        for (unsigned step = 0; step < 4000; step++) {
            unsigned action = (unsigned)rand() % 20;

            scene.worker.now_ms += (unsigned)rand() % (round % 2 == 0 ? 60 : 200);
            if (action < 12) {
                random_publish();
            } else if (action < 13) {
                random_other();
            } else {
                drop_policy_drop_old(&scene.viewer, &scene.worker, &bounds);
                check_ages();
                take_at_most((size_t)rand() % (step / 100 % 3 == 0 ? 10 : 10 + 10 * (round % 5)));
                take_frames();
            }
        }
        send_all();
        cr_assert_gt(streams[0].runs, 2);
        cr_assert_gt(streams[1].runs, 0);
        runs += streams[0].runs + streams[1].runs;
        thinned += streams[0].thinned + streams[1].thinned;
    }
    cr_assert_gt(runs, 1000);
    cr_assert_gt(thinned, 1000);
}
