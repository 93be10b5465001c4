#include "server/tls/ktls.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
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

enum { SALT_BYTES = 4 };

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

static int set_keys(int fd, int direction, enum tls_suite suite, const uint8_t *secret,
                    uint64_t sequence)
{
    static socklen_t (*const fill[TLS_SUITE_COUNT])(union crypto_info *, const uint8_t *,
                                                    const uint8_t *, uint64_t) = {
        [TLS_AES_128_GCM] = fill_aes_128,
        [TLS_AES_256_GCM] = fill_aes_256,
        [TLS_CHACHA20_POLY1305] = fill_chacha20,
    };
    union crypto_info crypto = {.info = {.version = TLS_1_3_VERSION}};
    struct tls_keys keys;

    int failed = tls_secret_keys(suite, secret, &keys);

    if (failed == 0) {
        socklen_t len = fill[suite](&crypto, keys.key, keys.iv, sequence);

        failed = setsockopt(fd, SOL_TLS, direction, &crypto, len) == 0 ? 0 : -errno;
    }

    bytes_wipe(&keys, sizeof keys);
    bytes_wipe(&crypto, sizeof crypto);
    return failed;
}

enum ktls_result ktls_install(int fd, enum tls_suite suite, const struct tls_secrets *secrets,
                              uint64_t tx_records)
{
    int no_pad = 1;

    CHECK(suite < TLS_SUITE_COUNT);
    if (secrets->client_len != tls_suite_secret_bytes(suite) ||
        secrets->server_len != tls_suite_secret_bytes(suite)) {
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

static int rekey(int fd, int direction, enum tls_suite suite, uint8_t *secret)
{
    uint8_t next[TLS_SECRET_BYTES_MAX];
    size_t len = tls_suite_secret_bytes(suite);

    int failed = tls_secret_next(suite, secret, next);

    failed = failed != 0 ? failed : set_keys(fd, direction, suite, next, 0);
    if (failed == 0) {
        memcpy(secret, next, len);
    }
    bytes_wipe(next, sizeof next);
    return failed;
}

int ktls_rekey_receive(int fd, enum tls_suite suite, struct tls_secrets *secrets)
{
    return rekey(fd, TLS_RX, suite, secrets->client);
}

int ktls_rekey_send(int fd, enum tls_suite suite, struct tls_secrets *secrets)
{
    return rekey(fd, TLS_TX, suite, secrets->server);
}

bool ktls_is_passed_on(int fd)
{
    uint32_t memory[SK_MEMINFO_VARS];
    socklen_t len = sizeof memory;

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &len) != 0 ||
        len <= SK_MEMINFO_WMEM_QUEUED * sizeof memory[0]) {
        return true; /* no socket of TCP's: nothing waits in front of it */
    }
    int unsent = 0;

    return ioctl(fd, SIOCOUTQNSD, &unsent) == 0 && unsent == 0 &&
           memory[SK_MEMINFO_WMEM_QUEUED] <= memory[SK_MEMINFO_SNDBUF] / 4;
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

void ktls_record_prepare_send(struct ktls_record *record, enum tls_content type,
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
        return TLS_CONTENT_DATA;
    }
    return *CMSG_DATA(control);
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

static void probe_suite(struct ktls_support *support, enum tls_suite suite)
{
    struct tls_secrets secrets = {.client_len = tls_suite_secret_bytes(suite),
                                  .server_len = tls_suite_secret_bytes(suite)};
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
    for (unsigned i = 0; i < TLS_SUITE_COUNT; i++) {
        probe_suite(ret_support, (enum tls_suite)i);
    }
    size_t used =
        (size_t)snprintf(ret_support->text, sizeof ret_support->text, "%s",
                         ret_support->any ? "yes," : "no (the kernel has no cipher for it)");

    for (unsigned i = 0; i < TLS_SUITE_COUNT; i++) {
        if (ret_support->suites[i]) {
            used += (size_t)snprintf(ret_support->text + used, sizeof ret_support->text - used,
                                     " %s", tls_suite_text((enum tls_suite)i));
        }
    }
    snprintf(ret_support->text + used, sizeof ret_support->text - used, "%s",
             ret_support->rekey ? ", with KeyUpdate" : "");
}
