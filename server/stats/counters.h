/* Counters of one worker. Written by the owner worker only; any thread may read (relaxed), so a sum
 * over workers is approximate. One table defines the struct, the names in the log and the JSON, and
 * the metrics: a row is the member, the family of its metric without the prefix relay_ and the
 * suffix _total, its labels, and the help of the family. Rows of a family stand together. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_writer.h"

#define COUNTERS_TABLE(X)                                                                          \
    X(connections_accepted, "connections_accepted", "", "Connections accepted")                    \
    X(connections_closed, "connections_closed", "", "Connections closed")                          \
    X(connections_taken_over, "connections_taken_over", "",                                        \
      "Connections taken over from the program before this one")                                   \
    X(handovers_refused, "handovers_refused", "",                                                  \
      "Hand-overs to another program that could not take over")                                    \
    X(connections_refused_limit, "connections_refused", "",                                        \
      "Connections closed at once because the table of connections was full")                      \
    X(connections_evicted, "connections_evicted", "",                                              \
      "Connections that were not WebSockets yet and made room for others")                         \
    X(accept_pauses, "accept_pauses", "", "Pauses of accepting for want of descriptors")           \
    X(http_requests, "http_requests", "", "HTTP requests read")                                    \
    X(http_refused, "http_refused", "reason=\"malformed\"",                                        \
      "HTTP requests refused before they were routed")                                             \
    X(http_refused_memory, "http_refused", "reason=\"memory\"",                                    \
      "HTTP requests refused before they were routed")                                             \
    X(handshake_timeouts, "handshake_timeouts", "", "Connections without a whole request in time") \
    X(sessions_granted, "codes_issued", "", "One-time codes issued")                               \
    X(sessions_refused, "sessions_refused", "",                                                    \
      "Requests of the access API whose token was refused")                                        \
    X(bookings_denied, "bookings_denied", "", "Denials of bookings")                               \
    X(denials_refused_full, "denials_not_remembered", "",                                          \
      "Denials that closed connections but did not fit RELAY_BOOKINGS_MAX")                        \
    X(bookings_allowed, "bookings_allowed", "", "Denied bookings that were allowed again")         \
    X(store_failures, "store_failures", "", "Booking changes that are in memory only")             \
    X(snapshots_refused, "snapshots_refused", "",                                                  \
      "Requests of /snapshot refused because a worker was busy copying pictures")                  \
    X(reports_refused, "reports_refused", "",                                                      \
      "Requests of /status refused because too many were pending")                                 \
    X(reports_cut, "reports_cut", "", "Reports that were longer than their bound")                 \
    X(places_refused, "places_refused", "", "Sessions and WebSockets refused for want of a place") \
    X(codes_refused_full, "codes_refused", "",                                                     \
      "Sessions refused because too many codes were unused")                                       \
    X(tls_kernel, "tls_handshakes", "result=\"kernel\"",                                           \
      "TLS handshakes by the maker of the records, or failed")                                     \
    X(tls_user, "tls_handshakes", "result=\"user\"",                                               \
      "TLS handshakes by the maker of the records, or failed")                                     \
    X(tls_failed, "tls_handshakes", "result=\"failed\"",                                           \
      "TLS handshakes by the maker of the records, or failed")                                     \
    X(tls_plain_refused, "tls_plain_refused", "", "Plain HTTP requests on a TLS port")             \
    X(tls_broken, "tls_broken", "", "Connections with a bad TLS record after the handshake")       \
    X(tls_alerts, "tls_alerts", "",                                                                \
      "Connections that the peer aborted by a TLS alert after the handshake")                      \
    X(tls_rekeys, "tls_rekeys", "", "TLS key updates")                                             \
    X(tls_rekeys_refused, "tls_rekeys_refused", "",                                                \
      "TLS key updates that this kernel does not support")                                         \
    X(websockets_opened, "websockets_opened", "", "WebSockets opened")                             \
    X(websockets_refused, "websockets_refused", "",                                                \
      "WebSockets refused for a bad code, topic or scope")                                         \
    X(websockets_moved, "websockets_placed", "result=\"moved\"",                                   \
      "WebSockets that were admitted, by what RELAY_PLACEMENT=topic did with them")                \
    X(websockets_stayed, "websockets_placed", "result=\"stayed\"",                                 \
      "WebSockets that were admitted, by what RELAY_PLACEMENT=topic did with them")                \
    X(websockets_move_refused, "websockets_placed", "result=\"refused\"",                          \
      "WebSockets that were admitted, by what RELAY_PLACEMENT=topic did with them")                \
    X(refusals_unlogged, "refusals_unlogged", "", "Refusals beyond the limit of log lines")        \
    X(closed_by_peer, "closes", "reason=\"client\"", "Connections closed, by reason")              \
    X(closed_protocol_error, "closes", "reason=\"protocol\"", "Connections closed, by reason")     \
    X(closed_invalid_text, "closes", "reason=\"invalid_text\"", "Connections closed, by reason")   \
    X(closed_too_big, "closes", "reason=\"too_big\"", "Connections closed, by reason")             \
    X(closed_too_fast, "closes", "reason=\"too_fast\"", "Connections closed, by reason")           \
    X(closed_too_slow, "closes", "reason=\"too_slow\"", "Connections closed, by reason")           \
    X(closed_expired, "closes", "reason=\"expired\"", "Connections closed, by reason")             \
    X(closed_denied, "closes", "reason=\"denied\"", "Connections closed, by reason")               \
    X(closed_drain, "closes", "reason=\"drain\"", "Connections closed, by reason")                 \
    X(closed_no_pong, "closes", "reason=\"ping_timeout\"", "Connections closed, by reason")        \
    X(closed_send_stalled, "closes", "reason=\"slow\"", "Connections closed, by reason")           \
    X(closed_assembly_timeout, "closes", "reason=\"incomplete_message\"",                          \
      "Connections closed, by reason")                                                             \
    X(closed_io_error, "closes", "reason=\"error\"", "Connections closed, by reason")              \
    X(messages_received, "messages_received", "", "Messages received from publishers")             \
    X(bytes_received, "received_bytes", "", "Payload received from publishers")                    \
    X(messages_sent, "messages_sent", "", "Messages sent to viewers")                              \
    X(bytes_sent, "sent_bytes", "", "Bytes passed to the kernel, with framing")                    \
    X(publishers_paced, "publishers_paced", "",                                                    \
      "Times that a publisher sent too fast and had to wait")                                      \
    X(publishers_held, "publishers_held", "",                                                      \
      "Times that a publisher waited for messages on their way to other workers")                  \
    X(messages_discarded_readonly, "messages_discarded", "",                                       \
      "Messages of connections without the scope write")                                           \
    X(messages_refused_lease, "messages_refused", "reason=\"lease\"",                              \
      "Messages refused because another booking had control of the topic")                         \
    X(messages_dropped_queue, "messages_dropped", "policy=\"full\"",                               \
      "Messages that a viewer or a worker lost, by reason")                                        \
    X(messages_dropped_age, "messages_dropped", "policy=\"age\"",                                  \
      "Messages that a viewer or a worker lost, by reason")                                        \
    X(messages_dropped_video, "messages_dropped", "policy=\"keyframe\"",                           \
      "Messages that a viewer or a worker lost, by reason")                                        \
    X(messages_dropped_latest, "messages_dropped", "policy=\"latest\"",                            \
      "Messages that a viewer or a worker lost, by reason")                                        \
    X(messages_dropped_memory, "messages_dropped", "policy=\"memory\"",                            \
      "Messages that a viewer or a worker lost, by reason")                                        \
    X(messages_dropped_share, "messages_dropped", "policy=\"share\"",                              \
      "Messages that a viewer or a worker lost, by reason")                                        \
    X(messages_dropped_mailbox, "messages_dropped", "policy=\"mailbox\"",                          \
      "Messages that a viewer or a worker lost, by reason")                                        \
    X(joins_from_cache, "joins", "start=\"cache\"",                                                \
      "Viewers of video that joined, by how they began")                                           \
    X(joins_awaiting_key, "joins", "start=\"next_key\"",                                           \
      "Viewers of video that joined, by how they began")                                           \
    X(parts_skipped, "parts_skipped", "",                                                          \
      "Pictures with which no viewer could begin for want of memory")                              \
    X(cache_cut, "cache_cut", "", "Times that a bound of a topic's kept video was reached")        \
    X(v1_opened, "v1_opened", "", "WebSockets that speak relay.v1")                                \
    X(v1_notices_skipped, "v1_notices_skipped", "",                                                \
      "Notices of relay.v1 put off because the client did not read, or for want of memory")        \
    X(v1_keys_asked, "v1_keys_asked", "", "Requests for a key picture that publishers got")        \
    X(v1_skips_asked, "v1_skips_asked", "", "Reports of decoders that were too far behind")        \
    X(v1_renewed, "v1_renewals", "result=\"renewed\"", "Tokens for connections that were open")    \
    X(v1_renewals_refused, "v1_renewals", "result=\"refused\"",                                    \
      "Tokens for connections that were open")                                                     \
    X(v1_renewals_put_off, "v1_renewals", "result=\"put_off\"",                                    \
      "Tokens for connections that were open")                                                     \
    X(v1_controls, "v1_controls", "", "Control messages of relay.v1 that were acted on")           \
    X(v1_controls_ignored, "v1_controls_ignored", "",                                              \
      "Control messages of relay.v1 that were unknown, too short, too often or from the wrong "    \
      "end")                                                                                       \
    X(letters_sent, "letters_sent", "", "Letters between workers")                                 \
    X(letters_failed, "letters_failed", "", "Letters that the kernel had no memory for")           \
    X(pongs_skipped, "pongs_skipped", "", "Pongs that were not sent")                              \
    X(sends_submitted, "sends_submitted", "", "Sends submitted to the kernel")                     \
    X(sends_short, "sends_short", "", "Sends that the kernel took in part")                        \
    X(memory_given_back, "memory_given_back_bytes", "",                                            \
      "Memory that was of no use for seconds, returned to the system")                             \
    X(recv_starved, "receive_starved", "", "Times that the receive buffers were briefly used up")  \
    X(turns, "turns", "", "Turns of the event loops")                                              \
    X(pauses, "pauses", "", "Times that the process was paused and deadlines were extended")       \
    X(turns_cut_short, "turns_cut_short", "", "Turns that left completions for the next one")      \
    X(stale_completions, "stale_completions", "", "Completions of operations that were given up")

struct counters {
#define COUNTERS_MEMBER(name, ...) _Atomic uint64_t name;
    COUNTERS_TABLE(COUNTERS_MEMBER)
#undef COUNTERS_MEMBER
};

#define COUNTERS_ONE(...) +1
enum { COUNTERS_COUNT = 0 COUNTERS_TABLE(COUNTERS_ONE) };
#undef COUNTERS_ONE

/* How monitoring knows a counter. */
struct counters_metric {
    const char *family, *labels, *help;
    size_t offset; /* in struct counters */
};

/* In the order of the table. */
extern const struct counters_metric counters_metrics[COUNTERS_COUNT];

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
