/* One TLS connection without its socket: bytes in, bytes out. OpenSSL reads straight from the
 * caller's input and writes straight into the caller's output buffer, through two BIOs of ours.
 * Owner worker only; never blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "server/tls/record/tls_record.h"
#include "server/tls/record/tls_secret.h"
#include "server/tls/tls_context.h"

enum tls_session_sizes {
    TLS_RECORD_OVERHEAD = 64, /* header, tag, padding of one record; generous */
    TLS_LATE_BYTES = 512,
};

enum tls_status {
    TLS_STATUS_OK,
    TLS_STATUS_WANT_INPUT,
    TLS_STATUS_WANT_OUTPUT, /* the output buffer is full: send it, then call again */
    TLS_STATUS_CLOSED,      /* close_notify was received */
    TLS_STATUS_FAILED,      /* an alert may be in the output */
};

struct tls_session;

/* Creates the state shared by all sessions, once per process, at start. False when out of memory.
 * Any thread. */
MUST_USE bool tls_session_prepare(void);

MUST_USE struct tls_session *tls_session_create(struct tls_context *context);
/* Wipes the secrets. Accepts NULL. */
void tls_session_destroy(struct tls_session *session);

/* Sets the output of records until the next call; NULL: a small internal buffer, for records that
 * OpenSSL sends on its own (answers to KeyUpdate), which tls_session_take_late returns. */
void tls_session_set_output(struct tls_session *session, uint8_t *output, size_t size);
size_t tls_session_output_len(const struct tls_session *session);
struct bytes tls_session_late(const struct tls_session *session);
void tls_session_take_late(struct tls_session *session);

/* Continues the handshake; advances *input past the consumed bytes. */
MUST_USE enum tls_status tls_session_accept(struct tls_session *session, struct bytes *input);

/* Decrypts into plain, at most size bytes. */
MUST_USE enum tls_status tls_session_decrypt(struct tls_session *session, struct bytes *input,
                                             uint8_t *plain, size_t size, size_t *ret_len);

/* Encrypts all of plain into the output, which must have room (TLS_RECORD_OVERHEAD per record). */
MUST_USE enum tls_status tls_session_encrypt(struct tls_session *session, struct bytes plain);

/* Writes close_notify into the output. */
void tls_session_close_notify(struct tls_session *session);

/* Valid after the handshake. */
bool tls_session_is_tls13(const struct tls_session *session);
uint16_t tls_session_cipher_id(const struct tls_session *session); /* IANA number, 0x1301 … */
/* Plain bytes in one record: TLS_RECORD_PAYLOAD_MAX, or the limit negotiated by RFC 6066 §4. */
size_t tls_session_fragment_max(const struct tls_session *session);
/* Valid until tls_session_forget_secrets. */
const struct tls_secrets *tls_session_secrets(const struct tls_session *session);
/* Wipes them: for sessions whose records stay with OpenSSL. */
void tls_session_forget_secrets(struct tls_session *session);
const char *tls_session_version_text(const struct tls_session *session);

/* The reason of a failure: a constant text from OpenSSL. */
const char *tls_session_failure(const struct tls_session *session);

/* For tls_context.c: collects the secrets. */
void tls_session_on_keylog(const SSL *ssl, const char *line);
