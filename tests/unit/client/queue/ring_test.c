/* The outgoing ring: bounds, each drop policy, age, what is in flight, and that counts add up. */
#include "client/queue/ring.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000000 };

static struct ring ring_of(enum relay_client_drop drop, uint64_t bytes_max, uint32_t messages_max)
{
    struct ring ring;
    struct ring_limits limits = {
        .bytes_max = bytes_max, .messages_max = messages_max, .drop = drop};

    cr_assert_eq(ring_init(&ring, &limits), 0);
    return ring;
}

static struct ring_message *message_of(const char *text, unsigned flags)
{
    struct relay_client_slice slice = {.data = text, .len = strlen(text)};
    struct ring_message *message =
        ring_message_create(RELAY_CLIENT_TEXT, &slice, 1, slice.len, flags);

    cr_assert_not_null(message);
    return message;
}

static int push_at(struct ring *ring, const char *text, unsigned flags, uint64_t now_ns)
{
    struct ring_message *message = message_of(text, flags);
    int failed = ring_push(ring, message, now_ns);

    if (failed != 0) {
        ring_message_destroy(message);
    }
    return failed;
}

static int push(struct ring *ring, const char *text)
{
    return push_at(ring, text, 0, 0);
}

/* Starts and releases the next message and compares its text. NULL: none is expected. */
static void expect_at(struct ring *ring, const char *text, uint64_t now_ns)
{
    struct ring_message *message = ring_start(ring, now_ns);

    if (text == NULL) {
        cr_assert_null(message);
        return;
    }
    cr_assert_not_null(message, "wanted %s", text);
    cr_assert_eq(message->len, strlen(text));
    cr_assert_eq(memcmp(message->data, text, message->len), 0, "wanted %s, got %.*s", text,
                 (int)message->len, (const char *)message->data);
    ring_message_destroy(ring_release(ring));
}

static void expect(struct ring *ring, const char *text)
{
    expect_at(ring, text, 0);
}

Test(ring, gives_back_messages_whole_and_in_order)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_NONE, 1000, 3);

    for (int round = 0; round < 5; round++) {
        cr_assert_eq(push(&ring, "one"), 0);
        cr_assert_eq(push(&ring, ""), 0);
        cr_assert_eq(push(&ring, "three"), 0);
        expect(&ring, "one");
        expect(&ring, "");
        expect(&ring, "three");
        expect(&ring, NULL);
        cr_assert_eq(ring.bytes, 0);
    }
    ring_deinit(&ring);
}

Test(ring, puts_slices_together)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_NONE, 1000, 3);
    struct relay_client_slice slices[] = {{"ab", 2}, {NULL, 0}, {"cde", 3}};
    struct ring_message *message = ring_message_create(RELAY_CLIENT_BINARY, slices, 3, 5, 0);

    cr_assert_eq(ring_push(&ring, message, 0), 0);
    cr_assert_eq(message->type, RELAY_CLIENT_BINARY);
    expect(&ring, "abcde");
    ring_deinit(&ring);
}

Test(ring, one_message_larger_than_the_bound_passes_when_empty)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_NONE, 4, 8);

    cr_assert(ring_has_room(&ring, 1000));
    cr_assert_eq(push(&ring, "much too large"), 0);
    cr_assert_not(ring_has_room(&ring, 0));
    cr_assert_eq(push(&ring, "x"), -EAGAIN);
    expect(&ring, "much too large");
    cr_assert_eq(push(&ring, "x"), 0);
    ring_deinit(&ring);
}

Test(ring, none_refuses_and_counts_nothing)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_NONE, 1000, 2);

    push(&ring, "a");
    push(&ring, "b");
    cr_assert_eq(push(&ring, "c"), -EAGAIN);
    cr_assert_eq(ring.dropped_messages[RING_OVERFLOW], 0);
    expect(&ring, "a");
    ring_deinit(&ring);
}

Test(ring, newest_refuses_and_counts)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_NEWEST, 5, 8);

    push(&ring, "abc");
    cr_assert_eq(push(&ring, "def"), -EAGAIN);
    cr_assert_eq(ring.dropped_messages[RING_OVERFLOW], 1);
    cr_assert_eq(ring.dropped_bytes, 3);
    cr_assert_eq(push(&ring, "de"), 0);
    expect(&ring, "abc");
    expect(&ring, "de");
    ring_deinit(&ring);
}

Test(ring, oldest_makes_room_by_count_and_by_bytes)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_OLDEST, 6, 3);

    push(&ring, "a");
    push(&ring, "b");
    push(&ring, "c");
    cr_assert_eq(push(&ring, "d"), 0);
    cr_assert_eq(push(&ring, "eeeee"), 0);
    cr_assert_eq(ring.dropped_messages[RING_OVERFLOW], 3);
    expect(&ring, "d");
    expect(&ring, "eeeee");
    ring_deinit(&ring);
}

Test(ring, oldest_never_touches_what_is_in_flight)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_OLDEST, 1000, 3);

    push(&ring, "flying");
    push(&ring, "b");
    push(&ring, "c");
    struct ring_message *flying = ring_start(&ring, 0);

    cr_assert_eq(push(&ring, "d"), 0);
    cr_assert_eq(push(&ring, "e"), 0);
    cr_assert_eq(ring_oldest_in_flight(&ring), flying);
    cr_assert_eq(memcmp(flying->data, "flying", 6), 0);
    ring_message_destroy(ring_release(&ring));
    expect(&ring, "d");
    expect(&ring, "e");
    expect(&ring, NULL);
    ring_deinit(&ring);
}

Test(ring, oldest_refuses_when_all_is_in_flight)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_OLDEST, 1000, 1);

    push(&ring, "a");
    cr_assert_not_null(ring_start(&ring, 0));
    cr_assert_eq(push(&ring, "b"), -EAGAIN);
    cr_assert_eq(ring.dropped_messages[RING_OVERFLOW], 1);
    ring_deinit(&ring);
}

Test(ring, keyframe_drops_all_up_to_the_next_random_access)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_KEYFRAME, 1000, 2);

    cr_assert_eq(push_at(&ring, "K1", RELAY_CLIENT_RANDOM_ACCESS, 0), 0);
    cr_assert_eq(push(&ring, "p1"), 0);
    cr_assert_eq(push(&ring, "p2"), -EAGAIN);
    cr_assert_eq(ring.count, 0);
    cr_assert_eq(push(&ring, "p3"), -EAGAIN);
    cr_assert_eq(push_at(&ring, "K2", RELAY_CLIENT_RANDOM_ACCESS, 0), 0);
    cr_assert_eq(push(&ring, "p4"), 0);
    cr_assert_eq(ring.dropped_messages[RING_OVERFLOW], 4);
    expect(&ring, "K2");
    expect(&ring, "p4");
    ring_deinit(&ring);
}

Test(ring, keyframe_takes_an_overflowing_random_access_at_once)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_KEYFRAME, 1000, 2);

    push_at(&ring, "K1", RELAY_CLIENT_RANDOM_ACCESS, 0);
    push(&ring, "p1");
    cr_assert_eq(push_at(&ring, "K2", RELAY_CLIENT_RANDOM_ACCESS, 0), 0);
    expect(&ring, "K2");
    expect(&ring, NULL);
    ring_deinit(&ring);
}

Test(ring, keyframe_keeps_what_is_in_flight)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_KEYFRAME, 1000, 2);

    push_at(&ring, "K1", RELAY_CLIENT_RANDOM_ACCESS, 0);
    push(&ring, "p1");
    struct ring_message *flying = ring_start(&ring, 0);

    cr_assert_eq(push(&ring, "p2"), -EAGAIN);
    cr_assert_eq(ring_oldest_in_flight(&ring), flying);
    cr_assert_eq(ring.count, 1);
    ring_deinit(&ring);
}

Test(ring, a_new_connection_waits_for_a_random_access_with_keyframe_only)
{
    struct ring keyframe = ring_of(RELAY_CLIENT_DROP_KEYFRAME, 1000, 4);
    struct ring oldest = ring_of(RELAY_CLIENT_DROP_OLDEST, 1000, 4);

    ring_await_random_access(&keyframe, RING_DISCONNECTED);
    ring_await_random_access(&oldest, RING_DISCONNECTED);
    cr_assert_eq(push(&keyframe, "p"), -EAGAIN);
    cr_assert_eq(keyframe.dropped_messages[RING_DISCONNECTED], 1);
    cr_assert_eq(push_at(&keyframe, "K", RELAY_CLIENT_RANDOM_ACCESS, 0), 0);
    cr_assert_eq(push(&oldest, "p"), 0);
    ring_deinit(&keyframe);
    ring_deinit(&oldest);
}

Test(ring, drops_what_is_too_old_before_it_is_sent)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_OLDEST, 1000, 4);

    ring.limits.age_max_ns = 100 * MS;
    push_at(&ring, "old", 0, 0);
    push_at(&ring, "edge", 0, 50 * MS);
    expect_at(&ring, "edge", 150 * MS);
    cr_assert_eq(ring.dropped_messages[RING_AGE], 1);
    ring_deinit(&ring);
}

Test(ring, what_follows_a_dropped_queue_begins_with_a_random_access)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_KEYFRAME, 1000, 4);

    cr_assert_eq(push_at(&ring, "K", RELAY_CLIENT_RANDOM_ACCESS, 0), 0);
    expect(&ring, "K");
    ring_drop_all(&ring, RING_FLUSHED);
    cr_assert_eq(push(&ring, "p"), 0, "nothing was dropped");
    ring_drop_all(&ring, RING_FLUSHED);
    cr_assert_eq(push(&ring, "q"), -EAGAIN);
    cr_assert_eq(ring.dropped_messages[RING_FLUSHED], 2);
    cr_assert_eq(push_at(&ring, "L", RELAY_CLIENT_RANDOM_ACCESS, 0), 0);
    expect(&ring, "L");
    ring_deinit(&ring);
}

Test(ring, age_cuts_a_keyframe_stream_up_to_its_next_random_access)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_KEYFRAME, 1000, 8);

    ring.limits.age_max_ns = 100 * MS;
    push_at(&ring, "K1", RELAY_CLIENT_RANDOM_ACCESS, 0);
    push_at(&ring, "p1", 0, 90 * MS);
    push_at(&ring, "K2", RELAY_CLIENT_RANDOM_ACCESS, 95 * MS);
    push_at(&ring, "p2", 0, 96 * MS);
    expect_at(&ring, "K2", 120 * MS);
    expect_at(&ring, "p2", 120 * MS);
    cr_assert_eq(ring.dropped_messages[RING_AGE], 2);

    push_at(&ring, "p3", 0, 130 * MS);
    expect_at(&ring, NULL, 300 * MS);
    cr_assert_eq(push_at(&ring, "p4", 0, 300 * MS), -EAGAIN);
    cr_assert_eq(push_at(&ring, "K3", RELAY_CLIENT_RANDOM_ACCESS, 301 * MS), 0);
    ring_deinit(&ring);
}

Test(ring, what_is_in_flight_does_not_age)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_OLDEST, 1000, 4);

    ring.limits.age_max_ns = 100 * MS;
    push_at(&ring, "flying", 0, 0);
    cr_assert_not_null(ring_start(&ring, 0));
    cr_assert_null(ring_start(&ring, 1000 * MS));
    cr_assert_not_null(ring_oldest_in_flight(&ring));
    ring_deinit(&ring);
}

Test(ring, a_lost_connection_sends_again_as_a_whole)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_NONE, 1000, 4);

    push(&ring, "a");
    push(&ring, "b");
    push(&ring, "c");
    ring_start(&ring, 0);
    ring_start(&ring, 0);
    ring_rewind(&ring);
    expect(&ring, "a");
    expect(&ring, "b");
    expect(&ring, "c");
    ring_deinit(&ring);
}

Test(ring, drop_all_counts_under_its_cause)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_OLDEST, 1000, 4);

    push(&ring, "flying");
    push(&ring, "bb");
    push(&ring, "ccc");
    ring_start(&ring, 0);
    ring_drop_all(&ring, RING_DISCONNECTED);
    cr_assert_eq(ring.count, 1);
    cr_assert_eq(ring.bytes, 6);
    cr_assert_eq(ring.dropped_messages[RING_DISCONNECTED], 2);
    cr_assert_eq(ring.dropped_bytes, 5);
    ring_deinit(&ring);
}

Test(ring, tells_the_age_of_the_oldest)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_OLDEST, 1000, 4);

    cr_assert_eq(ring_age_ns(&ring, 5 * MS), 0);
    push_at(&ring, "a", 0, 10 * MS);
    cr_assert_eq(ring_age_ns(&ring, 15 * MS), 5 * MS);
    cr_assert_eq(ring_age_ns(&ring, 5 * MS), 0);
    ring_deinit(&ring);
}

/* Method: a long random walk over all calls; what went in comes out once or is counted once. */
Test(ring, accounts_for_every_message)
{
    for (int drop = RELAY_CLIENT_DROP_NONE; drop <= RELAY_CLIENT_DROP_KEYFRAME; drop++) {
        struct ring ring = ring_of((enum relay_client_drop)drop, 40, 5);
        unsigned state = 12345, offered = 0, sent = 0, refused_uncounted = 0;

        ring.limits.age_max_ns = 20;
        for (unsigned step = 0; step < 20000; step++) {
            state = state * 1103515245u + 12345u;
            unsigned choice = state >> 16 & 15;

            if (choice < 9) {
                bool random_access = choice == 0;

                offered++;
                int failed = push_at(&ring, &"0123456789abcdef"[state >> 20 & 15],
                                     random_access ? RELAY_CLIENT_RANDOM_ACCESS : 0, step);

                refused_uncounted += failed != 0 && drop == RELAY_CLIENT_DROP_NONE;
            } else if (choice < 12) {
                ring_start(&ring, step);
            } else if (choice < 15 && ring_oldest_in_flight(&ring) != NULL) {
                ring_message_destroy(ring_release(&ring));
                sent++;
            } else {
                ring_rewind(&ring);
            }
            cr_assert_leq(ring.count, 5);
        }
        ring_rewind(&ring);
        ring_drop_all(&ring, RING_FLUSHED);
        uint64_t dropped = 0;

        for (int cause = 0; cause < RING_CAUSE_COUNT; cause++) {
            dropped += ring.dropped_messages[cause];
        }
        cr_assert_eq(offered, sent + dropped + refused_uncounted, "policy %d", drop);
        cr_assert_eq(ring.bytes, 0);
        ring_deinit(&ring);
    }
}

Test(ring, next_is_what_starts_and_stays_until_then)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_OLDEST, 1000, 3);

    cr_expect_null(ring_next(&ring, 0));
    push(&ring, "flying");
    cr_assert_not_null(ring_start(&ring, 0));
    cr_expect_null(ring_next(&ring, 0));
    push(&ring, "a");
    const struct ring_message *next = ring_next(&ring, 0);

    cr_assert_not_null(next);
    cr_expect_eq(ring_next(&ring, 0), next);
    cr_expect_eq(ring.in_flight, 1);
    cr_expect_eq(ring_start(&ring, 0), next);
    ring_deinit(&ring);
}

Test(ring, a_message_gives_up_its_preamble_however_it_leaves)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_OLDEST, 1000, 2);
    struct relay_client_slice header = {"h", 1};
    struct preamble *preamble;

    cr_assert_eq(preamble_create(&header, 1, 1, &preamble), 0);
    for (unsigned i = 0; i < 3; i++) { /* the first is dropped for the third */
        struct ring_message *message = message_of("m", 0);

        cr_assert_eq(ring_push(&ring, message, 0), 0);
        message->preamble = preamble_ref(preamble);
    }
    cr_expect_eq(preamble->references, 3);
    expect(&ring, "m");
    cr_expect_eq(preamble->references, 2);
    ring_deinit(&ring);
    cr_expect_eq(preamble->references, 1);
    preamble_unref(preamble);
}

Test(ring, gives_up_what_is_on_demand_and_keeps_the_order_of_the_rest)
{
    struct ring ring = ring_of(RELAY_CLIENT_DROP_OLDEST, 1000, 4);
    struct ring_message *message;

    (void)push(&ring, "gone"); /* so that the slots wrap around */
    expect(&ring, "gone");
    cr_assert_eq(push_at(&ring, "flying", RELAY_CLIENT_ON_DEMAND, 0), 0);
    cr_assert_not_null(ring_start(&ring, 0));
    cr_assert_eq(push(&ring, "a"), 0);
    cr_assert_eq(push_at(&ring, "demand", RELAY_CLIENT_ON_DEMAND, 0), 0);
    cr_assert_eq(push(&ring, "b"), 0);
    message = ring_take_on_demand(&ring);
    cr_assert_not_null(message);
    cr_expect_eq(message->len, 6);
    cr_expect(memcmp(message->data, "demand", 6) == 0);
    ring_message_destroy(message);
    cr_expect_null(ring_take_on_demand(&ring), "one in flight stays");
    cr_expect_eq(ring.bytes, 8);
    ring_message_destroy(ring_release(&ring));
    expect(&ring, "a");
    expect(&ring, "b");
    ring_deinit(&ring);
}
