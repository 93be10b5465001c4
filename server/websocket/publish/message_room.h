/* How much memory a message gets while its bytes arrive: for what has arrived, never for what is
 * only announced; and where it comes from: what its topic keeps for viewers that may join gives way
 * to live messages, and what all topics do when there is no memory. Owner worker only; never
 * blocks. */
#pragma once

#include <stddef.h>

#include "base/attributes.h"
#include "server/conn/receive_place.h"
#include "server/hub/message.h"
#include "server/hub/topic.h"
#include "server/loop/recv_pool.h"

enum message_room_limits {
    MESSAGE_PLACE_MIN =
        2 * RECV_BUFFER_BYTES, /* fewer bytes come as fast through a receive buffer */
    MESSAGE_PLACE_MAX = 65536, /* in one turn, so that other connections have theirs soon */
    MESSAGE_ROOM_MIN = 4096, /* of one that is not here whole; then it grows as its bytes arrive */
};

enum message_room_result {
    MESSAGE_ROOM_OK,
    MESSAGE_ROOM_OVER_SHARE, /* of its topic */
    MESSAGE_ROOM_NO_MEMORY,
};

/* Room for a message when so many bytes of it have arrived and `here` more are about to be moved;
 * it has at most room_max. One that is here whole has its exact room. Others double until a fifth
 * is there, so that no byte is moved more than once again on average. */
size_t message_room_for(size_t arrived, size_t here, size_t room_max);

/* Where the next bytes of a payload of which `left` are missing belong, if there are enough of them
 * to be received there without a buffer. */
MUST_USE bool message_room_place(struct message *message, uint64_t left,
                                 struct receive_place *ret_place);

/* Room for a control message of relay.v1, in which a token may be: wiped when it is given back.
 * Nothing gives way to it. NULL: its topic has used up its share, or there is no memory. */
MUST_USE struct message *message_room_for_control(struct worker *worker, struct topic *topic,
                                                  size_t room);

/* Makes *message, if it is NULL, for that topic, or gives it more room. On failure it is unchanged.
 */
MUST_USE enum message_room_result message_room_take(struct worker *worker, struct topic *topic,
                                                    struct message **message, size_t room);
