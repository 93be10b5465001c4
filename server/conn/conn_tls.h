/* State that the transports with TLS keep about a connection, each part with its transport. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/tls/ktls.h"

struct block_pool;
struct handshake_input; /* tls/phase_tls.c */
struct partial_record;  /* tls/transport_records.c */

/* Kept while the kernel could follow a KeyUpdate. */
struct rekey {
    enum tls_suite suite;
    bool answer_wanted; /* the peer asked for our KeyUpdate too */
    struct tls_secrets secrets;
    struct ktls_record record; /* our KeyUpdate, while it is being sent */
};

/* Records that are made and not yet sent. */
struct tls_output {
    uint8_t *records; /* a block of pool, or NULL */
    struct block_pool *pool;
    uint32_t len, sent;
    size_t plain_len; /* bytes of the send queue that are in it */
};

struct conn_tls {
    struct tls_session *session;        /* transport_user */
    struct tls_records *records;        /* transport_records */
    struct partial_record *partial;     /* the same: a block, or NULL */
    struct tls_output output;           /* tls_batch; send.c frees it with the batch */
    struct rekey *rekey;                /* transport_kernel: a block, or NULL */
    struct ktls_record *control_record; /* the same, which recv_op may use; freed at the end */
    struct ktls_record *notify_record;  /* all: a block for notify_op */
    struct handshake_input *handshake;  /* phase_tls: a block of worker.requests */
};
