#include "client/v1/renewal.h"

#include <stddef.h>
#include <string.h>

#include "client/credential.h"

enum { US_PER_MS = 1000, US_PER_S = 1000000 };

void renewal_deinit(struct renewal *renewal)
{
    credential_release(renewal->token);
    *renewal = (struct renewal){.token = NULL};
}

void renewal_note_token(struct renewal *renewal, const char *token)
{
    char *copy = strdup(token);

    credential_release(renewal->token);
    renewal->token = copy;
}

void renewal_forget_token(struct renewal *renewal)
{
    credential_release(renewal->token);
    renewal->token = NULL;
}

bool renewal_is_new(const struct renewal *renewal, const char *token)
{
    return renewal->token == NULL || strcmp(renewal->token, token) != 0;
}

void renewal_note_expiry(struct renewal *renewal, uint64_t expires_us, uint64_t now_us)
{
    uint64_t left_us = expires_us > now_us ? expires_us - now_us : 0;
    uint64_t lead_max_us = (uint64_t)RENEWAL_LEAD_S * US_PER_S;

    if (renewal->expires_us == expires_us) {
        return; /* the answer to an offer that the relay did not take: the next look is set */
    }
    renewal->expires_us = expires_us;
    renewal->lead_us = left_us / 2 < lead_max_us ? left_us / 2 : lead_max_us;
    renewal->look_us = expires_us - renewal->lead_us;
}

void renewal_hurry(struct renewal *renewal, uint64_t now_us)
{
    renewal->look_us = renewal->expires_us == 0 ? 0 : now_us;
}

/* Several looks fit into the lead, however short it is. */
static uint64_t look_step_us(const struct renewal *renewal)
{
    uint64_t step_us = renewal->lead_us / 6;

    if (step_us < RENEWAL_LOOK_MIN_MS * US_PER_MS) {
        return RENEWAL_LOOK_MIN_MS * US_PER_MS;
    }
    return step_us < RENEWAL_LOOK_MAX_MS * US_PER_MS ? step_us : RENEWAL_LOOK_MAX_MS * US_PER_MS;
}

bool renewal_is_due(struct renewal *renewal, uint64_t now_us)
{
    if (renewal->look_us == 0 || now_us < renewal->look_us) {
        return false;
    }
    renewal->look_us = now_us + look_step_us(renewal);
    return true;
}

uint64_t renewal_due_us(const struct renewal *renewal)
{
    return renewal->look_us == 0 ? UINT64_MAX : renewal->look_us;
}
