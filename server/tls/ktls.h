/* TLS 1.3 records in the kernel: keys from the handshake's secrets, installed into the socket. From
 * then on plain send and receive calls carry the plain text. Facts:
 * docs/decisions/0004-kernel-tls.md. Owner worker only; never blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "server/tls/record/tls_control.h"
#include "server/tls/record/tls_secret.h"
#include "server/tls/record/tls_suite.h"

/* Capabilities of this kernel. */
struct ktls_support {
    bool suites[TLS_SUITE_COUNT];
    bool any;
    bool rekey;     /* TLS_RX may be set again: KeyUpdate is supported (Linux 6.14) */
    char text[256]; /* "yes, AES-128-GCM …", or the reason and the cure */
};

/* Tests it on a loopback connection of its own. Blocks briefly; only at start. */
void ktls_probe(struct ktls_support *ret_support);

enum ktls_result {
    KTLS_INSTALLED,
    KTLS_PEER_GONE, /* the connection ended; not an error */
    KTLS_REFUSED,   /* nothing was changed: user space continues */
    KTLS_BROKEN,    /* only one direction was installed: close */
};

/* Installs both directions. All handshake bytes must already be in the socket, and none of the
 * peer's after its Finished may have been read. tx_records: records that were already sent under
 * the server's key (session tickets). */
MUST_USE enum ktls_result ktls_install(int fd, enum tls_suite suite,
                                       const struct tls_secrets *secrets, uint64_t tx_records);

/* KeyUpdate (RFC 8446 §4.6.3, §7.2): replaces the secret by the next one and installs it. 0 or
 * -errno. */
MUST_USE int ktls_rekey_receive(int fd, enum tls_suite suite, struct tls_secrets *secrets);
MUST_USE int ktls_rekey_send(int fd, enum tls_suite suite, struct tls_secrets *secrets);

/* Whether TCP has every record that a send has returned for, and has sent it. A send of kernel TLS
 * succeeds while its last records still wait in a list until TCP takes more (net/tls/tls_sw.c,
 * tls_tx_records), which it does when little is unsent and its buffer has room; a FIN or a close
 * overtakes them there. The list is emptied as soon as TCP asks for more, so what is told here is
 * that it has long done so: nothing is unsent, and three quarters of the buffer are free. */
bool ktls_is_passed_on(int fd);

/* Control records carry their type in ancillary data. */
enum ktls_control_sizes { KTLS_CONTROL_SIZE = CMSG_SPACE(1), KTLS_RECORD_SIZE = 1024 };

/* A message header with everything it points to; must stay valid until the operation is done.
 */
struct ktls_record {
    struct msghdr header;
    struct iovec slice;
    _Alignas(struct cmsghdr) uint8_t control[KTLS_CONTROL_SIZE];
    uint8_t data[KTLS_RECORD_SIZE];
};

/* For recvmsg of the next record. */
void ktls_record_prepare_receive(struct ktls_record *record);
/* For sendmsg of a control record of that type; payload of at most KTLS_RECORD_SIZE. */
void ktls_record_prepare_send(struct ktls_record *record, enum tls_content type,
                              struct bytes payload);
/* Type of a received record; data when the kernel gave none. */
uint8_t ktls_record_type(const struct ktls_record *record);
