/* When to offer the relay a newer token, so that the connection outlives the one that it was opened
 * with (docs/protocol.md, Renewal). It knows the token that the relay has, and offers no other than
 * a new one. Times are microseconds by the relay's clock. Client thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum renewal_times {
    RENEWAL_LEAD_S = 60,        /* how long before the end it is begun, or half of what is left */
    RENEWAL_LOOK_MIN_MS = 1000, /* between two looks for a new token: also the relay's limit */
    RENEWAL_LOOK_MAX_MS = 10000,
};

struct renewal {
    uint64_t expires_us; /* 0: not known, or never */
    uint64_t lead_us;
    uint64_t look_us; /* the next look */
    char *token;      /* that the relay has; NULL: none */
};

/* Wipes the token. A zeroed struct is fine, and one is left. */
void renewal_deinit(struct renewal *renewal);

/* The token of an access request, or of an offer. Without memory, it is forgotten. */
void renewal_note_token(struct renewal *renewal, const char *token);
/* The relay has not looked at the last offer, so that it may be made again. */
void renewal_forget_token(struct renewal *renewal);
bool renewal_is_new(const struct renewal *renewal, const char *token);

/* The relay said when the connection ends. */
void renewal_note_expiry(struct renewal *renewal, uint64_t expires_us, uint64_t now_us);

/* The application has set another token. */
void renewal_hurry(struct renewal *renewal, uint64_t now_us);

/* True: it is time to look for a new token. The next look is then due later. */
bool renewal_is_due(struct renewal *renewal, uint64_t now_us);

/* When that is; UINT64_MAX: never. */
uint64_t renewal_due_us(const struct renewal *renewal);
