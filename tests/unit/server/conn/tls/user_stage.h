/* Shared by the tests of records made in user space. */
#pragma once

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tests/unit/server/conn/tls/tls_stage.h"

enum { LONG_BYTES = 1 << 20, BATCH_BYTES_MAX = 256 * 1024 };

static struct conn *conn;

/* The records in which the client writes the text. */
UNUSED static struct bytes client_records(const char *text)
{
    static uint8_t records[FIXTURE_FLIGHT_SIZE];

    if (text != NULL) {
        cr_assert_gt(SSL_write(backstage.client.ssl, text, (int)strlen(text)), 0);
    }
    return bytes_of(records, client_take(&backstage.client, records));
}

UNUSED static void receive(struct bytes bytes)
{
    kernel_receive(kernel_find(IORING_OP_RECV), bytes);
    kernel_take();
}

UNUSED static const char *long_text(void)
{
    static char text[LONG_BYTES];

    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)('a' + i % 23);
    }
    return text;
}

/* Takes sends of at most max bytes until nothing more is sent; returns the largest of them. */
UNUSED static size_t send_in_pieces(size_t max)
{
    size_t largest = 0;

    for (stage_turn(); kernel_send() != NULL; stage_turn()) {
        struct held *send = held_checked(kernel_send());
        size_t len = send->len < max ? send->len : max;

        largest = send->len > largest ? send->len : largest;
        client_hear(send, len);
        kernel_complete(send, (int)len, 0);
    }
    return largest;
}

/* Until the kernel has bytes of it that are not on their way. */
UNUSED static void fill_socket(void)
{
    static const char data[65536];
    int unsent = 0;

    while (unsent == 0) {
        cr_assert_gt(send(conn->fd, data, sizeof data, MSG_DONTWAIT | MSG_NOSIGNAL), 0);
        cr_assert_eq(ioctl(conn->fd, SIOCOUTQNSD, &unsent), 0);
    }
}
