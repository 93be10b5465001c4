/* Is the connection alive? Judged by what the peer's kernel acknowledges and by pongs, not by what
 * the server happens to say. Pure: time and counters come from the caller. Client thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct liveness_input {
    uint64_t now_ms;
    uint64_t bytes_sent;           /* given to the kernel since the connection began */
    uint64_t bytes_unacknowledged; /* of those, not acknowledged by the peer's kernel */
    uint64_t bytes_received;
    bool send_waits; /* more waits to be given to the kernel */
};

enum liveness_verdict { LIVENESS_ALIVE, LIVENESS_NO_PROGRESS, LIVENESS_NO_PONG };

struct liveness {
    uint32_t stall_timeout_ms;
    uint32_t ping_interval_ms; /* 0: no pings */
    uint64_t acknowledged;
    uint64_t received;
    uint64_t progress_ms; /* the peer last acknowledged something, or nothing waited */
    uint64_t received_ms;
    uint64_t looked_ms; /* of the last update */
    uint64_t next_ping_ms;
    uint64_t ping_end;        /* bytes_sent with the ping included; UINT64_MAX: not sent yet */
    uint64_t ping_reached_ms; /* when the peer's kernel had the ping; 0: not yet */
    bool ping_outstanding;
    bool waits; /* something was unacknowledged or unsent at the last update */
};

void liveness_init(struct liveness *liveness, uint32_t stall_timeout_ms, uint32_t ping_interval_ms,
                   uint64_t now_ms);

/* Takes note of how things stand, and judges. */
enum liveness_verdict liveness_update(struct liveness *liveness,
                                      const struct liveness_input *input);

bool liveness_wants_ping(const struct liveness *liveness, uint64_t now_ms);

/* A ping was asked for; later the kernel had it, within bytes_sent (told again without harm). */
void liveness_on_ping_begun(struct liveness *liveness, uint64_t now_ms);
void liveness_on_ping_sent(struct liveness *liveness, uint64_t bytes_sent);
void liveness_on_pong(struct liveness *liveness);

/* When to look again although nothing happened; UINT64_MAX: not needed. */
uint64_t liveness_wake_ms(const struct liveness *liveness);
