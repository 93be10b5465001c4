/* Counters of one worker. Written by the owner worker only; any thread may read (relaxed), so a sum
 * over workers is approximate. One table defines the struct, the names in the log and the JSON. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/json_writer.h"

#define COUNTERS_TABLE(X)                                                                          \
    X(connections_accepted)                                                                        \
    X(connections_closed)                                                                          \
    X(connections_refused_limit) /* the table of connections was full */                           \
    X(accept_pauses)             /* out of descriptors */                                          \
    X(http_requests)                                                                               \
    X(http_refused)        /* malformed or too large */                                            \
    X(http_refused_memory) /* REQUEST_MEMORY_BYTES was exhausted */                                \
    X(handshake_timeouts)                                                                          \
    X(sessions_granted) /* one-time codes issued */                                                \
    X(sessions_refused)                                                                            \
    X(bookings_denied)                                                                             \
    X(denials_refused_full) /* RELAY_BOOKINGS_MAX: connections closed, but the denial is not       \
                             * remembered */                                                       \
    X(bookings_allowed)                                                                            \
    X(store_failures)     /* changes that are in memory only */                                    \
    X(reports_refused)    /* REPORT_ASKS_MAX requests were waiting for one */                      \
    X(reports_cut)        /* longer than REPORT_BYTES_MAX */                                       \
    X(codes_refused_full) /* too many unused codes, in total or of one session */                  \
    X(tls_kernel)         /* handshakes whose records the kernel took over */                      \
    X(tls_user)           /* handshakes whose records stay with OpenSSL */                         \
    X(tls_failed)                                                                                  \
    X(tls_plain_refused) /* plain HTTP on a TLS port */                                            \
    X(tls_broken)        /* a bad record after the handshake */                                    \
    X(tls_alerts)        /* the peer aborted after the handshake */                                \
    X(tls_rekeys)                                                                                  \
    X(tls_rekeys_refused) /* this kernel does not support KeyUpdate */                             \
    X(websockets_opened)                                                                           \
    X(websockets_refused) /* missing, invalid or used code; wrong topic; no scope */               \
    X(refusals_unlogged)  /* REFUSALS_LOGGED_MAX lines were written */                             \
    X(closed_by_peer)                                                                              \
    X(closed_protocol_error)                                                                       \
    X(closed_invalid_text) /* not UTF-8 */                                                         \
    X(closed_too_big)                                                                              \
    X(closed_expired)                                                                              \
    X(closed_denied)                                                                               \
    X(closed_drain)                                                                                \
    X(closed_no_pong)                                                                              \
    X(closed_send_stalled)                                                                         \
    X(closed_assembly_timeout)                                                                     \
    X(closed_io_error)                                                                             \
    X(messages_received)                                                                           \
    X(bytes_received) /* payload */                                                                \
    X(messages_sent)                                                                               \
    X(bytes_sent)                  /* frames as passed to the kernel */                            \
    X(messages_discarded_readonly) /* from a connection without write scope */                     \
    X(messages_dropped_queue)      /* a viewer's queue was full: messages or bytes */              \
    X(messages_dropped_age)        /* too old in a viewer's queue */                               \
    X(messages_dropped_memory)     /* RELAY_MESSAGE_MEMORY was exhausted */                        \
    X(messages_dropped_mailbox)    /* another worker was LETTERS_PENDING_MAX behind */             \
    X(letters_sent)                                                                                \
    X(letters_failed)                                                                              \
    X(pongs_skipped)                                                                               \
    X(sends_submitted)                                                                             \
    X(sends_short)                                                                                 \
    X(recv_starved) /* the receive pool was briefly empty */                                       \
    X(turns)                                                                                       \
    X(pauses)          /* the process was paused: deadlines were extended */                       \
    X(turns_cut_short) /* TURN_MS_MAX: the rest of the completions waited for the next one */      \
    X(stale_completions)

struct counters {
#define COUNTERS_MEMBER(name) _Atomic uint64_t name;
    COUNTERS_TABLE(COUNTERS_MEMBER)
#undef COUNTERS_MEMBER
};

/* Owner only, so no atomic read-modify-write is needed. */
#define counters_add(counters, name, value)                                                        \
    atomic_store_explicit(&(counters)->name,                                                       \
                          atomic_load_explicit(&(counters)->name, memory_order_relaxed) + (value), \
                          memory_order_relaxed)
#define counters_increment(counters, name) counters_add(counters, name, 1)

/* Adds source to the plain sums of target, which no other thread uses. */
void counters_accumulate(struct counters *target, const struct counters *source);

/* All members as one JSON object. */
void counters_write_json(const struct counters *counters, struct json_writer *json);
