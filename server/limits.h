/* Every bound of the server that is not an option, with its unit. Options are in config.c. Reaching
 * a bound is a counted, described behaviour (stats/counters.h) and has a test. */
#pragma once

#include "wire/http_request.h"
#include "wire/ws_frame.h"

enum limits_loop {
    WORKERS_MAX = 64, /* one bit each in a topic's mask of interested workers */
    RING_SQ_ENTRIES = 1024,
    RING_CQ_ENTRIES = 16384,
    RING_IOVECS = 8192,        /* slices between two submits; more submit early */
    TURN_MS_MAX = 2,           /* taking completions, before what they made is sent */
    TURN_LOOK_EVERY = 16,      /* completions between two looks at the clock */
    TIMERS_WAIT_MS_MAX = 1000, /* while turns are cut short: what came is read before deadlines */
    WAIT_MS_MAX = 500,         /* so that a pause shows */
    PAUSE_MS_MIN = 500,        /* beyond that: a shorter one is a busy machine */
    RECV_BUFFER_BYTES = 16384, /* one full TLS record */
    RECV_BUFFERS = 256,        /* per worker: 4 MiB */
    TIMER_TICK_MS = 100,
    TIMER_SLOTS = 512,
    LETTERS_PENDING_MAX = 32768, /* messages on their way to one worker; more are dropped */
};

enum limits_message {
    MESSAGE_BYTES_MAX = 10 * 1024 * 1024, /* payload; one byte more closes with 1009 */
    MESSAGE_FIRST_BYTES_MAX = 256 * 1024, /* memory for a larger one grows as its bytes arrive */
};

enum limits_send {
    SEND_SLICES_MAX = 64,
    SEND_BYTES_MAX = 256 * 1024, /* of one coalesced sendmsg; a single larger message goes alone */
    SEND_BURST_MAX = 4096,       /* messages of one turn for a viewer that is not slow */
    SEND_QUEUE_INLINE = 4,
    SEND_QUEUE_CONTROL = 20, /* room for pongs, ping and Close beyond RELAY_BUFFER_SIZE */
    PONGS_QUEUED_MAX = 16,   /* of more pings only the latest is answered (RFC 6455 §5.5.3) */
    SOCKET_SEND_BUFFER_BYTES =
        256 * 1024, /* kernel side of a slow viewer (the kernel doubles it) */
};

enum limits_connection {
    LISTEN_BACKLOG = 4096,
    PONG_GRACE_MS = 1000,    /* between looks whether a late peer still takes or sends bytes */
    CLOSE_LINGER_MS = 2000,  /* for the peer's Close or FIN after ours */
    STOP_LINGER_MS = 700,    /* the same at a stop, and between looks at a slow viewer then */
    STOP_DEADLINE_MS = 4000, /* for a slow viewer that takes what waits for it */
    STOP_ALARM_S = 5,        /* the process ends then, whatever holds a worker up */
    ACCEPT_RETRY_MS = 100,   /* after running out of descriptors */
    REMOTE_ADDRESS_SIZE = 64,
    REPORTED_ADDRESS_SIZE = 128, /* X-Forwarded-For: several addresses */
    USER_AGENT_SIZE = 128,
    REFUSALS_LOGGED_MAX = 100, /* by each worker in LOG_LIMIT_PERIOD_MS; more are counted */
};

enum limits_wall_clock {
    WALL_STEP_MS_MIN = 250, /* less is not worth a look at every token */
};

enum limits_report {
    REPORT_BYTES_MAX = MESSAGE_BYTES_MAX - 16 * 1024, /* of the connections, without the rest */
    REPORT_SLOTS_PER_TURN = 128, /* places of a worker's table that are looked at in one turn */
    REPORT_ASKS_MAX = 64,        /* requests that wait for the next report; more are refused */
};

/* The topic on which the relay reports its connections. */
#define STATS_TOPIC "stats"

enum limits_access {
    BOOKING_BUCKETS = 1024, /* of each worker's connections, to find those of a booking */
    REQUEST_MEMORY_BYTES = 128 * 1024 * 1024, /* per worker, for HTTP requests being read */
    PIPELINED_ANSWERS_MAX = 128, /* unsent answers after which a connection is not kept alive */
    CODES_SHARES = 4, /* one booking and topic may have a quarter of RELAY_CODES_MAX unused */
    CODE_SESSION_BUCKETS = 65536,
    ANSWER_RESERVED_BYTES_MAX = 64 * 1024, /* longer ones have no share in the reserved memory */
    HTTP_RESPONSE_HEAD_MAX = 1024,         /* without the fields that an answer brings along */
    SUBPROTOCOL_BYTES_MAX = 256,           /* a longer one that would be echoed is refused: 400 */
    TOPIC_NAME_SIZE = 256,
};

_Static_assert((int)RECV_BUFFER_BYTES >= (int)HTTP_HEAD_BYTES_MAX,
               "a request head fits one buffer");
_Static_assert((RECV_BUFFERS & (RECV_BUFFERS - 1)) == 0, "the kernel wants a power of two");
_Static_assert((SEND_QUEUE_INLINE & (SEND_QUEUE_INLINE - 1)) == 0, "indices are masked");
_Static_assert(STOP_LINGER_MS < CLOSE_LINGER_MS, "a stop hastens what is closing already");
