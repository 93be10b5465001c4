#include "server/hub/underway.h"

#include "base/check.h"

void underway_init(struct underway *underway)
{
    *underway = (struct underway){0};
    list_init(&underway->waiting);
}

void underway_check_empty(const struct underway *underway)
{
    CHECK(underway->messages == 0 && underway->bytes == 0);
    CHECK(list_empty(&underway->waiting));
}

bool underway_has_room(const struct underway *underway)
{
    return underway->messages < UNDERWAY_MESSAGES_MAX && underway->bytes < UNDERWAY_BYTES_MAX;
}

void underway_await_room(struct underway *underway, struct subscriber *publisher)
{
    CHECK(!underway_has_room(underway)); /* or nothing would arrive that tells it */
    CHECK(list_empty(&publisher->room_node));
    list_append(&underway->waiting, &publisher->room_node);
}

void underway_add(struct underway *underway, uint64_t bytes)
{
    underway->messages++;
    underway->bytes += bytes;
}

/* Not with the first free place: then each parcel that arrives would wake all for one message. */
static bool is_half_free(const struct underway *underway)
{
    return underway->messages <= UNDERWAY_MESSAGES_MAX / 2 &&
           underway->bytes <= UNDERWAY_BYTES_MAX / 2;
}

void underway_remove(struct underway *underway, uint32_t messages, uint64_t bytes)
{
    CHECK(underway->messages >= messages && underway->bytes >= bytes);
    underway->messages -= messages;
    underway->bytes -= bytes;
    while (is_half_free(underway) && !list_empty(&underway->waiting)) {
        struct subscriber *publisher =
            container_of(list_take_first(&underway->waiting), struct subscriber, room_node);

        publisher->on_room(publisher);
    }
}
