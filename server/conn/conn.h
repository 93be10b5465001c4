/* One connection: a descriptor, one phase at a time, and every operation the kernel may hold for
 * it. Its worker owns it; no other thread touches it. It comes from the worker's table and goes
 * back there only in close.c, when nothing is in flight any more. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/access/admission.h"
#include "server/conn/close_reason.h"
#include "server/conn/conn_table.h"
#include "server/hub/fanout.h"
#include "wire/http_request.h"
#include "wire/utf8_stream.h"
#include "wire/ws_close_watch.h"
#include "wire/ws_frame.h"

enum conn_phase {
    PHASE_FREE,
    PHASE_TLS,
    PHASE_HTTP,
    PHASE_WEBSOCKET,
    PHASE_CLOSING,
    PHASE_COUNT,
};

#define NO_PONG_DUE UINT64_MAX

struct transport_ops;
struct handshake_input; /* phase_tls.c */

struct phase_tls {
    struct tls_session *session; /* from the first record on: a silent connection costs none */
    uint32_t tickets_sent;
    bool done; /* the handshake is complete; its last bytes may still be on their way */
};

/* Kept while the kernel could follow a KeyUpdate. */
struct rekey {
    enum ktls_suite suite;
    bool answer_wanted; /* the peer asked for our KeyUpdate too */
    struct tls_secrets secrets;
    struct ktls_record record; /* our KeyUpdate, while it is being sent */
};

/* Records that are made and not yet sent, for transport_user; send.c frees them. */
struct tls_output {
    uint8_t *records; /* a block, or NULL */
    uint32_t len, sent;
    size_t plain_len; /* bytes of the send queue that are in it */
};

struct phase_http {
    struct http_request *request;    /* a block of worker.requests, while a request is being read */
    char fields[ACCESS_FIELDS_SIZE]; /* of that answer */
    unsigned minor_version;          /* the same */
    bool head_only;                  /* the same */
    bool answered;                   /* at least one request was */
};

struct phase_websocket {
    struct ws_frame_parser parser;
    struct ws_frame frame; /* whose payload is being read, while in_payload */
    uint64_t payload_done;
    bool in_payload;
    bool discarding; /* the message is read and thrown away */
    uint8_t control_len;
    uint8_t control[WS_CONTROL_PAYLOAD_MAX];
    enum ws_opcode opcode;            /* of the message, from its first frame */
    bool checks_text;                 /* the message is text, and RELAY_TEXT_UTF8=check */
    struct utf8_stream text;          /* of it, while checks_text */
    struct message *message;          /* the one being assembled, or NULL */
    uint64_t message_len;             /* payload bytes announced for it so far */
    uint64_t assembly_started_ms;     /* 0: no message is incomplete */
    struct topic *topic;              /* referenced */
    char booking_id[TOKEN_TEXT_SIZE]; /* from the permission, as what follows */
    char scopes_json[PERMISSION_SCOPES_SIZE];
    int64_t exp_s;
    bool can_read, can_write;
    uint64_t opened_ms;
    int64_t opened_s;
    uint64_t ping_due_ms;
    uint64_t pong_due_ms; /* no pong by then: gone; NO_PONG_DUE while no ping is unanswered */
    bool pong_is_graced;  /* it was put off for what was unread, since the last pong */
    uint64_t messages_received, bytes_received;
    uint64_t first_received_ms, last_received_ms;
    char user_agent[USER_AGENT_SIZE];
    char remote_address[REMOTE_ADDRESS_SIZE]; /* the socket's; for the log */
    /* X-Forwarded-For as a trusted proxy sent it, or ""; of others the socket's. */
    char reported_address[REPORTED_ADDRESS_SIZE];
};

struct phase_closing {
    uint64_t started_ms;
    uint64_t looked_ms;   /* at what the peer takes */
    bool waits_for_close; /* the peer's, after ours */
    bool is_done;         /* the peer owes us nothing more: closed as soon as all of ours is sent */
    struct ws_close_watch watch;
};

struct conn {
    enum conn_phase phase;
    int fd;
    struct worker *worker;
    struct conn_table *table;
    enum listener_role role;
    enum close_reason close_reason; /* the first one, while PHASE_CLOSING */
    struct op recv_op, send_op, notify_op, cancel_receive_op, cancel_send_op, close_op;
    bool awaits_answer;    /* deferred.h; false when the phase is left */
    bool peer_ended;       /* its FIN or close_notify came */
    bool receive_blocked;  /* receiving would break the connection (TLS key change) */
    bool notify_submitted; /* close_notify */
    bool fin_sent;         /* our direction of TCP ended */
    bool discard_unsent;   /* the peer takes nothing: the close resets */
    bool close_submitted;  /* the descriptor is being closed: nothing may be started */

    const struct transport_ops *transport; /* transport.h */
    struct tls_session *tls;               /* transport_user */
    struct tls_output tls_output;
    struct rekey *rekey;                /* a block, or NULL */
    struct ktls_record *control_record; /* a block that recv_op may use; freed at the end */
    struct ktls_record *notify_record;  /* the same, for notify_op */
    struct handshake_input *handshake;  /* the same of worker.requests, for the handshake */
    struct subscriber subscriber;       /* its queue holds everything that is sent, HTTP too */
    struct timer deadline;              /* of the phase: request, send progress, end of closing */
    struct timer liveness;              /* pings */
    struct timer expiry;                /* of the token */
    uint64_t send_progress_ms;          /* the kernel took bytes */
    uint64_t bytes_acked;               /* by the peer's TCP, when it was looked at last */
    uint64_t taken_ms;                  /* when a look found that they had grown; 0: none did */
    uint64_t messages_sent, bytes_sent; /* data messages; bytes of everything */
    uint64_t first_sent_ms, last_sent_ms;
    struct list booking_node; /* in its table's bucket, while PHASE_WEBSOCKET */
    uint64_t serial;          /* a new one for each connection */
    struct list open_node;    /* all open connections; the free list while PHASE_FREE */
    struct list ready_node;   /* something is queued and no send is in flight */
    struct list starved_node; /* the receive pool was empty */
    union {
        struct phase_tls tls;
        struct phase_http http;
        struct phase_websocket websocket;
        struct phase_closing closing;
    } in; /* dies when the phase is left */
};

/* What a phase does; NULL: nothing. */
struct phase_ops {
    void (*on_enter)(struct conn *conn);
    void (*on_bytes)(struct conn *conn, struct bytes bytes);
    void (*on_sent)(struct conn *conn); /* the queue ran empty */
    void (*on_eof)(struct conn *conn);
    void (*on_deadline)(struct conn *conn);
    /* It is broken, and ends at once. */
    void (*on_failed)(struct conn *conn, enum close_reason reason);
    /* After each completion of an operation of its; may release it. NULL: goes on. */
    void (*on_completed)(struct conn *conn);
    /* Asked from outside to end: CLOSE_DRAIN, CLOSE_DENIED (a WebSocket), CLOSE_REKEY. */
    void (*on_end)(struct conn *conn, enum close_reason reason);
    void (*on_leave)(struct conn *conn);
};

/* Those of this folder; the others are above it, and handed down in conn_shared.phases. */
extern const struct phase_ops phase_tls_ops, phase_closing_ops;

void conn_enter_phase(struct conn *conn, enum conn_phase phase);
const struct phase_ops *conn_phase_ops(const struct conn *conn);

/* The phase's on_end, on_failed and on_completed. After conn_completed the connection may be gone.
 */
void conn_end(struct conn *conn, enum close_reason reason);
void conn_fail(struct conn *conn, enum close_reason reason);
void conn_completed(struct conn *conn);
