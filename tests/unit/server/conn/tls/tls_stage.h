/* The stage of tests/unit/server/conn, with a client of OpenSSL at the other end of a connection:
 * its bytes and ours go through the fake kernel. */
#pragma once

#include <openssl/ssl.h>

#include "server/conn/tls/phase_tls.h"
#include "server/tls/tls_slot.h"
#include "tests/unit/server/conn/stage.h"
#include "tests/unit/server/tls/tls_fixture.h"

static struct {
    struct tls_slot slot;
    struct client client;
    struct pair_files files;
    uint8_t plaintext[TLS_RECORD_PAYLOAD_MAX];
} backstage;

UNUSED static const struct phase_ops *const tls_phases[PHASE_COUNT] = {
    [PHASE_TLS] = &phase_tls_ops,
    [PHASE_HTTP] = &recorder_ops,
    [PHASE_WEBSOCKET] = &recorder_ops,
    [PHASE_CLOSING] = &phase_closing_ops,
};

UNUSED static void tls_stage_open_with(int version)
{
    stage_open_with(tls_phases);
    pair_make(&backstage.files, "one.example", 30);
    tls_slot_init(&backstage.slot, context_make(&backstage.files, 2));
    pair_remove(&backstage.files);
    stage.shared.tls = &backstage.slot;
    stage.table.plaintext = backstage.plaintext;
    client_init(&backstage.client, version, NULL);
}

UNUSED static void tls_stage_open(void)
{
    tls_stage_open_with(TLS1_3_VERSION);
}

UNUSED static void tls_stage_close(void)
{
    client_deinit(&backstage.client);
    stage_close();
    tls_slot_deinit(&backstage.slot);
}

/* The client reads len bytes of that send. */
UNUSED static void client_hear(const struct held *send, size_t len)
{
    struct bytes bytes = held_bytes(send);

    cr_assert_leq(len, bytes.len);
    cr_assert_eq(BIO_write(backstage.client.input, bytes.data, (int)len), (int)len);
}

/* A send of the server's is taken whole. */
UNUSED static void send_all(void)
{
    struct held *send = held_checked(kernel_send());

    client_hear(send, send->len);
    kernel_complete(send, (int)send->len, 0);
}

/* Plain bytes that the client can read now. */
UNUSED static struct bytes client_read(void)
{
    static uint8_t plain[4 << 20];
    size_t used = 0;
    int len;

    while ((len = SSL_read(backstage.client.ssl, plain + used, (int)(sizeof plain - used))) > 0) {
        used += (size_t)len;
    }
    return bytes_of(plain, used);
}

/* The receive that asks for bytes of the handshake gets as many as it asks for, at most max, from
 * what the client has to send. False: the client has nothing, or nothing is asked for. */
UNUSED static bool handshake_receive(size_t max)
{
    struct held *held = kernel_find(IORING_OP_RECV);

    if (held == NULL || held->multishot) {
        return false;
    }
    int len =
        BIO_read(backstage.client.output, held->memory, (int)(held->len < max ? held->len : max));

    if (len <= 0) {
        return false;
    }
    kernel_complete(held, len, 0);
    stage_turn();
    return true;
}

/* The handshake, in pieces of at most max bytes; its last send stays with the kernel. */
UNUSED static void handshake(struct conn *conn, size_t max)
{
    SSL_do_handshake(backstage.client.ssl);
    kernel_complete(kernel_find(IORING_OP_POLL_ADD), POLLIN, 0);
    stage_turn();
    for (unsigned i = 0; i < 100000 && conn->phase == PHASE_TLS; i++) {
        if (handshake_receive(max)) {
            continue;
        }
        if (SSL_is_init_finished(backstage.client.ssl)) {
            return; /* the client's part is read */
        }
        while (kernel_send() != NULL) {
            send_all();
            stage_turn();
        }
        SSL_do_handshake(backstage.client.ssl);
    }
}

/* To the end, and into the next phase. */
UNUSED static struct conn *tls_connect(void)
{
    struct conn *conn = stage_connect(LISTENER_BOTH);

    handshake(conn, SIZE_MAX);
    while (kernel_send() != NULL) {
        send_all();
        stage_turn();
    }
    client_read(); /* session tickets */
    return conn;
}
