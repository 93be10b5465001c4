/* A publisher and a viewer on the topic t0 of a service (tests/unit/server/http/service.h), and
 * what the publisher says, frame after frame. One thread. */
#pragma once

#include "tests/unit/server/http/service.h"

enum { FIN = 0x80 };

UNUSED static struct conn *conn, *viewer;

UNUSED static void open_connections(void)
{
    service_open();
    viewer = join("t0", true, false);
    conn = join("t0", true, true);
}

/* What is to be said, frame after frame. */
static struct {
    uint8_t bytes[2 << 20];
    size_t len;
} speech;

static const uint8_t speech_mask[4] = {0x12, 0x34, 0x56, 0x78};

UNUSED static void add_header(unsigned first, uint64_t announced)
{
    uint8_t *at = speech.bytes + speech.len;
    unsigned extra = announced < 126 ? 0 : announced < 65536 ? 2 : 8;

    at[0] = (uint8_t)first;
    at[1] = (uint8_t)(0x80 | (extra == 0 ? announced : extra == 2 ? 126u : 127u));
    for (unsigned i = 0; i < extra; i++) {
        at[2 + i] = (uint8_t)(announced >> 8 * (extra - 1 - i));
    }
    memcpy(at + 2 + extra, speech_mask, sizeof speech_mask);
    speech.len += 6 + extra;
}

UNUSED static void add_frame(unsigned first, const void *payload, size_t len)
{
    add_header(first, len);
    for (size_t i = 0; i < len; i++) {
        speech.bytes[speech.len++] = ((const uint8_t *)payload)[i] ^ speech_mask[i % 4];
    }
}

UNUSED static void add_text(unsigned first, const char *text)
{
    add_frame(first, text, strlen(text));
}

UNUSED static void say_speech(size_t piece)
{
    say_in_pieces(conn, bytes_of(speech.bytes, speech.len), piece);
    speech.len = 0;
}

UNUSED static void say_frame(unsigned first, const char *text)
{
    add_text(first, text);
    say_speech(RECV_BUFFER_BYTES);
}

/* The Close that the connection sends; nothing else is sent. */
UNUSED static void expect_close(struct conn *closing, unsigned code, const char *text)
{
    struct bytes sent = sent_by(closing);

    cr_assert_eq(sent.len, 4 + strlen(text));
    cr_assert_eq(sent.data[0], FIN | WS_OPCODE_CLOSE);
    cr_assert_eq(sent.data[1], 2 + strlen(text));
    cr_assert_eq(sent.data[2] << 8 | sent.data[3], code);
    cr_assert(bytes_equal_text(bytes_skip(sent, 4), text));
}
