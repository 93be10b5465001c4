/* Frames as they go over a socket pair: valid masked frames with the right stamps, and never more
 * than one waiting. */
#include "perf/load/load_publisher.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct wire {
    struct load_transport transport;
    int far_fd;
};

static struct wire wire_open(void)
{
    struct wire wire;
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    load_transport_adopt(&wire.transport, fds[0]);
    cr_assert_eq(load_transport_set_nonblocking(&wire.transport), 0);
    wire.far_fd = fds[1];
    return wire;
}

static void wire_close(struct wire *wire)
{
    load_transport_close(&wire->transport);
    close(wire->far_fd);
}

static void receive(int fd, uint8_t *data, size_t len)
{
    cr_assert_eq(recv(fd, data, len, MSG_WAITALL), (ssize_t)len);
}

Test(load_publisher, sends_masked_frames_with_stamps)
{
    static const struct {
        size_t bytes;
        size_t header; /* without the mask */
        uint8_t start[10];
    } rows[] = {
        {24, 2, {0x82, 0x80 | 24}},
        {125, 2, {0x82, 0x80 | 125}},
        {126, 4, {0x82, 0x80 | 126, 0, 126}},
        {65535, 4, {0x82, 0x80 | 126, 0xff, 0xff}},
        {65536, 10, {0x82, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0}},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct wire wire = wire_open();
        struct load_publisher publisher;
        uint8_t *frame = malloc(rows[i].bytes + LOAD_PUBLISHER_HEADER_BYTES_MAX);

        cr_assert_eq(load_publisher_init(&publisher, rows[i].bytes, true, 11, 5), 0);
        for (uint64_t sequence = 0; sequence < 3; sequence++) {
            struct stamp stamp;
            size_t offset = rows[i].header + 4;

            load_publisher_begin(&publisher, 1000 + sequence);
            cr_assert_eq(load_publisher_flush(&publisher, &wire.transport), 0);
            receive(wire.far_fd, frame, offset + rows[i].bytes);
            cr_assert_arr_eq(frame, rows[i].start, rows[i].header);
            for (size_t k = 0; k < STAMP_SIZE; k++) {
                frame[offset + k] ^= frame[rows[i].header + k % 4];
            }
            memcpy(&stamp, frame + offset, sizeof stamp);
            cr_assert_eq(stamp.sent_ns, 1000 + sequence);
            cr_assert_eq(stamp.sequence, sequence);
            cr_assert_eq(stamp.run, 11);
            cr_assert_eq(stamp.topic, 5);
        }
        cr_assert_eq(publisher.completed, 3);
        load_publisher_deinit(&publisher);
        free(frame);
        wire_close(&wire);
    }
}

Test(load_publisher, sends_unmasked_frames_to_the_floor)
{
    struct wire wire = wire_open();
    struct load_publisher publisher;
    struct stamp stamp;
    uint8_t frame[2 + 30];

    cr_assert_eq(load_publisher_init(&publisher, 30, false, 1, 2), 0);
    load_publisher_begin(&publisher, 99);
    cr_assert_eq(load_publisher_flush(&publisher, &wire.transport), 0);
    receive(wire.far_fd, frame, sizeof frame);
    cr_assert_eq(frame[0], 0x82);
    cr_assert_eq(frame[1], 30);
    memcpy(&stamp, frame + 2, sizeof stamp);
    cr_assert_eq(stamp.sent_ns, 99);
    load_publisher_deinit(&publisher);
    wire_close(&wire);
}

Test(load_publisher, waits_when_the_peer_does_not_read)
{
    enum { BYTES = 4 * 1024 * 1024 };
    struct wire wire = wire_open();
    struct load_publisher publisher;
    uint8_t *frame = malloc(BYTES + 14);
    size_t received = 0;

    cr_assert_eq(load_publisher_init(&publisher, BYTES, true, 1, 2), 0);
    load_publisher_begin(&publisher, 1);
    cr_assert_eq(load_publisher_flush(&publisher, &wire.transport), -EAGAIN);
    cr_assert(load_publisher_is_waiting(&publisher));
    cr_assert_eq(publisher.completed, 0);
    while (received < BYTES + 14) {
        ssize_t len = recv(wire.far_fd, frame + received, BYTES + 14 - received, MSG_DONTWAIT);

        cr_assert_gt(len, 0);
        received += (size_t)len;
        int result = load_publisher_flush(&publisher, &wire.transport);

        cr_assert(result == 0 || result == -EAGAIN);
    }
    cr_assert_not(load_publisher_is_waiting(&publisher));
    cr_assert_eq(publisher.completed, 1);
    cr_assert_arr_eq(frame, publisher.frame, BYTES + 14);
    load_publisher_deinit(&publisher);
    free(frame);
    wire_close(&wire);
}

Test(load_publisher, reports_a_peer_that_has_gone)
{
    struct wire wire = wire_open();
    struct load_publisher publisher;

    cr_assert_eq(load_publisher_init(&publisher, 100, true, 1, 2), 0);
    close(wire.far_fd);
    load_publisher_begin(&publisher, 1);
    cr_assert_eq(load_publisher_flush(&publisher, &wire.transport), -EPIPE);
    load_publisher_deinit(&publisher);
    load_transport_close(&wire.transport);
}

Test(control_frame, is_masked_and_short)
{
    uint8_t frame[LOAD_PUBLISHER_PONG_BYTES_MAX];
    char payload[125];

    memset(payload, 'z', sizeof payload);
    cr_assert_eq(load_publisher_control_write(10, NULL, 0, frame), 6);
    cr_assert_eq(frame[0], 0x8a);
    cr_assert_eq(frame[1], 0x80);
    cr_assert_eq(load_publisher_control_write(10, payload, sizeof payload, frame), 131);
    cr_assert_eq(frame[1], 0x80 | 125);
    for (size_t i = 0; i < sizeof payload; i++) {
        cr_assert_eq(frame[6 + i] ^ frame[2 + i % 4], 'z');
    }
}
