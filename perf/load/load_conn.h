/* One connection of a run: sends, and checks what it receives. Events are counted in the run's
 * result. Non-blocking; the run's thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "perf/load/frame_reader.h"
#include "perf/load/load.h"
#include "perf/load/load_publisher.h"

enum load_conn_sizes { LOAD_RECEIVE_BYTES = 256 * 1024 };

/* State shared by all connections of a run. */
struct load_view {
    struct load_result *result;
    uint32_t run;
    bool in_window;           /* events now belong to the window */
    uint64_t window_start_ns; /* latency is recorded of messages sent between these */
    uint64_t window_end_ns;
    uint8_t *receive_buf; /* LOAD_RECEIVE_BYTES; nothing in it outlives a call */
};

struct load_conn {
    struct load_transport transport;
    struct frame_reader reader;
    struct load_publisher *publisher; /* NULL for viewers */
    unsigned topic;
    uint64_t next_sequence;
    uint64_t received;
    uint8_t pong[LOAD_PUBLISHER_PONG_BYTES_MAX];
    size_t pong_len;
    size_t pong_sent;
    uint64_t probe_ns; /* when the ping under way was sent; 0: none is */
};

bool load_conn_is_open(const struct load_conn *conn);

/* Processes received bytes, also those that came with the handshake. */
void load_conn_on_bytes(struct load_view *view, struct load_conn *conn, struct bytes input);

/* Call when the socket of an open connection becomes readable or writable. */
void load_conn_on_event(struct load_view *view, struct load_conn *conn);

/* Sends the publisher's next message, or skips it when the previous one is still unsent. */
void load_conn_publish(struct load_view *view, struct load_conn *conn);

/* Pings the server, unless it still owes the pong of the last time. The time until it comes is a
 * latency of the run. Not for publishers. */
void load_conn_probe(struct load_view *view, struct load_conn *conn);

/* Sends a Close if the server speaks WebSocket, and closes. */
void load_conn_end(struct load_conn *conn, bool is_websocket);
