/* Goal: the kernel gets exactly the keys that RFC 8446 derives, in the layout of <linux/tls.h>; and
 * records carry their type to it and back.
 * Method: this program's setsockopt takes the place of libc's and keeps what it is given. The trace
 * of RFC 8448 §3 and OpenSSL's own TLS 1.3 key derivation are the references. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/tls/ktls.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

enum { FD = 1000, IV_LEN = 12, SALT_LEN = 4 };

static struct {
    unsigned ulp_calls, tx_calls, rx_calls;
    int ulp_error, tx_error, rx_error;
    uint8_t tx[64], rx[64];
    socklen_t tx_len, rx_len;
} kernel;

static int answer(int error)
{
    errno = error;
    return error == 0 ? 0 : -1;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    cr_assert_eq(fd, FD);
    if (level == IPPROTO_TCP) {
        kernel.ulp_calls++;
        return answer(kernel.ulp_error);
    }
    cr_assert_eq(level, SOL_TLS);
    if (option == TLS_TX) {
        memcpy(kernel.tx, value, len);
        kernel.tx_len = len;
        kernel.tx_calls++;
        return answer(kernel.tx_error);
    }
    if (option == TLS_RX) {
        memcpy(kernel.rx, value, len);
        kernel.rx_len = len;
        kernel.rx_calls++;
        return answer(kernel.rx_error);
    }
    return 0; /* a hint that may be refused */
}

static void reset(void)
{
    memset(&kernel, 0, sizeof kernel);
}

TestSuite(ktls, .init = reset);

static void parse_hex(const char *text, uint8_t *bytes, size_t len)
{
    size_t parsed;

    cr_assert_eq(OPENSSL_hexstr2buf_ex(bytes, len, &parsed, text, '\0'), 1);
    cr_assert_eq(parsed, len);
}

static const char rfc8448_client[] =
    "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
static const char rfc8448_server[] =
    "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";

enum { FILL_BYTES = 65536 };

static void connect_loopback(int fds[static 2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(listener, 1), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fds[0], (struct sockaddr *)&address, sizeof address), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(fds[1], 0);
    close(listener);
}

static size_t fill(int fd)
{
    static const uint8_t zeros[FILL_BYTES];
    size_t filled = 0;
    ssize_t len;

    while ((len = send(fd, zeros, sizeof zeros, MSG_DONTWAIT)) > 0) {
        filled += (size_t)len;
    }
    return filled;
}

static void drain(int fd, size_t len)
{
    static uint8_t ignored[FILL_BYTES];

    while (len > 0) {
        ssize_t taken = recv(fd, ignored, sizeof ignored, 0);

        cr_assert_gt(taken, 0);
        len -= (size_t)taken;
    }
}

Test(ktls, records_are_passed_on_when_the_send_buffer_has_room, .timeout = 30)
{
    int fds[2];

    connect_loopback(fds);
    cr_assert(ktls_is_passed_on(fds[0]), "nothing was sent");
    size_t filled = fill(fds[0]);

    cr_assert_gt(filled, 0);
    cr_assert_not(ktls_is_passed_on(fds[0]), "%zu bytes filled it", filled);
    drain(fds[1], filled);
    while (!ktls_is_passed_on(fds[0])) { /* until the last acknowledgement came */
        sched_yield();
    }
    close(fds[0]);
    close(fds[1]);
}

Test(ktls, nothing_waits_where_there_is_no_socket)
{
    cr_assert(ktls_is_passed_on(-1));
}

static struct tls_secrets rfc8448(void)
{
    struct tls_secrets secrets = {.client_len = 32, .server_len = 32};

    parse_hex(rfc8448_client, secrets.client, 32);
    parse_hex(rfc8448_server, secrets.server, 32);
    return secrets;
}

static void expect_aes_128(const uint8_t *given, const char *key_text, const char *iv_text,
                           uint64_t sequence)
{
    struct tls12_crypto_info_aes_gcm_128 info;
    uint8_t key[16], iv[IV_LEN];

    memcpy(&info, given, sizeof info);
    parse_hex(key_text, key, sizeof key);
    parse_hex(iv_text, iv, sizeof iv);
    cr_assert_eq(info.info.version, TLS_1_3_VERSION);
    cr_assert_eq(info.info.cipher_type, TLS_CIPHER_AES_GCM_128);
    cr_assert_eq(memcmp(info.key, key, sizeof key), 0);
    cr_assert_eq(memcmp(info.salt, iv, SALT_LEN), 0);
    cr_assert_eq(memcmp(info.iv, iv + SALT_LEN, IV_LEN - SALT_LEN), 0);
    for (unsigned i = 0; i < 8; i++) {
        cr_assert_eq(info.rec_seq[i], (uint8_t)(sequence >> (56 - 8 * i)), "big-endian");
    }
}

Test(ktls, installs_the_keys_of_rfc_8448)
{
    struct tls_secrets secrets = rfc8448();

    cr_assert_eq(ktls_install(FD, TLS_AES_128_GCM, &secrets, 0x0102030405060708), KTLS_INSTALLED);
    cr_assert_eq(kernel.tx_len, sizeof(struct tls12_crypto_info_aes_gcm_128));
    expect_aes_128(kernel.tx, "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984",
                   0x0102030405060708);
    expect_aes_128(kernel.rx, "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9", 0);
}

/* HKDF-Expand-Label of OpenSSL. */
static void reference(const char *digest, const uint8_t *secret, size_t secret_len,
                      const char *label, uint8_t *out, size_t out_len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret,
                                          secret_len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, (void *)(uintptr_t) "tls13 ", 6),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, (void *)(uintptr_t)label,
                                          strlen(label)),
        OSSL_PARAM_construct_end()};

    cr_assert_eq(EVP_KDF_derive(ctx, out, out_len, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

static const struct {
    enum tls_suite suite;
    uint16_t id;
    const char *digest;
    size_t secret_len, key_len;
} suites[] = {{TLS_AES_128_GCM, 0x1301, "SHA256", 32, 16},
              {TLS_AES_256_GCM, 0x1302, "SHA384", 48, 32},
              {TLS_CHACHA20_POLY1305, 0x1303, "SHA256", 32, 32}};

static struct tls_secrets pattern(size_t len)
{
    struct tls_secrets secrets = {.client_len = len, .server_len = len};

    for (size_t i = 0; i < len; i++) {
        secrets.client[i] = (uint8_t)(i * 7 + 1);
        secrets.server[i] = (uint8_t)(i * 13 + 5);
    }
    return secrets;
}

/* Where key and nonce lie, by the header of the kernel. */
static void expect_keys(size_t index, const uint8_t *given, const uint8_t *secret)
{
    uint8_t key[32], iv[IV_LEN];
    struct tls12_crypto_info_aes_gcm_256 aes;
    struct tls12_crypto_info_chacha20_poly1305 chacha;

    reference(suites[index].digest, secret, suites[index].secret_len, "key", key,
              suites[index].key_len);
    reference(suites[index].digest, secret, suites[index].secret_len, "iv", iv, sizeof iv);
    switch (suites[index].suite) {
    case TLS_AES_128_GCM: {
        struct tls12_crypto_info_aes_gcm_128 small;

        memcpy(&small, given, sizeof small);
        cr_assert_eq(memcmp(small.key, key, sizeof small.key), 0);
        cr_assert_eq(memcmp(small.salt, iv, SALT_LEN), 0);
        cr_assert_eq(memcmp(small.iv, iv + SALT_LEN, sizeof small.iv), 0);
        return;
    }
    case TLS_AES_256_GCM:
        memcpy(&aes, given, sizeof aes);
        cr_assert_eq(aes.info.cipher_type, TLS_CIPHER_AES_GCM_256);
        cr_assert_eq(memcmp(aes.key, key, sizeof aes.key), 0);
        cr_assert_eq(memcmp(aes.salt, iv, SALT_LEN), 0);
        cr_assert_eq(memcmp(aes.iv, iv + SALT_LEN, sizeof aes.iv), 0);
        return;
    case TLS_CHACHA20_POLY1305:
        memcpy(&chacha, given, sizeof chacha);
        cr_assert_eq(chacha.info.cipher_type, TLS_CIPHER_CHACHA20_POLY1305);
        cr_assert_eq(memcmp(chacha.key, key, sizeof chacha.key), 0);
        cr_assert_eq(memcmp(chacha.iv, iv, sizeof chacha.iv), 0);
        return;
    case TLS_SUITE_COUNT:
        cr_assert_fail();
    }
}

Test(ktls, derives_keys_and_their_successors_as_openssl_does)
{
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        struct tls_secrets secrets = pattern(suites[i].secret_len);
        uint8_t next[TLS_SECRET_BYTES_MAX];

        cr_assert_eq(tls_suite_of(suites[i].id), suites[i].suite);
        cr_assert_eq(ktls_install(FD, suites[i].suite, &secrets, 0), KTLS_INSTALLED);
        expect_keys(i, kernel.tx, secrets.server);
        expect_keys(i, kernel.rx, secrets.client);
        for (unsigned update = 0; update < 2; update++) {
            reference(suites[i].digest, secrets.client, suites[i].secret_len, "traffic upd", next,
                      suites[i].secret_len);
            cr_assert_eq(ktls_rekey_receive(FD, suites[i].suite, &secrets), 0);
            cr_assert_eq(memcmp(secrets.client, next, suites[i].secret_len), 0);
            expect_keys(i, kernel.rx, next);
            reference(suites[i].digest, secrets.server, suites[i].secret_len, "traffic upd", next,
                      suites[i].secret_len);
            cr_assert_eq(ktls_rekey_send(FD, suites[i].suite, &secrets), 0);
            cr_assert_eq(memcmp(secrets.server, next, suites[i].secret_len), 0);
            expect_keys(i, kernel.tx, next);
        }
    }
    cr_assert_eq(tls_suite_of(0x1304), TLS_SUITE_COUNT);
    cr_assert_eq(tls_suite_of(0xc02b), TLS_SUITE_COUNT, "TLS 1.2 is not for the kernel");
}

Test(ktls, says_how_far_an_installation_came)
{
    static const struct {
        int ulp, tx, rx;
        enum ktls_result result;
    } cases[] = {{0, 0, 0, KTLS_INSTALLED},        {ENOTCONN, 0, 0, KTLS_PEER_GONE},
                 {ENOENT, 0, 0, KTLS_REFUSED},     {EEXIST, 0, 0, KTLS_REFUSED},
                 {0, ENOENT, 0, KTLS_REFUSED},     {0, EINVAL, 0, KTLS_REFUSED},
                 {0, 0, EINVAL, KTLS_BROKEN},      {0, 0, ENOMEM, KTLS_BROKEN},
                 {0, ENOMEM, EINVAL, KTLS_REFUSED}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_secrets secrets = rfc8448();

        reset();
        kernel.ulp_error = cases[i].ulp;
        kernel.tx_error = cases[i].tx;
        kernel.rx_error = cases[i].rx;
        cr_assert_eq(ktls_install(FD, TLS_AES_128_GCM, &secrets, 0), cases[i].result, "case %zu",
                     i);
        cr_assert_eq(kernel.rx_calls, cases[i].ulp == 0 && cases[i].tx == 0 ? 1 : 0);
    }
}

Test(ktls, refuses_secrets_of_another_length_before_it_touches_the_socket)
{
    struct tls_secrets none = {0};
    struct tls_secrets secrets = rfc8448();

    cr_assert_eq(ktls_install(FD, TLS_AES_128_GCM, &none, 0), KTLS_REFUSED);
    cr_assert_eq(ktls_install(FD, TLS_AES_256_GCM, &secrets, 0), KTLS_REFUSED);
    cr_assert_eq(kernel.ulp_calls, 0);
}

Test(ktls, keeps_the_old_secret_when_the_kernel_does_not_take_the_next)
{
    struct tls_secrets secrets = rfc8448();
    struct tls_secrets before = secrets;

    kernel.tx_error = EBUSY;
    kernel.rx_error = EBUSY;
    cr_assert_eq(ktls_rekey_receive(FD, TLS_AES_128_GCM, &secrets), -EBUSY);
    cr_assert_eq(ktls_rekey_send(FD, TLS_AES_128_GCM, &secrets), -EBUSY);
    cr_assert_eq(memcmp(&secrets, &before, sizeof secrets), 0);
}

Test(ktls, record_headers_carry_their_type)
{
    static const uint8_t close_notify[] = {1, 0};
    struct ktls_record record;

    ktls_record_prepare_send(&record, TLS_CONTENT_ALERT, bytes_of(close_notify, 2));
    struct cmsghdr *control = CMSG_FIRSTHDR(&record.header);

    if (control == NULL) {
        abort(); /* no room for the type */
    }
    cr_assert_eq(record.header.msg_iovlen, 1);
    cr_assert_eq(record.slice.iov_len, 2);
    cr_assert_eq(memcmp(record.slice.iov_base, close_notify, 2), 0);
    cr_assert_eq(control->cmsg_level, SOL_TLS);
    cr_assert_eq(control->cmsg_type, TLS_SET_RECORD_TYPE);
    cr_assert_eq(*CMSG_DATA(control), 21);

    ktls_record_prepare_receive(&record);
    cr_assert_eq(record.slice.iov_len, KTLS_RECORD_SIZE);
    cr_assert_eq(ktls_record_type(&record), TLS_CONTENT_DATA, "the kernel said nothing");
    control = CMSG_FIRSTHDR(&record.header);
    if (control == NULL) {
        abort(); /* no room for the type */
    }
    control->cmsg_level = SOL_TLS;
    control->cmsg_type = TLS_GET_RECORD_TYPE;
    control->cmsg_len = CMSG_LEN(1);
    *CMSG_DATA(control) = 22;
    cr_assert_eq(ktls_record_type(&record), TLS_CONTENT_HANDSHAKE);
    record.header.msg_controllen = 0;
    cr_assert_eq(ktls_record_type(&record), TLS_CONTENT_DATA);
}
