/* A control with its parts, for the tests of this folder and of http/. No relay answers. */
#pragma once

#include <criterion/criterion.h>
#include <string.h>

#include "host/control/control.h"

struct stage {
    struct loop loop;
    struct streams streams;
    struct destinations destinations;
    struct control control;
    unsigned changes;
};

static inline void stage_on_changed(struct control *control)
{
    container_of(control, struct stage, control)->changes++;
}

static inline void stage_setup(struct stage *stage)
{
    struct destinations_settings settings = {.queue_age_max_ms = 1000};

    *stage = (struct stage){.control = {.destinations = &stage->destinations,
                                        .streams = &stage->streams,
                                        .on_changed = stage_on_changed}};
    streams_init(&stage->streams);
    cr_assert_eq(loop_open(&stage->loop), 0);
    cr_assert_eq(
        destinations_init(&stage->destinations, &stage->loop, &stage->streams.feeds, &settings), 0);
}

static inline void stage_teardown(struct stage *stage)
{
    cr_assert(destinations_deinit(&stage->destinations, 10000));
    streams_deinit(&stage->streams);
    loop_close(&stage->loop);
}

/* The text is what is wanted, and is freed. */
static inline void stage_expect(char *text, const char *wanted)
{
    cr_assert_str_eq(text, wanted);
    json_answer_free(text);
}
