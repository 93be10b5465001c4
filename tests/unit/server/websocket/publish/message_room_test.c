/* Goal: room follows what has arrived, and is made few times; what is kept for viewers that join
 * gives way to it. Method: sizes of messages, and of the pieces in which they come; a worker
 * without threads whose memory is used up. */
#include "server/websocket/publish/message_room.h"

#include "base/attributes.h"
#include "server/hub/stream_cache.h"
#include "tests/unit/server/hub/hub_fixture.h"

enum { PIECE = 16384, LARGEST = 10 << 20 };

Test(message_room, message_that_is_here_whole_has_its_exact_room)
{
    static const size_t sizes[] = {0, 1, 4000, 5000, PIECE};

    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        cr_assert_eq(message_room_for(0, sizes[i], sizes[i]), sizes[i]);
    }
}

Test(message_room, announcement_costs_the_least_room)
{
    cr_assert_eq(message_room_for(0, 0, LARGEST), MESSAGE_ROOM_MIN);
    cr_assert_eq(message_room_for(0, 8, LARGEST), MESSAGE_ROOM_MIN);
    cr_assert_eq(message_room_for(8, 8, LARGEST), MESSAGE_ROOM_MIN);
}

/* Bytes that are moved again because the room was used up, for one message in such pieces. */
static size_t moved_again(size_t size, size_t piece)
{
    size_t room = 0, moved = 0;

    for (size_t arrived = 0; arrived < size;) {
        size_t here = piece < size - arrived ? piece : size - arrived;

        if (arrived == room) {
            moved += arrived;
            room = message_room_for(arrived, here, size);
            cr_assert_gt(room, arrived);
            cr_assert_leq(room, size);
            /* Never more than the room for what is here, a doubling, or the rest of what is a fifth
             * there. */
            cr_assert(room <= MESSAGE_ROOM_MIN || room <= 2 * arrived ||
                      room <= 5 * (arrived + here) + 4);
        }
        arrived += here < room - arrived ? here : room - arrived;
    }
    return moved;
}

Test(message_room, byte_is_moved_again_once_at_most_on_average)
{
    for (size_t size = 1; size <= LARGEST; size = size * 3 / 2 + 1) {
        cr_assert_leq(moved_again(size, PIECE), size, "%zu", size);
        cr_assert_leq(moved_again(size, 1400), size, "%zu", size);
    }
}

/* Half a worker's memory is another topic's, and what is left is too little. */
Test(message_room, what_another_topic_keeps_gives_way)
{
    static struct worker worker;
    static struct topic_registry registry;
    static struct subscriber publisher;
    struct message *filler, *message = NULL;

    lone_worker_init(&worker, 1 << 20);
    topic_registry_init(&registry, 1);
    registry.cache_bounds = (struct stream_cache_bounds){.bytes_max = 1 << 20};
    struct topic *camera = topic_find_or_create(&registry, "camera");
    struct topic *data = topic_find_or_create(&registry, "data");
    struct message *jpeg = message_create(&worker, 200000);

    jpeg->class = MESSAGE_JPEG;
    jpeg->payload_len = 200000;
    message_charge(&worker, jpeg, camera);
    stream_cache_follow(&worker, camera, jpeg, &publisher);
    message_release(&worker, jpeg);
    filler = message_create(&worker, 600000);
    cr_assert_not_null(filler);
    cr_assert_lt(block_pool_left(&worker.blocks), 180000);
    cr_assert_eq(message_room_take(&worker, data, &message, 180000), MESSAGE_ROOM_OK);
    cr_assert_eq(counted(&worker, cache_cut), 1);
    message_release(&worker, message);
    message_release(&worker, filler);
    stream_cache_drop_all(&worker, &registry);
    topic_unref(camera);
    topic_unref(data);
    topic_registry_deinit(&registry);
    lone_worker_deinit(&worker);
}

Test(message_room, nothing_gives_way_to_a_control_message_and_it_is_a_secret)
{
    enum { FILLERS_MAX = 256 };
    static struct worker worker;
    static struct topic_registry registry;

    lone_worker_init(&worker, 1 << 20);
    topic_registry_init(&registry, 1);
    struct topic *topic = topic_find_or_create(&registry, "t");
    struct message *control = message_room_for_control(&worker, topic, 8000);
    struct message *fillers[FILLERS_MAX];
    unsigned fillers_count = 0;

    cr_assert_not_null(control);
    cr_assert(control->is_secret);
    cr_assert_geq(control->payload_capacity, 8000);
    while (fillers_count < FILLERS_MAX &&
           (fillers[fillers_count] = message_create(&worker, 8000)) != NULL) {
        fillers_count++;
    }
    cr_assert_lt(fillers_count, FILLERS_MAX);
    cr_assert_null(message_room_for_control(&worker, topic, 8000));
    while (fillers_count > 0) {
        message_release(&worker, fillers[--fillers_count]);
    }
    message_release(&worker, control);
    topic_unref(topic);
    topic_registry_deinit(&registry);
    lone_worker_deinit(&worker);
}

Test(message_room, large_rest_has_its_place_behind_what_has_arrived)
{
    static struct worker worker;
    struct receive_place place;

    lone_worker_init(&worker, 1 << 20);
    struct message *message = message_create(&worker, 200000);

    cr_assert_not_null(message);
    message->payload_len = 1000;
    cr_assert(message_room_place(message, 1 << 20, &place));
    cr_assert_eq(place.share, &message->home_share);
    cr_assert_eq(place.bytes, message->payload + 1000);
    cr_assert_eq(place.len, MESSAGE_PLACE_MAX, "others have their turn");
    cr_assert(message_room_place(message, MESSAGE_PLACE_MIN, &place));
    cr_assert_eq(place.len, MESSAGE_PLACE_MIN, "nothing of the next frame");
    cr_assert_not(message_room_place(message, MESSAGE_PLACE_MIN - 1, &place));
    message->payload_len = message->payload_capacity - MESSAGE_PLACE_MIN + 1;
    cr_assert_not(message_room_place(message, 1 << 20, &place), "there is too little room");
    message->payload_len = 0;
    message->is_secret = true;
    cr_assert_not(message_room_place(message, 1 << 20, &place));
    message_release(&worker, message);
    lone_worker_deinit(&worker);
}
