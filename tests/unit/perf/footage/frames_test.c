/* Goal: payloads come through however the frames are cut, pings are answered, and the end is seen.
 * Method: a socket pair; each cut of a series of frames. */
#include "perf/footage/frames.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct load_transport transport;
static int peer;
static char got[1024];

static void start(void)
{
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    load_transport_adopt(&transport, fds[0]);
    peer = fds[1];
    got[0] = '\0';
}

static void stop(void)
{
    load_transport_close(&transport);
    close(peer);
}

TestSuite(frames, .init = start, .fini = stop);

static void on_payload(void *ctx, struct bytes payload)
{
    strncat(ctx, (const char *)payload.data, payload.len);
}

static struct frames frames_new(void)
{
    return (struct frames){.transport = &transport, .on_payload = on_payload, .ctx = got};
}

static const char series[] =
    "\x82\x03one\x02\x01t\x89\x02hi\x80\x02wo\x82\x00\x82\x7e\x00\x05three";

Test(frames, pass_payloads_on_and_answer_pings_however_they_are_cut)
{
    for (size_t cut = 0; cut < sizeof series; cut++) {
        struct frames frames = frames_new();
        struct bytes all = bytes_of(series, sizeof series - 1);
        char pong[8];

        got[0] = '\0';
        cr_assert_eq(frames_take(&frames, bytes_of(all.data, cut)), 0);
        cr_assert_eq(frames_take(&frames, bytes_skip(all, cut)), 0);
        cr_assert_str_eq(got, "onetwothree");
        cr_assert_eq(recv(peer, pong, sizeof pong, 0), 8);
        cr_assert_eq(memcmp(pong, "\x8a\x82\0\0\0\0hi", 8), 0);
    }
}

Test(frames, end_with_a_close_and_with_what_no_server_sends)
{
    static const struct {
        const char *bytes;
        size_t len;
        int result;
    } cases[] = {
        {"\x88\x02\x03\xe8", 4, -ESHUTDOWN},
        {"\x82\x81", 2, -EPROTO},
        {"\x89\x7e\x00\x7e", 4, -EPROTO},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct frames frames = frames_new();

        cr_assert_eq(frames_take(&frames, bytes_of(cases[i].bytes, cases[i].len)), cases[i].result);
    }
}

Test(frames, are_read_from_a_transport)
{
    struct frames frames = frames_new();

    cr_assert_eq(send(peer, series, sizeof series - 1, 0), (ssize_t)sizeof series - 1);
    cr_assert_eq(frames_read(&frames), 0);
    cr_assert_str_eq(got, "onetwothree");
    cr_assert_eq(load_transport_set_nonblocking(&transport), 0);
    cr_assert_eq(frames_read(&frames), 0, "nothing is there");
    shutdown(peer, SHUT_WR);
    cr_assert_eq(frames_read(&frames), -ECONNRESET);
}

Test(frames, are_sent_masked_with_a_length_of_each_size)
{
    static const struct {
        size_t len, header;
        const char *begin;
    } cases[] = {{125, 2, "\x82\xfd"},
                 {126, 4, "\x82\xfe\x00\x7e"},
                 {65536, 10, "\x82\xff\0\0\0\0\0\1\0\0"}};
    static uint8_t payload[65536], frame[65536 + 14];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = cases[i].header + 4 + cases[i].len;

        cr_assert_eq(frames_send(&transport, bytes_of(payload, cases[i].len)), 0);
        cr_assert_eq(recv(peer, frame, len, MSG_WAITALL), (ssize_t)len);
        cr_assert_eq(memcmp(frame, cases[i].begin, cases[i].header), 0);
    }
    shutdown(transport.fd, SHUT_WR);
    cr_assert_lt(frames_send(&transport, bytes_of(payload, 1)), 0);
}
