/* relay_client: a connection to a relay that keeps itself alive.
 *
 * It asks the access API for a one-time code (POST location, Authorization: token), opens the
 * WebSocket of the answer, sends and receives whole messages, answers and sends pings, and
 * reconnects indefinitely with jittered exponential back-off, through a proxy where an option or
 * the environment names one. Where the relay speaks the subprotocol relay.v1, it learns about
 * viewers, stamps its messages, and renews its token (docs/protocol.md). One background thread per
 * client does all network work with poll(2); OpenSSL does TLS, wslay the framing. Works on any
 * Linux. Nothing is logged or printed, no signal is raised or caught.
 *
 * Threads: every function may be called from any thread unless it says otherwise; none blocks on
 * the network. Callbacks run on the client's own thread, one at a time, and must not block nor call
 * relay_client_start, _stop or _destroy; their callers must not hold a lock that a callback
 * takes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RELAY_CLIENT_API __attribute__((visibility("default")))

struct relay_client;

enum relay_client_state {
    RELAY_CLIENT_IDLE,       /* created, not started, or stopped */
    RELAY_CLIENT_ACCESSING,  /* resolving, connecting, TLS, POST to the access API */
    RELAY_CLIENT_CONNECTING, /* resolving, connecting, TLS, WebSocket handshake */
    RELAY_CLIENT_CONNECTED,
    RELAY_CLIENT_WAITING, /* before the next attempt */
    RELAY_CLIENT_FAILED,  /* gave up: retries used up or reconnecting switched off */
};

/* Kinds of failure: network faults are retried soon, refusals slowly. */
enum relay_client_fault {
    RELAY_CLIENT_FAULT_NONE,
    RELAY_CLIENT_FAULT_TOKEN_FILE, /* the token file cannot be read or is empty */
    RELAY_CLIENT_FAULT_RESOLVE,    /* no address for the host name */
    RELAY_CLIENT_FAULT_CONNECT,    /* refused, unreachable, or reset before any data */
    RELAY_CLIENT_FAULT_TLS,        /* handshake or certificate */
    RELAY_CLIENT_FAULT_TIMEOUT,    /* connect_timeout_ms passed */
    RELAY_CLIENT_FAULT_REFUSED,    /* HTTP 401 or 403: the token was refused */
    RELAY_CLIENT_FAULT_HTTP,       /* another status, or an invalid response */
    RELAY_CLIENT_FAULT_CLOSED,     /* the established connection ended; see close_code */
    RELAY_CLIENT_FAULT_STALLED,    /* no pong or no write progress for stall_timeout_ms */
};

enum relay_client_type {
    RELAY_CLIENT_TEXT = 1, /* values are the WebSocket opcodes */
    RELAY_CLIENT_BINARY = 2,
};

/* Policies for a full outgoing ring. */
enum relay_client_drop {
    RELAY_CLIENT_DROP_NONE,     /* nothing: relay_client_send answers -EAGAIN */
    RELAY_CLIENT_DROP_OLDEST,   /* the oldest messages are dropped */
    RELAY_CLIENT_DROP_NEWEST,   /* the message is refused: -EAGAIN, and counted as dropped */
    RELAY_CLIENT_DROP_KEYFRAME, /* all are dropped, and later ones until a message with
                                   RELAY_CLIENT_RANDOM_ACCESS comes */
};

enum relay_client_send_flags {
    RELAY_CLIENT_RANDOM_ACCESS = 1u << 0, /* a viewer can start here (keyframe, JPEG, …) */
    RELAY_CLIENT_ON_DEMAND = 1u << 1,     /* of use only while there are viewers: where the relay
                                             says that there are none it is kept or dropped, see
                                             hold_age_max_ms. Sent as others on each connection
                                             until it says so */
};

struct relay_client_event {
    enum relay_client_state state;
    enum relay_client_state previous_state;
    enum relay_client_fault fault; /* the reason, when state is WAITING or FAILED */
    int http_status;               /* of the refusal, or 0 */
    uint64_t retry_after_ms;       /* Retry-After of the refusal (RFC 9110 §10.2.3), or 0 */
    int close_code;                /* of the peer's Close, or 0 */
    bool relay_v1;                 /* when state is CONNECTED: the relay speaks it */
    uint64_t attempt;              /* attempts since the last healthy connection, from 1 */
    uint64_t retry_in_ms;          /* when state is WAITING */
    const char *message;           /* one line with phase, host and cause; never a secret. Valid
                                      during the callback. */
};

/* Notices of the relay, where it speaks relay.v1. */
enum relay_client_notice_kind {
    RELAY_CLIENT_NOTICE_VIEWERS, /* to those that may write: at once, and when it changes */
    RELAY_CLIENT_NOTICE_STREAM,  /* to those that may read: a stream has begun, or ended */
    RELAY_CLIENT_NOTICE_LEASE,   /* of a topic that one publisher may use at a time */
    RELAY_CLIENT_NOTICE_EXPIRY,  /* at once, and after a newer token was offered */
};

enum relay_client_lease {
    RELAY_CLIENT_LEASE_FREE, /* the next that sends gets it */
    RELAY_CLIENT_LEASE_OURS,
    RELAY_CLIENT_LEASE_TAKEN,
    RELAY_CLIENT_LEASE_REFUSED, /* taken, and a message of ours was refused */
    RELAY_CLIENT_LEASE_WANTED,  /* ours, and another one asks for it */
};

enum relay_client_renewal {
    RELAY_CLIENT_RENEWAL_NONE, /* none was offered */
    RELAY_CLIENT_RENEWAL_DONE,
    RELAY_CLIENT_RENEWAL_INVALID,
    RELAY_CLIENT_RENEWAL_OTHER, /* for another booking, topic or other scopes */
    RELAY_CLIENT_RENEWAL_DENIED,
    RELAY_CLIENT_RENEWAL_TOO_OFTEN,
};

struct relay_client_notice {
    enum relay_client_notice_kind kind;
    uint32_t viewers;                  /* VIEWERS: connections that may read, without this one */
    bool is_live;                      /* STREAM */
    uint32_t publishers;               /* STREAM */
    enum relay_client_lease lease;     /* LEASE */
    uint32_t lease_refused;            /* LEASE: messages of ours that were refused */
    uint32_t lease_idle_ms;            /* LEASE: a silent holder loses it after this; 0: never */
    enum relay_client_renewal renewal; /* EXPIRY */
    uint64_t expires_s;                /* EXPIRY: seconds since 1970 UTC */
};

struct relay_client_callbacks {
    /* Called for each change of state. */
    void (*on_event)(const struct relay_client_event *event, void *context);

    /* One whole message; data is valid until the callback returns; text is valid UTF-8: otherwise
     * the connection fails with 1007 (RFC 6455 §8.1). NULL: messages are discarded. Not called
     * with receive_queue_bytes_max, which see. */
    void (*on_message)(enum relay_client_type type, const void *data, size_t len, void *context);

    /* The outgoing ring dropped messages, a connection was made, the first viewer came (again
     * every second, until there is one), or the relay asks for it: the video encoder should produce
     * a random-access point soon. May be NULL.
     */
    void (*on_keyframe_wanted)(void *context);

    /* May be NULL. */
    void (*on_notice)(const struct relay_client_notice *notice, void *context);

    void *context;
};

/* Zero or NULL means the default named behind each member. Texts are copied. */
struct relay_client_options {
    const char *location; /* https://host[:port][/prefix]/session/topic; required. ws:// and wss://
                             locations are dialled directly, without an access request. Plain http
                             is for loopback, or with insecure set. No user:password@. */
    const char *token;    /* the JWT itself, or: */
    const char *token_file; /* read again for each access request; surrounding space is
                             * ignored */
    const char *ca_file;    /* PEM; all certificates in it are trusted: authorities, intermediate
                               ones, the server's own certificate. NULL: the system's store */
    const char *proxy;      /* http://[user:password@]host[:port], for every host but this machine;
                               "none": no proxy. NULL: as HTTP_PROXY, HTTPS_PROXY, NO_PROXY say */
    bool insecure;          /* do not verify certificates, allow http anywhere: tests only */
    bool allow_plain;       /* allow http and ws anywhere; certificates are still verified */
    const char *insecure_name; /* your users' name of the option insecure, for error texts */
    bool no_reconnect;
    int retries_max;        /* 0: no limit */
    const char *user_agent; /* relay-client/VERSION */

    uint32_t reconnect_delay_ms;     /* 500: first back-off; doubles, full jitter; while the server
                                        does not answer, to 800 at most for two minutes */
    uint32_t reconnect_delay_max_ms; /* 30000; also the delay after a refusal */
    bool reconnect_steadily; /* the delays are this series, ±20 %, instead of anything up to it */
    uint32_t connect_timeout_ms; /* 10000: each attempt, access and WebSocket together */
    uint32_t stall_timeout_ms;   /* 10000: no write progress, or no pong */
    uint32_t ping_interval_ms;   /* 5000 */
    bool no_pings;               /* ping_interval 0 in the user's words */

    enum relay_client_drop drop;   /* RELAY_CLIENT_DROP_NONE */
    uint64_t queue_bytes_max;      /* 8 MiB; a larger message is accepted when the ring is empty */
    uint32_t queue_messages_max;   /* 1024 */
    uint64_t queue_age_max_ms;     /* 0: no limit; older messages are dropped before being sent */
    bool queue_while_disconnected; /* keep messages sent while disconnected; default: drop them */

    bool relay_v1;            /* offer relay.v1; without it, everything works but what needs it */
    uint64_t hold_age_max_ms; /* how old the random access may be that is kept, with what depends on
                                 it, of RELAY_CLIENT_ON_DEMAND while there are no viewers, at most
                                 4 MiB and half of the ring. 0: nothing is kept */

    uint64_t receive_queue_bytes_max; /* not 0: received messages wait for relay_client_receive; the
                                         oldest make room. A larger message is accepted when none
                                         waits */
    uint64_t receive_age_max_ms;      /* 0: no limit; messages that waited longer are never handed
                                         out, so that no late command reaches a device. Time in
                                         which the process was stopped counts */
};

enum relay_client_sizes { RELAY_CLIENT_ERROR_SIZE = 512 };

/* The parts of a message's way to a viewer that speaks relay.v1, which measures them. */
enum relay_client_hop {
    RELAY_CLIENT_HOP_TO_RELAY, /* from relay_client_send until the relay has it whole; only of
                                  publishers that speak relay.v1 too */
    RELAY_CLIENT_HOP_IN_RELAY, /* until the relay gave it to its kernel */
    RELAY_CLIENT_HOP_TO_VIEWER,
    RELAY_CLIENT_HOP_TOTAL,
    RELAY_CLIENT_HOPS,
};

/* Percentiles are within an eighth. Messages that a viewer begins with are older, and not
 * counted. */
struct relay_client_hop_latency {
    uint64_t messages;
    uint64_t last_us, p50_us, p99_us;
};

struct relay_client_statistics {
    enum relay_client_state state;
    uint64_t connects;         /* established connections */
    uint64_t connect_failures; /* failed attempts */
    enum relay_client_fault last_fault;
    int last_http_status;
    char last_error[RELAY_CLIENT_ERROR_SIZE];
    uint64_t last_retry_ns; /* wall clock of the last attempt, ns since 1970 */
    uint64_t connected_ns;  /* age of the current connection; 0 when there is none */
    uint64_t messages_sent, bytes_sent, random_access_sent;
    uint64_t messages_received, bytes_received;
    uint64_t messages_dropped, bytes_dropped;
    uint64_t drops_disconnected, drops_overflow, drops_age; /* messages, by cause */
    uint64_t queue_messages, queue_bytes, queue_age_ns;     /* now, not yet in the kernel; age of
                                                               the oldest */
    uint64_t receive_drops_overflow, receive_drops_age, receive_bytes_dropped;
    uint64_t receive_queue_messages, receive_queue_bytes, receive_queue_age_ns; /* now */
    uint64_t send_latency_last_ns, send_latency_average_ns, send_latency_max_ns; /* send → kernel */
    uint64_t kernel_unsent_bytes;                                                /* SIOCOUTQ */
    uint64_t rtt_ns;                    /* of the last ping */
    bool relay_v1;                      /* the relay speaks it on the current connection */
    int64_t viewers;                    /* -1: not known */
    uint64_t drops_unwatched;           /* on demand, without viewers or a start for them */
    uint64_t held_messages, held_bytes; /* now, see hold_age_max_ms */
    uint64_t round_trip_ns;             /* of the last clock exchange; 0: none */
    struct relay_client_hop_latency hops[RELAY_CLIENT_HOPS];
    int64_t token_file_mtime_s;
};

/* Checks the options; no network access, no thread. On failure returns NULL and puts one line with
 * cause and cure into error. */
RELAY_CLIENT_API struct relay_client *
relay_client_create(const struct relay_client_options *options,
                    const struct relay_client_callbacks *callbacks,
                    char error[RELAY_CLIENT_ERROR_SIZE]);

/* Starts the thread; returns in well under 1 ms. 0 or -errno; -EALREADY when started. May be called
 * again after a stop. */
RELAY_CLIENT_API int relay_client_start(struct relay_client *client);

/* Copies the message into the outgoing ring. Never waits. 0: accepted (older ones may have been
 * dropped; with RELAY_CLIENT_ON_DEMAND and no viewers, it may be). -EAGAIN: full, or disconnected
 * without queueing, see relay_client_drop. -EMSGSIZE: over 10 MiB. -EILSEQ: text that is not UTF-8,
 * which receivers must refuse (RFC 6455 §8.1); send it as RELAY_CLIENT_BINARY. -ESHUTDOWN: not
 * started or failed. Messages are sent whole and in order, or not at all; after a reconnect,
 * sending never starts inside one: a message cut short by a lost connection is dropped, or with
 * queue_while_disconnected sent again as a whole. */
RELAY_CLIENT_API int relay_client_send(struct relay_client *client, enum relay_client_type type,
                                       const void *data, size_t len, unsigned flags);

/* The same from pieces, for buffer lists. */
struct relay_client_slice {
    const void *data;
    size_t len;
};
RELAY_CLIENT_API int relay_client_send_slices(struct relay_client *client,
                                              enum relay_client_type type,
                                              const struct relay_client_slice *slices,
                                              size_t slices_count, unsigned flags);

/* Messages sent from now on cannot be decoded without these (stream headers of WebM, FLV, Ogg): on
 * each connection they go out first, as binary messages, before the first message that needs them,
 * and again when they change. Copied; neither counted as sent nor against the limits of the ring.
 * count 0: none. 0, -EMSGSIZE (over 10 MiB together; the previous ones stay) or -ENOMEM. */
RELAY_CLIENT_API int relay_client_set_preamble(struct relay_client *client,
                                               const struct relay_client_slice *messages,
                                               size_t count);

/* Waits until the ring has room for len bytes (or is empty) and the client is connected when
 * while_connected is set. 0, -ETIMEDOUT, -ECANCELED (relay_client_cancel_waits), -ESHUTDOWN. */
RELAY_CLIENT_API int relay_client_wait_room(struct relay_client *client, size_t len,
                                            bool while_connected, uint32_t timeout_ms);

/* Waits until everything accepted is in the kernel. Returns as above. */
RELAY_CLIENT_API int relay_client_drain(struct relay_client *client, uint32_t timeout_ms);

/* Where and when a message was, in microseconds since 1970 UTC by the relay's clock; 0: not known,
 * as all are without relay.v1. */
struct relay_client_stamps {
    uint64_t sent_us, relayed_us, forwarded_us, arrived_us;
    uint32_t sequence; /* each message of a source has the next number, modulo 2^32 */
    uint16_t source;   /* tells the publishers of a topic apart */
};

/* One received message, owned by the caller until relay_client_message_destroy. Text is valid UTF-8
 * (RFC 6455 §8.1). */
struct relay_client_message {
    enum relay_client_type type;
    bool gap;             /* it is the first of a connection, or messages before it were dropped */
    uint64_t received_ns; /* CLOCK_MONOTONIC */
    struct relay_client_stamps stamps;
    void *data;
    size_t len;
};

/* Waits for the next received message; needs receive_queue_bytes_max. 0, -ETIMEDOUT, -ECANCELED
 * (relay_client_cancel_waits), or, when no message is left, -ESHUTDOWN: not started or failed. */
RELAY_CLIENT_API int relay_client_receive(struct relay_client *client, uint32_t timeout_ms,
                                          struct relay_client_message **ret_message);

/* Any thread; accepts NULL, and messages of a client that is gone. */
RELAY_CLIENT_API void relay_client_message_destroy(struct relay_client_message *message);

/* Changes the limits of relay_client_options with these names; receive_queue_bytes_max: not 0. */
RELAY_CLIENT_API void relay_client_set_receive_queue(struct relay_client *client,
                                                     uint64_t receive_queue_bytes_max,
                                                     uint64_t receive_age_max_ms);

/* Tells the relay how a viewer keeps up, so that it can send less to one that falls behind. Sent
 * once a second, the latest. Without relay.v1, harmless. */
struct relay_client_report {
    struct relay_client_stamps stamps; /* of the message used last */
    uint64_t used_ns;                  /* CLOCK_MONOTONIC, when it was shown or used */
    uint32_t queued;                   /* messages that came and are not used yet */
    uint32_t dropped;                  /* messages given up since the start */
};
RELAY_CLIENT_API void relay_client_report(struct relay_client *client,
                                          const struct relay_client_report *report);

/* Drops what is kept for the first viewer, and asks for a random access. Call it when messages are
 * no longer RELAY_CLIENT_ON_DEMAND: those kept would be sent behind newer ones. */
RELAY_CLIENT_API void relay_client_drop_held(struct relay_client *client);

/* A viewer asks the publishers for a random access. Without relay.v1, harmless. */
RELAY_CLIENT_API void relay_client_request_keyframe(struct relay_client *client);

/* Asks for the lease of a topic that one publisher may use at a time, or gives it back; the answer
 * is a notice. Without relay.v1, harmless. */
RELAY_CLIENT_API void relay_client_request_lease(struct relay_client *client);
RELAY_CLIENT_API void relay_client_give_lease(struct relay_client *client);

/* Makes all current waits of the functions above return -ECANCELED, and later ones until
 * cancelled is false again. */
RELAY_CLIENT_API void relay_client_cancel_waits(struct relay_client *client, bool cancelled);

/* Drops everything queued; the connection stays. With RELAY_CLIENT_DROP_KEYFRAME, sending resumes
 * at the next random access. */
RELAY_CLIENT_API void relay_client_flush(struct relay_client *client);

/* Changes the limits of the outgoing ring, its drop policy, and the behaviour while disconnected;
 * values as in relay_client_options. For senders that learn only later whether their messages
 * depend on each other. */
RELAY_CLIENT_API void relay_client_set_queue(struct relay_client *client,
                                             enum relay_client_drop drop, uint64_t queue_bytes_max,
                                             uint64_t queue_age_max_ms,
                                             bool queue_while_disconnected);

/* Changes no_reconnect, retries_max and the times to those of the options; other options are
 * ignored. Takes effect with the next attempt, connection and pause. */
RELAY_CLIENT_API void relay_client_set_timing(struct relay_client *client,
                                              const struct relay_client_options *options);

/* Replaces the token for the next access request; it takes precedence over a token file. With
 * relay.v1 it is offered to the relay at once, and the connection then ends with it; a token file
 * is looked at in the last minute before the end. NULL or empty: none. 0, -EINVAL (not a token:
 * invalid characters, or over 8 KiB) or -ENOMEM. */
RELAY_CLIENT_API int relay_client_set_token(struct relay_client *client, const char *token);
RELAY_CLIENT_API int relay_client_set_token_file(struct relay_client *client, const char *path);

RELAY_CLIENT_API void relay_client_statistics(struct relay_client *client,
                                              struct relay_client_statistics *ret_statistics);

/* Ends the connection (Close 1000 when one is open, waiting at most linger_ms for the answer) and
 * joins the thread: within 50 ms + linger_ms in every phase. Queued messages are dropped; to lose
 * nothing, call relay_client_drain first, and linger so that the relay's Close confirms arrival.
 * Harmless when not started. */
RELAY_CLIENT_API void relay_client_stop(struct relay_client *client, uint32_t linger_ms);

/* The same with another code in the Close (RFC 6455 §7.4), such as 1001: this end is going away. */
RELAY_CLIENT_API void relay_client_leave(struct relay_client *client, uint16_t close_code,
                                         uint32_t linger_ms);

/* Stops if necessary, wipes the token, frees. Accepts NULL. */
RELAY_CLIENT_API void relay_client_destroy(struct relay_client *client);

/* Constant English names for messages: "connected", "refused", … Never NULL. */
RELAY_CLIENT_API const char *relay_client_state_text(enum relay_client_state state);
RELAY_CLIENT_API const char *relay_client_fault_text(enum relay_client_fault fault);

/* Why the relay did not take a token, as a clause: "it is invalid or has expired". NULL: none was
 * offered, it was taken, or the next one will be looked at. */
RELAY_CLIENT_API const char *relay_client_renewal_fault(enum relay_client_renewal renewal);

#ifdef __cplusplus
}
#endif
