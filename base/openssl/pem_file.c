#include "base/openssl/pem_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/openssl/openssl_error.h"

enum { LOOK_SIZE = 64 * 1024, ASN1_SEQUENCE = 0x30 };

static const char *explain_certificate(const char *text)
{
    if (strstr(text, "-----BEGIN CERTIFICATE REQUEST-----") != NULL ||
        strstr(text, "-----BEGIN NEW CERTIFICATE REQUEST-----") != NULL) {
        return "holds a request for a certificate, not the certificate";
    }
    if (strstr(text, "-----BEGIN CERTIFICATE-----") == NULL &&
        strstr(text, "PRIVATE KEY-----") != NULL) {
        return "holds a private key and no certificate";
    }
    return NULL;
}

static const char *explain_key(const char *text)
{
    if (strstr(text, "-----BEGIN ENCRYPTED PRIVATE KEY-----") != NULL ||
        strstr(text, "Proc-Type: 4,ENCRYPTED") != NULL) {
        return "the key is encrypted, and no password is asked for; "
               "openssl pkey writes it without";
    }
    if (strstr(text, "PRIVATE KEY-----") == NULL && strstr(text, "CERTIFICATE-----") != NULL) {
        return "holds a certificate and no private key";
    }
    return NULL;
}

/* NULL: nothing that can be told by looking. */
static const char *explain_content(struct bytes content, enum pem_file_content wanted)
{
    const char *text = (const char *)content.data;
    const char *begin = strstr(text, "-----BEGIN ");

    if (content.len == 0) {
        return "is empty";
    }
    if (content.data[0] == ASN1_SEQUENCE && begin == NULL) {
        return "is in DER form, not PEM; openssl writes one as the other";
    }
    if (begin == NULL) {
        return "is not PEM: no line of it opens with -----BEGIN";
    }
    const char *found =
        wanted == PEM_FILE_CERTIFICATE ? explain_certificate(text) : explain_key(text);

    return found == NULL && strstr(begin, "-----END ") == NULL
               ? "is cut off: its -----END is missing"
               : found;
}

/* 0 or -errno. */
static int content_read(const char *path, char *data, size_t size, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    size_t len = 0;
    ssize_t got = -1;

    if (fd < 0) {
        return -errno;
    }
    while (len < size - 1 && (got = read(fd, data + len, size - 1 - len)) > 0) {
        len += (size_t)got;
    }
    int failed = got < 0 ? -errno : 0;

    close(fd);
    data[len] = '\0';
    *ret_len = len;
    return failed;
}

/* OpenSSL could not even read the lines or the structure; its words for that tell people nothing.
 */
static bool is_damage(unsigned long error)
{
    int library = ERR_GET_LIB(error);

    return library == ERR_LIB_PEM || library == ERR_LIB_ASN1 || library == ERR_LIB_OSSL_DECODER;
}

void pem_file_explain(const char *path, enum pem_file_content wanted,
                      char fault[static PEM_FILE_FAULT_SIZE])
{
    char content[LOOK_SIZE];
    size_t len = 0;
    int failed = content_read(path, content, sizeof content, &len);
    bool is_damaged = is_damage(ERR_peek_error());
    const char *words = openssl_error_take();

    if (failed != 0) {
        words = strerror(-failed);
    } else {
        const char *seen = explain_content(bytes_of(content, len), wanted);

        if (seen != NULL || is_damaged) {
            words = seen != NULL ? seen : "is damaged: what stands below -----BEGIN cannot be read";
        }
    }
    snprintf(fault, PEM_FILE_FAULT_SIZE, "%s", words);
    bytes_wipe(content, sizeof content); /* it may hold a key */
}
