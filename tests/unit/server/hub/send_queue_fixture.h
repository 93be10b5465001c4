/* One send queue of a worker without threads, and a kernel that takes as much as the test says. */
#pragma once

#include <stdio.h>

#include "server/hub/subscriber.h"
#include "tests/unit/server/hub/hub_fixture.h"

enum { SCENE_MEMORY = 64 * 1024 * 1024 };

struct scene {
    struct worker worker;
    struct subscriber viewer;
    uint8_t sent[1 << 20];
    size_t sent_len;
};

static struct scene scene;

static inline void open_scene(void)
{
    lone_worker_init(&scene.worker, SCENE_MEMORY);
    scene.viewer = (struct subscriber){0};
    send_queue_init(&scene.viewer.queue);
    scene.sent_len = 0;
}

static inline void close_scene(void)
{
    CHECK(send_queue_empty(&scene.viewer.queue));
    CHECK(scene.viewer.queue.bytes == 0);
    lone_worker_deinit(&scene.worker);
}

/* One send of which the kernel takes at most len bytes. Returns the messages that are complete. */
static inline unsigned take_at_most(size_t len)
{
    struct iovec slices[SEND_SLICES_MAX];
    unsigned count = send_queue_begin(&scene.viewer.queue, &scene.worker, slices, SEND_SLICES_MAX);
    size_t taken = 0;

    for (unsigned i = 0; i < count && taken < len; i++) {
        size_t part = slices[i].iov_len < len - taken ? slices[i].iov_len : len - taken;

        cr_assert_leq(scene.sent_len + part, sizeof scene.sent);
        memcpy(scene.sent + scene.sent_len, slices[i].iov_base, part);
        scene.sent_len += part;
        taken += part;
    }
    return count == 0 ? 0 : send_queue_end(&scene.viewer.queue, &scene.worker, taken);
}

/* Unmasked short frames, one after the other: "text|text|…", control frames in brackets. */
static inline void expect_sent(const char *expected)
{
    char text[8192] = "";
    size_t used = 0;

    for (size_t at = 0; at < scene.sent_len;) {
        uint8_t opcode = scene.sent[at] & 0x0f;
        size_t len = scene.sent[at + 1];

        cr_assert_eq(scene.sent[at] & 0xf0, 0x80, "not the start of a frame");
        cr_assert_lt(len, 126);
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 opcode >= WS_OPCODE_CLOSE ? "%s[%.*s]" : "%s%.*s",
                                 used == 0 ? "" : "|", (int)len, scene.sent + at + 2);
        at += 2 + len;
        cr_assert_leq(at, scene.sent_len, "a frame was cut");
    }
    cr_assert_str_eq(text, expected);
    scene.sent_len = 0;
}
