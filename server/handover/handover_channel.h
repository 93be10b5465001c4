/* The socket between a running relay and the program that follows it: messages, each one record of
 * handover_format.h, with descriptors. The peer is a process of the same user, and only that one.
 * Main thread only; blocks for as long as `wait` says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "server/handover/handover_format.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_wait.h"
#include "server/handover/handover_writer.h"

enum handover_channel_limits { HANDOVER_MESSAGE_BYTES = 4096 };

/* The name of the variable in which the new program finds its end. */
#define HANDOVER_SOCKET "RELAY_HANDOVER_SOCKET"

struct handover_channel {
    int fd;     /* -1: closed */
    pid_t peer; /* messages of another process are refused */
};

struct handover_message {
    uint8_t memory[HANDOVER_MESSAGE_BYTES];
    struct handover_writer writer; /* of one that is being written */
    struct handover_record record; /* of one that was received */
    int fds[HANDOVER_FDS_MAX];     /* of one that was received: the receiver's */
    unsigned fds_count;
};

/* Two ends, of which the new program is to inherit *ret_other. The peer is set when it is known.
 * 0 or -errno. */
MUST_USE int handover_channel_open(struct handover_channel *channel, int *ret_other);

/* The end that the variable names, which leaves the environment. 0; -ENOENT: there is none;
 * -EPERM: what is there is none, or its other end is not of the process that started this one. */
MUST_USE int handover_channel_inherit(struct handover_channel *channel);

void handover_channel_close(struct handover_channel *channel);

/* A message of that kind, to which the caller adds fields with message->writer; the descriptors
 * stay the caller's. */
void handover_channel_begin(struct handover_message *message, uint16_t kind, const int *fds,
                            unsigned fds_count);

/* 0; -EMSGSIZE: the fields do not fit; -EPIPE: the other end is closed; another -errno. */
MUST_USE int handover_channel_send(struct handover_channel *channel,
                                   struct handover_message *message,
                                   const struct handover_wait *wait);

/* 0; -EPIPE: the other end is closed; -EBADMSG: no message of the peer; another -errno. Then there
 * are no descriptors. */
MUST_USE int handover_channel_receive(struct handover_channel *channel,
                                      struct handover_message *message,
                                      const struct handover_wait *wait);

/* The same for a message of that kind; another one is -EBADMSG. */
MUST_USE int handover_channel_await(struct handover_channel *channel,
                                    struct handover_message *message, uint16_t kind,
                                    const struct handover_wait *wait);

/* Closes the descriptors of a message that was received. */
void handover_channel_drop(struct handover_message *message);
