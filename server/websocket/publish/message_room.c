#include "server/websocket/publish/message_room.h"

#include "server/hub/stream_cache.h"

size_t message_room_for(size_t arrived, size_t here, size_t room_max)
{
    size_t room = arrived + (here > arrived ? here : arrived);

    room = room > MESSAGE_ROOM_MIN ? room : MESSAGE_ROOM_MIN;
    return room < room_max && arrived + here < room_max / 5 ? room : room_max;
}

static bool make_or_grow(struct worker *worker, struct topic *topic, struct message **message,
                         size_t room)
{
    if (*message != NULL) {
        return message_grow(worker, message, room);
    }
    *message = message_create(worker, room);
    if (*message == NULL) {
        return false;
    }
    message_charge(worker, *message, topic);
    return true;
}

static enum message_room_result attempt(struct worker *worker, struct topic *topic,
                                        struct message **message, size_t room)
{
    size_t old_room = *message == NULL ? 0 : (*message)->payload_capacity;

    if (!topic_may_take(topic, worker, room - old_room)) {
        return MESSAGE_ROOM_OVER_SHARE;
    }
    return make_or_grow(worker, topic, message, room) ? MESSAGE_ROOM_OK : MESSAGE_ROOM_NO_MEMORY;
}

enum message_room_result message_room_take(struct worker *worker, struct topic *topic,
                                           struct message **message, size_t room)
{
    enum message_room_result result = attempt(worker, topic, message, room);

    if (result != MESSAGE_ROOM_OK && stream_cache_give_way(worker, topic)) {
        result = attempt(worker, topic, message, room);
    }
    while (result == MESSAGE_ROOM_NO_MEMORY && stream_cache_give_way_any(worker, topic->registry)) {
        result = attempt(worker, topic, message, room);
    }
    return result;
}

bool message_room_place(struct message *message, uint64_t left, struct receive_place *ret_place)
{
    size_t room = message->payload_capacity - message->payload_len;
    size_t len = left < room ? (size_t)left : room;

    if (len < MESSAGE_PLACE_MIN || message->is_secret) {
        return false;
    }
    *ret_place = (struct receive_place){.share = &message->home_share,
                                        .bytes = message->payload + message->payload_len,
                                        .len = len < MESSAGE_PLACE_MAX ? len : MESSAGE_PLACE_MAX};
    return true;
}

struct message *message_room_for_control(struct worker *worker, struct topic *topic, size_t room)
{
    struct message *message = NULL;

    if (attempt(worker, topic, &message, room) != MESSAGE_ROOM_OK) {
        return NULL;
    }
    message->is_secret = true;
    return message;
}
