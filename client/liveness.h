/* Decides whether the connection is alive, by the acknowledgements of the peer's kernel and by
 * pongs, not by the server's messages. Pure: time and counters come from the caller. Client thread
 * only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct liveness_input {
    uint64_t now_ms;
    uint64_t bytes_sent;           /* given to the kernel since the connection began */
    uint64_t bytes_unacknowledged; /* of those, not acknowledged by the peer's kernel */
    uint64_t bytes_received;
    bool send_waits; /* more is waiting for the kernel */
};

enum liveness_verdict { LIVENESS_ALIVE, LIVENESS_NO_PROGRESS, LIVENESS_NO_PONG };

struct liveness {
    uint32_t stall_timeout_ms;
    uint32_t ping_interval_ms; /* 0: no pings */
    uint64_t acknowledged;
    uint64_t received;
    uint64_t progress_ms; /* time of the peer's last acknowledgement, or when nothing was unsent */
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

/* Records the current state, and returns the verdict. */
enum liveness_verdict liveness_update(struct liveness *liveness,
                                      const struct liveness_input *input);

bool liveness_wants_ping(const struct liveness *liveness, uint64_t now_ms);

/* Call when a ping is requested; later when the kernel has it, within bytes_sent (repeating this is
 * harmless). */
void liveness_on_ping_begun(struct liveness *liveness, uint64_t now_ms);
void liveness_on_ping_sent(struct liveness *liveness, uint64_t bytes_sent);
void liveness_on_pong(struct liveness *liveness);

/* Time of the next check if nothing happens; UINT64_MAX: none. */
uint64_t liveness_wake_ms(const struct liveness *liveness);
