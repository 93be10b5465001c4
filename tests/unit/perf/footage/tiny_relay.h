/* A relay in the test's process, for one topic of footage with a picture in each message: socket
 * pairs and one thread. A viewer that joins gets the messages since the last key picture, then what
 * comes. Sockets hold what a viewer has not read; tests that stall keep within that. */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "perf/footage/footage_make.h"
#include "perf/load/connector.h"

enum {
    TINY_VIEWERS_MAX = 256,
    TINY_GROUP_MS = 200,
    TINY_GROUP = TINY_GROUP_MS * FOOTAGE_RATE_DEFAULT / 1000,
    TINY_MESSAGE_MAX = 1 << 17,
    TINY_MASKED_HEADER_MAX = 14,
};

struct tiny_relay {
    struct footage footage;
    pthread_mutex_t lock;
    pthread_t thread;
    int publisher;
    int viewers[TINY_VIEWERS_MAX];
    unsigned viewers_count;
    unsigned messages;
    uint8_t *frames[TINY_GROUP]; /* of the group, as viewers get them */
    size_t lens[TINY_GROUP];
    int damage; /* a byte of each message from that offset on is changed; -1: none */
};

static struct tiny_relay tiny;

static inline bool tiny_receive(uint8_t *data, size_t len)
{
    return len == 0 || recv(tiny.publisher, data, len, MSG_WAITALL) == (ssize_t)len;
}

/* One masked message, mask zero, as the frame of a viewer. 0 at the end. */
static inline size_t tiny_message(uint8_t *frame)
{
    uint8_t mask[4];
    size_t header = 2;
    size_t len = 0;

    if (!tiny_receive(frame, 2)) {
        return 0;
    }
    frame[1] &= 0x7f;
    header += frame[1] == 126 ? 2 : frame[1] == 127 ? 8 : 0;
    if (!tiny_receive(frame + 2, header - 2) || !tiny_receive(mask, sizeof mask)) {
        return 0;
    }
    for (size_t i = header == 2 ? 1 : 2; i < header; i++) {
        len = len << 8 | frame[i];
    }
    cr_assert_leq(len, TINY_MESSAGE_MAX);
    return tiny_receive(frame + header, len) ? header + len : 0;
}

static inline void tiny_forward(uint8_t *frame, size_t len)
{
    unsigned place = tiny.messages++ % TINY_GROUP;

    if (tiny.damage >= 0) {
        frame[tiny.damage] ^= 0xff;
    }
    free(tiny.frames[place]);
    tiny.frames[place] = memcpy(malloc(len), frame, len);
    tiny.lens[place] = len;
    for (unsigned i = 0; i < tiny.viewers_count; i++) {
        (void)!send(tiny.viewers[i], frame, len, MSG_NOSIGNAL);
    }
}

static inline void *tiny_main(void *ctx)
{
    uint8_t *frame = malloc(TINY_MESSAGE_MAX + TINY_MASKED_HEADER_MAX);
    size_t len;

    while ((len = tiny_message(frame)) > 0) {
        pthread_mutex_lock(&tiny.lock);
        tiny_forward(frame, len);
        pthread_mutex_unlock(&tiny.lock);
    }
    free(frame);
    return ctx;
}

static inline void tiny_catch_up(int fd)
{
    unsigned count = tiny.messages == 0 ? 0 : (tiny.messages - 1) % TINY_GROUP + 1;

    for (unsigned i = 0; i < count; i++) {
        (void)!send(fd, tiny.frames[i], tiny.lens[i], MSG_NOSIGNAL);
    }
}

static inline int tiny_open(void *ctx, unsigned topic, enum connector_role role,
                            struct connection *ret_connection,
                            char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    int fds[2];
    int size = 1 << 18;

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    load_transport_adopt(&ret_connection->transport, fds[0]);
    if (role == CONNECTOR_PUBLISHER) {
        tiny.publisher = fds[1];
        return pthread_create(&tiny.thread, NULL, tiny_main, ctx);
    }
    pthread_mutex_lock(&tiny.lock);
    cr_assert_lt(tiny.viewers_count, TINY_VIEWERS_MAX);
    tiny.viewers[tiny.viewers_count++] = fds[1];
    tiny_catch_up(fds[1]);
    pthread_mutex_unlock(&tiny.lock);
    return 0;
}

static inline struct connector tiny_connector(void)
{
    return (struct connector){.is_masked = true, .open = tiny_open};
}

static inline void tiny_start(void)
{
    char error[FOOTAGE_ERROR_SIZE];

    tiny = (struct tiny_relay){.publisher = -1, .damage = -1};
    pthread_mutex_init(&tiny.lock, NULL);
    cr_assert_eq(footage_make(TINY_GROUP_MS, &tiny.footage, error), 0);
}

static inline void tiny_stop(void)
{
    if (tiny.publisher >= 0) {
        shutdown(tiny.publisher, SHUT_RDWR);
        pthread_join(tiny.thread, NULL);
        close(tiny.publisher);
    }
    for (unsigned i = 0; i < tiny.viewers_count; i++) {
        close(tiny.viewers[i]);
    }
    for (unsigned i = 0; i < TINY_GROUP; i++) {
        free(tiny.frames[i]);
    }
    footage_release(&tiny.footage);
    pthread_mutex_destroy(&tiny.lock);
}
