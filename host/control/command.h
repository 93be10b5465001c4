/* The JSON commands on the feed "api". Host's thread only. */
#pragma once

#include "base/attributes.h"
#include "host/control/control.h"
#include "host/feed/parcel_queue.h"
#include "host/loop/loop.h"

#define COMMAND_FEED "api"

/* The member of the feed that answers. */
struct command {
    struct control *control;
    struct feed_table *feeds;
    struct loop *loop;
    struct feed_member member;
    struct parcel_queue pending; /* a command may delete its own sender: carried out later */
    struct loop_timer timer;
};

/* 0 or -ENOMEM. */
MUST_USE int command_init(struct command *command, struct loop *loop, struct feed_table *feeds,
                          struct control *control);
void command_deinit(struct command *command);

/* Carries out one command: the answer, malloc'ed, for json_answer_free. NULL: no memory. */
MUST_USE char *command_carry_out(struct control *control, struct bytes text);
