#include "perf/neighbour/payload.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum {
    FINAL = 0x80,
    MASKED = 0x80,
    OPCODE_BINARY = 2,
    HEADER_BYTES_MAX = 14,
    HELLO_BYTES_MAX = 16384,
    DENIAL_BYTES_MAX = 4096,
};

int payload_of_text(const char *text, unsigned count, struct payload *ret_payload)
{
    struct bytes piece = bytes_of_text(text);
    uint8_t *data = malloc(piece.len * count);

    if (data == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < count; i++) {
        memcpy(data + i * piece.len, piece.data, piece.len);
    }
    *ret_payload = (struct payload){.data = data, .len = piece.len * count};
    return 0;
}

int payload_of_denials(const char *token, int64_t exp_s, unsigned count,
                       struct payload *ret_payload)
{
    char request[DENIAL_BYTES_MAX];
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);

    if (stream == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < count; i++) {
        snprintf(request, sizeof request,
                 "POST /bids/deny?bid=neighbour-%u&exp=%" PRId64 " HTTP/1.1\r\nHost: relay\r\n"
                 "Authorization: %s\r\nContent-Length: 0\r\n\r\n",
                 i, exp_s, token);
        fputs(request, stream);
    }
    bytes_wipe(request, sizeof request);
    if (fclose(stream) != 0) {
        free(text);
        return -ENOMEM;
    }
    *ret_payload = (struct payload){.data = (uint8_t *)text, .len = len};
    return 0;
}

/* Returns the size. */
static size_t header_write(uint8_t *header, unsigned opcode, uint64_t bytes)
{
    unsigned length_bytes = bytes < 126 ? 0 : bytes <= UINT16_MAX ? 2 : 8;
    unsigned length = length_bytes == 0 ? (unsigned)bytes : length_bytes == 2 ? 126 : 127;
    size_t size = 2;

    header[0] = (uint8_t)(FINAL | opcode);
    header[1] = (uint8_t)(MASKED | length);
    while (length_bytes-- > 0) {
        header[size++] = (uint8_t)(bytes >> (8 * length_bytes));
    }
    memset(header + size, 0, 4);
    return size + 4;
}

int payload_of_frames(unsigned opcode, size_t bytes, unsigned count, struct payload *ret_payload)
{
    uint8_t header[HEADER_BYTES_MAX];
    size_t header_len = header_write(header, opcode, bytes);
    size_t frame_len = header_len + bytes;
    uint8_t *data = calloc(count, frame_len);

    if (data == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < count; i++) {
        memcpy(data + i * frame_len, header, header_len);
    }
    *ret_payload = (struct payload){.data = data, .len = frame_len * count};
    return 0;
}

int payload_of_announcements(size_t long_bytes, size_t short_bytes, struct payload *ret_payload)
{
    uint8_t *data = calloc(2, PAYLOAD_ANNOUNCEMENT_BYTES);

    if (data == NULL) {
        return -ENOMEM;
    }
    header_write(data, OPCODE_BINARY, long_bytes);
    header_write(data + PAYLOAD_ANNOUNCEMENT_BYTES, OPCODE_BINARY, short_bytes);
    *ret_payload = (struct payload){.data = data, .len = 2 * PAYLOAD_ANNOUNCEMENT_BYTES};
    return 0;
}

int payload_of_hello(SSL_CTX *tls, struct payload *ret_payload)
{
    SSL *ssl = SSL_new(tls);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    uint8_t *data = malloc(HELLO_BYTES_MAX);

    if (ssl == NULL || in == NULL || out == NULL || data == NULL) {
        SSL_free(ssl);
        BIO_free(in);
        BIO_free(out);
        free(data);
        return -ENOMEM;
    }
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    (void)!SSL_do_handshake(ssl); /* wants the server's answer, which never comes */
    ERR_clear_error();
    int len = BIO_read(out, data, HELLO_BYTES_MAX);

    SSL_free(ssl);
    if (len <= 0) {
        free(data);
        return -EIO;
    }
    *ret_payload = (struct payload){.data = data, .len = (size_t)len};
    return 0;
}

void payload_release(struct payload *payload)
{
    free(payload->data);
    *payload = (struct payload){.data = NULL};
}
