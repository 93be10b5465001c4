/* Why a connection ends. One row for each reason: its text in the log, the counter of
 * stats/counters.h (NOT_COUNTED: it is counted where it was found), and the WebSocket close code
 * that the peer hears (0: none, or its own). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "server/stats/counters.h"
#include "wire/ws_frame.h"

#define COUNTED(counter) offsetof(struct counters, counter)
#define NOT_COUNTED      SIZE_MAX

#define CLOSE_REASONS(X)                                                                           \
    X(CLOSE_BY_PEER, "closed by peer", COUNTED(closed_by_peer), 0)                                 \
    X(CLOSE_HTTP_DONE, "request answered", NOT_COUNTED, 0)                                         \
    X(CLOSE_HTTP_REFUSED, "request refused", NOT_COUNTED, 0)                                       \
    X(CLOSE_HANDSHAKE_TIMEOUT, "no request in time", COUNTED(handshake_timeouts), 0)               \
    X(CLOSE_EVICTED, "made room for another", NOT_COUNTED, 0)                                      \
    X(CLOSE_PROTOCOL_ERROR, "protocol error", COUNTED(closed_protocol_error),                      \
      WS_CLOSE_PROTOCOL_ERROR)                                                                     \
    X(CLOSE_INVALID_TEXT, "text that is not UTF-8", COUNTED(closed_invalid_text),                  \
      WS_CLOSE_INVALID_TEXT)                                                                       \
    X(CLOSE_TOO_BIG, "message too big", COUNTED(closed_too_big), WS_CLOSE_TOO_BIG)                 \
    X(CLOSE_TOO_FAST, "published too fast", COUNTED(closed_too_fast), WS_CLOSE_POLICY)             \
    X(CLOSE_TOO_SLOW, "viewer too slow", COUNTED(closed_too_slow), WS_CLOSE_POLICY)                \
    X(CLOSE_EXPIRED, "token expired", COUNTED(closed_expired), WS_CLOSE_EXPIRED)                   \
    X(CLOSE_DENIED, "token denied", COUNTED(closed_denied), WS_CLOSE_DENIED)                       \
    X(CLOSE_DRAIN, "server is stopping", COUNTED(closed_drain), WS_CLOSE_GOING_AWAY)               \
    X(CLOSE_NO_PONG, "no pong", COUNTED(closed_no_pong), 0)                                        \
    X(CLOSE_SEND_STALLED, "send stalled", COUNTED(closed_send_stalled), 0)                         \
    X(CLOSE_ASSEMBLY_TIMEOUT, "message not completed in time", COUNTED(closed_assembly_timeout),   \
      WS_CLOSE_POLICY)                                                                             \
    X(CLOSE_IO_ERROR, "connection broken", COUNTED(closed_io_error), 0)                            \
    X(CLOSE_TLS_FAILED, "TLS failed", NOT_COUNTED, 0) /* the handshake, or a record after it */    \
    X(CLOSE_REKEY, "TLS key change not supported by this kernel", COUNTED(tls_rekeys_refused),     \
      WS_CLOSE_GOING_AWAY)

enum close_reason {
#define CLOSE_REASON_MEMBER(reason, text, counter, code) reason,
    CLOSE_REASONS(CLOSE_REASON_MEMBER)
#undef CLOSE_REASON_MEMBER
        CLOSE_REASON_COUNT,
};

const char *close_reason_text(enum close_reason reason);
/* 0: no Close of ours goes with it. */
uint16_t close_reason_code(enum close_reason reason);
void close_reason_count(enum close_reason reason, struct counters *counters);
