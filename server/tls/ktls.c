#include "server/tls/ktls.h"

#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef TLS_RX_EXPECT_NO_PAD
#define TLS_RX_EXPECT_NO_PAD 4
#endif

enum { IV_BYTES = 12, SALT_BYTES = 4, KEY_BYTES_MAX = 32, UPDATES_REQUESTED = 1 };

static const struct {
    const char *name;
    uint16_t cipher_id;
    size_t key_bytes;
    size_t secret_bytes; /* of its hash */
} suites[KTLS_SUITE_COUNT] = {
    [KTLS_AES_128_GCM] = {"AES-128-GCM", 0x1301, 16, 32},
    [KTLS_AES_256_GCM] = {"AES-256-GCM", 0x1302, 32, 48},
    [KTLS_CHACHA20_POLY1305] = {"CHACHA20", 0x1303, 32, 32},
};

enum ktls_suite ktls_suite_of(uint16_t cipher_id)
{
    for (unsigned i = 0; i < KTLS_SUITE_COUNT; i++) {
        if (suites[i].cipher_id == cipher_id) {
            return (enum ktls_suite)i;
        }
    }
    return KTLS_SUITE_COUNT;
}

/* HKDF-Expand-Label (RFC 8446 §7.1) with an empty context; at most one hash length, so one block.
 */
MUST_USE static int expand_label(enum ktls_suite suite, const uint8_t *secret, const char *label,
                                 uint8_t *out, size_t out_len)
{
    const EVP_MD *hash = suites[suite].secret_bytes == 48 ? EVP_sha384() : EVP_sha256();
    uint8_t info[64];
    uint8_t block[EVP_MAX_MD_SIZE];
    unsigned block_len = 0;
    int label_len = snprintf((char *)info + 3, sizeof info - 5, "tls13 %s", label);
    size_t info_len = 3 + (size_t)label_len;

    info[0] = 0;
    info[1] = (uint8_t)out_len;
    info[2] = (uint8_t)label_len;
    info[info_len++] = 0; /* length of the context */
    info[info_len++] = 1; /* number of the block */
    if (HMAC(hash, secret, (int)suites[suite].secret_bytes, info, info_len, block, &block_len) ==
        NULL) {
        return -ENOMEM; /* OpenSSL allocates memory for it */
    }
    CHECK(out_len <= block_len);
    memcpy(out, block, out_len);
    bytes_wipe(block, sizeof block);
    return 0;
}

union crypto_info {
    struct tls_crypto_info info;
    struct tls12_crypto_info_aes_gcm_128 aes_128;
    struct tls12_crypto_info_aes_gcm_256 aes_256;
    struct tls12_crypto_info_chacha20_poly1305 chacha20;
};

static void put_sequence(uint8_t *target, uint64_t sequence)
{
    for (int i = 7; i >= 0; i--) {
        target[i] = (uint8_t)sequence;
        sequence >>= 8;
    }
}

static socklen_t fill_aes_128(union crypto_info *crypto, const uint8_t *key, const uint8_t *iv,
                              uint64_t sequence)
{
    crypto->info.cipher_type = TLS_CIPHER_AES_GCM_128;
    memcpy(crypto->aes_128.key, key, sizeof crypto->aes_128.key);
    memcpy(crypto->aes_128.salt, iv, SALT_BYTES);
    memcpy(crypto->aes_128.iv, iv + SALT_BYTES, sizeof crypto->aes_128.iv);
    put_sequence(crypto->aes_128.rec_seq, sequence);
    return sizeof crypto->aes_128;
}

static socklen_t fill_aes_256(union crypto_info *crypto, const uint8_t *key, const uint8_t *iv,
                              uint64_t sequence)
{
    crypto->info.cipher_type = TLS_CIPHER_AES_GCM_256;
    memcpy(crypto->aes_256.key, key, sizeof crypto->aes_256.key);
    memcpy(crypto->aes_256.salt, iv, SALT_BYTES);
    memcpy(crypto->aes_256.iv, iv + SALT_BYTES, sizeof crypto->aes_256.iv);
    put_sequence(crypto->aes_256.rec_seq, sequence);
    return sizeof crypto->aes_256;
}

static socklen_t fill_chacha20(union crypto_info *crypto, const uint8_t *key, const uint8_t *iv,
                               uint64_t sequence)
{
    crypto->info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
    memcpy(crypto->chacha20.key, key, sizeof crypto->chacha20.key);
    memcpy(crypto->chacha20.iv, iv, sizeof crypto->chacha20.iv);
    put_sequence(crypto->chacha20.rec_seq, sequence);
    return sizeof crypto->chacha20;
}

static int set_keys(int fd, int direction, enum ktls_suite suite, const uint8_t *secret,
                    uint64_t sequence)
{
    static socklen_t (*const fill[KTLS_SUITE_COUNT])(union crypto_info *, const uint8_t *,
                                                     const uint8_t *, uint64_t) = {
        [KTLS_AES_128_GCM] = fill_aes_128,
        [KTLS_AES_256_GCM] = fill_aes_256,
        [KTLS_CHACHA20_POLY1305] = fill_chacha20,
    };
    union crypto_info crypto = {.info = {.version = TLS_1_3_VERSION}};
    uint8_t key[KEY_BYTES_MAX];
    uint8_t iv[IV_BYTES];

    int failed = expand_label(suite, secret, "key", key, suites[suite].key_bytes);

    failed = failed != 0 ? failed : expand_label(suite, secret, "iv", iv, sizeof iv);
    if (failed == 0) {
        socklen_t len = fill[suite](&crypto, key, iv, sequence);

        failed = setsockopt(fd, SOL_TLS, direction, &crypto, len) == 0 ? 0 : -errno;
    }

    bytes_wipe(key, sizeof key);
    bytes_wipe(iv, sizeof iv);
    bytes_wipe(&crypto, sizeof crypto);
    return failed;
}

enum ktls_result ktls_install(int fd, enum ktls_suite suite, const struct tls_secrets *secrets,
                              uint64_t tx_records)
{
    int no_pad = 1;

    CHECK(suite < KTLS_SUITE_COUNT);
    if (secrets->client_len != suites[suite].secret_bytes ||
        secrets->server_len != suites[suite].secret_bytes) {
        return KTLS_REFUSED;
    }
    if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") != 0) {
        return errno == ENOTCONN ? KTLS_PEER_GONE : KTLS_REFUSED;
    }
    /* Until a direction has keys, the socket carries bytes as before: user space can still
       continue.
     */
    if (set_keys(fd, TLS_TX, suite, secrets->server, tx_records) != 0) {
        return KTLS_REFUSED;
    }
    if (set_keys(fd, TLS_RX, suite, secrets->client, 0) != 0) {
        return KTLS_BROKEN;
    }
    /* Only saves work for records without padding; optional. */
    setsockopt(fd, SOL_TLS, TLS_RX_EXPECT_NO_PAD, &no_pad, sizeof no_pad);
    return KTLS_INSTALLED;
}

static int rekey(int fd, int direction, enum ktls_suite suite, uint8_t *secret)
{
    uint8_t next[TLS_SECRET_BYTES_MAX];
    size_t len = suites[suite].secret_bytes;

    int failed = expand_label(suite, secret, "traffic upd", next, len);

    failed = failed != 0 ? failed : set_keys(fd, direction, suite, next, 0);
    if (failed == 0) {
        memcpy(secret, next, len);
    }
    bytes_wipe(next, sizeof next);
    return failed;
}

int ktls_rekey_receive(int fd, enum ktls_suite suite, struct tls_secrets *secrets)
{
    return rekey(fd, TLS_RX, suite, secrets->client);
}

int ktls_rekey_send(int fd, enum ktls_suite suite, struct tls_secrets *secrets)
{
    return rekey(fd, TLS_TX, suite, secrets->server);
}

void ktls_record_prepare_receive(struct ktls_record *record)
{
    record->slice = (struct iovec){.iov_base = record->data, .iov_len = sizeof record->data};
    record->header = (struct msghdr){.msg_iov = &record->slice,
                                     .msg_iovlen = 1,
                                     .msg_control = record->control,
                                     .msg_controllen = sizeof record->control};
    memset(record->control, 0, sizeof record->control);
}

void ktls_record_prepare_send(struct ktls_record *record, enum ktls_record_type type,
                              struct bytes payload)
{
    CHECK(payload.len <= sizeof record->data);
    ktls_record_prepare_receive(record);
    memcpy(record->data, payload.data, payload.len);
    record->slice.iov_len = payload.len;
    struct cmsghdr *control = CMSG_FIRSTHDR(&record->header);

    CHECK(control != NULL);
    control->cmsg_level = SOL_TLS;
    control->cmsg_type = TLS_SET_RECORD_TYPE;
    control->cmsg_len = CMSG_LEN(1);
    *CMSG_DATA(control) = (uint8_t)type;
}

uint8_t ktls_record_type(const struct ktls_record *record)
{
    const struct cmsghdr *control = CMSG_FIRSTHDR(&record->header);

    if (control == NULL || control->cmsg_level != SOL_TLS ||
        control->cmsg_type != TLS_GET_RECORD_TYPE || control->cmsg_len < CMSG_LEN(1)) {
        return KTLS_RECORD_DATA;
    }
    return *CMSG_DATA(control);
}

enum ktls_control ktls_control_parse(uint8_t type, struct bytes payload)
{
    enum { CLOSE_NOTIFY = 0, KEY_UPDATE = 24 };

    if (type == KTLS_RECORD_ALERT && payload.len == 2) {
        return payload.data[1] == CLOSE_NOTIFY ? KTLS_CONTROL_CLOSE : KTLS_CONTROL_ALERT;
    }
    /* One whole KeyUpdate: type, 24-bit length 1, and whether ours is requested (RFC 8446
       §4.6.3).
     */
    if (type == KTLS_RECORD_HANDSHAKE && payload.len == 5 && payload.data[0] == KEY_UPDATE &&
        payload.data[1] == 0 && payload.data[2] == 0 && payload.data[3] == 1 &&
        payload.data[4] <= UPDATES_REQUESTED) {
        return payload.data[4] == UPDATES_REQUESTED ? KTLS_CONTROL_REKEY_AND_ANSWER
                                                    : KTLS_CONTROL_REKEY;
    }
    return KTLS_CONTROL_BAD;
}

static int connected_pair(int fds[static 2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fds[1] = -1;
    if (listener >= 0 && fds[0] >= 0 &&
        bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
        listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&address, &len) == 0 &&
        connect(fds[0], (struct sockaddr *)&address, sizeof address) == 0) {
        fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    }
    if (listener >= 0) {
        close(listener);
    }
    return fds[1] >= 0 ? 0 : -errno;
}

static void close_pair(const int fds[static 2])
{
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

static void probe_suite(struct ktls_support *support, enum ktls_suite suite)
{
    struct tls_secrets secrets = {.client_len = suites[suite].secret_bytes,
                                  .server_len = suites[suite].secret_bytes};
    int fds[2];

    if (connected_pair(fds) == 0 && ktls_install(fds[0], suite, &secrets, 0) == KTLS_INSTALLED) {
        support->suites[suite] = true;
        support->any = true;
        support->rekey = ktls_rekey_receive(fds[0], suite, &secrets) == 0;
    }
    close_pair(fds);
}

/* On an unconnected socket: ENOTCONN means that the module is loaded, ENOENT that it is not.
 */
static int module_error(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = EBADF;

    if (fd >= 0) {
        error = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") == 0 ? 0 : errno;
        close(fd);
    }
    return error;
}

void ktls_probe(struct ktls_support *ret_support)
{
    int error = module_error();

    *ret_support = (struct ktls_support){0};
    if (error != ENOTCONN) {
        snprintf(ret_support->text, sizeof ret_support->text,
                 "no (TCP_ULP tls: %s): load it with `modprobe tls` (to stay: echo tls > "
                 "/etc/modules-load.d/relay.conf); in a container, load it on the host",
                 strerror(error));
        return;
    }
    for (unsigned i = 0; i < KTLS_SUITE_COUNT; i++) {
        probe_suite(ret_support, (enum ktls_suite)i);
    }
    size_t used =
        (size_t)snprintf(ret_support->text, sizeof ret_support->text, "%s",
                         ret_support->any ? "yes," : "no (the kernel has no cipher for it)");

    for (unsigned i = 0; i < KTLS_SUITE_COUNT; i++) {
        if (ret_support->suites[i]) {
            used += (size_t)snprintf(ret_support->text + used, sizeof ret_support->text - used,
                                     " %s", suites[i].name);
        }
    }
    snprintf(ret_support->text + used, sizeof ret_support->text - used, "%s",
             ret_support->rekey ? ", with KeyUpdate" : "");
}
