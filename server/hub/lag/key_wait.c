#include "server/hub/lag/key_wait.h"

bool key_wait_is_over(const struct message *message, uint64_t since_ms, uint64_t now_ms)
{
    uint64_t wait_ms = message->starts_at_boundary ? KEY_WAIT_MS_MAX : KEY_WAIT_INSIDE_MS_MAX;

    return since_ms + wait_ms < now_ms;
}
