/* A stream of records in a file in memory, with its descriptors: the socket carries only the file,
 * so that a large stream blocks nothing. It holds secrets (codes, keys): its reader wipes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "server/handover/handover_channel.h"
#include "server/handover/handover_writer.h"

enum handover_stream_limits {
    HANDOVER_STREAM_FDS_MAX = 1 << 20,
};
#define HANDOVER_STREAM_BYTES_MAX (UINT64_C(1) << 40)

struct handover_stream {
    int fd;
    bool is_open; /* there is a file */
    uint8_t *memory;
    size_t size;   /* of the memory */
    size_t backed; /* bytes of it that have pages; behind them an access is a fault */
    int *fds;
    size_t fds_count; /* the sender's, of one that was written; of one received, the reader's */
    size_t fds_taken; /* of one that was received: the first ones, which are others' now */
};

/* Room for so much, without pages. 0 or -errno. */
MUST_USE int handover_stream_open(struct handover_stream *stream, size_t size, size_t fds_max);

/* Takes pages for its first len bytes, and a few more. 0; -EMSGSIZE: the room is less; -ENOSPC,
 * -ENOMEM: no memory is left; another -errno. */
MUST_USE int handover_stream_grow(struct handover_stream *stream, size_t len);

/* A writer from its start on, which takes pages as it goes. The stream stays where it is. */
void handover_stream_begin(struct handover_stream *stream, struct handover_writer *ret_writer);

/* Ends the writing, after len bytes and so many descriptors. It cannot become shorter any more. 0
 * or -errno. */
MUST_USE int handover_stream_seal(struct handover_stream *stream, size_t len, size_t fds_count);

/* A sealed one. 0 or -errno, as handover_channel_send. */
MUST_USE int handover_stream_send(const struct handover_stream *stream,
                                  struct handover_channel *channel,
                                  const struct handover_wait *wait);

/* 0; -EBADMSG: it is none; another -errno. */
MUST_USE int handover_stream_receive(struct handover_stream *stream,
                                     struct handover_channel *channel,
                                     const struct handover_wait *wait);

/* Its contents, when it was received. */
struct bytes handover_stream_bytes(const struct handover_stream *stream);

/* The next descriptors of one that was received, in the order of its records: they are the
 * caller's. NULL: there are not so many. */
const int *handover_stream_take_fds(struct handover_stream *stream, size_t count);

/* Frees it. Of one that was received: wipes it for both programs, and closes the descriptors that
 * were not taken. Harmless on a zeroed one and the second time. */
void handover_stream_release(struct handover_stream *stream);
void handover_stream_consume(struct handover_stream *stream);
