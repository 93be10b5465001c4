#include "server/hub/lag/leading.h"

static bool may_start(const struct message *message)
{
    return message->class == MESSAGE_KEY && message_part_exists(message, MESSAGE_START);
}

/* More of the key picture, or of one that is missing. */
static bool goes_on(enum leading *leading, const struct message *message)
{
    if (*leading == LEADING_POSSIBLE && message->class == MESSAGE_KEY) {
        *leading = LEADING_NONE; /* the next one: nothing between them was dropped */
    }
    return *leading != LEADING_DROPPED;
}

bool leading_admits(enum leading *leading, const struct message *message, enum message_part *part)
{
    if (*leading == LEADING_NONE) {
        return true;
    }
    if (*leading == LEADING_DROPPED && may_start(message)) {
        *part = MESSAGE_START;
        *leading = LEADING_POSSIBLE;
        return true;
    }
    if (!message->starts_at_boundary) {
        return goes_on(leading, message);
    }
    if (message->is_leading) {
        *leading = LEADING_DROPPED;
        return false;
    }
    if (*leading == LEADING_DROPPED && message_part_exists(message, MESSAGE_START)) {
        *part = MESSAGE_START;
    }
    *leading = LEADING_NONE;
    return true;
}
