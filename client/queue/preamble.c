#include "client/queue/preamble.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int total_len(const struct relay_client_slice *messages, size_t count, size_t bytes_max,
                     size_t *ret_len)
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        if (messages[i].len > bytes_max - len) {
            return -EMSGSIZE;
        }
        len += messages[i].len;
    }
    *ret_len = len;
    return 0;
}

int preamble_create(const struct relay_client_slice *messages, size_t count, size_t bytes_max,
                    struct preamble **ret_preamble)
{
    size_t len;

    if (total_len(messages, count, bytes_max, &len) != 0) {
        return -EMSGSIZE;
    }
    struct preamble *preamble = malloc(sizeof *preamble + count * sizeof messages[0] + len);

    if (preamble == NULL) {
        return -ENOMEM;
    }
    preamble->references = 1;
    preamble->count = count;
    uint8_t *bytes = (uint8_t *)&preamble->messages[count];

    for (size_t i = 0; i < count; i++) {
        if (messages[i].len > 0) {
            memcpy(bytes, messages[i].data, messages[i].len);
        }
        preamble->messages[i] = (struct relay_client_slice){bytes, messages[i].len};
        bytes += messages[i].len;
    }
    *ret_preamble = preamble;
    return 0;
}

struct preamble *preamble_ref(struct preamble *preamble)
{
    if (preamble != NULL) {
        preamble->references++;
    }
    return preamble;
}

void preamble_unref(struct preamble *preamble)
{
    if (preamble != NULL && --preamble->references == 0) {
        free(preamble);
    }
}

bool preamble_equals(const struct preamble *preamble, const struct relay_client_slice *messages,
                     size_t count)
{
    if (preamble == NULL || preamble->count != count) {
        return preamble == NULL && count == 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (preamble->messages[i].len != messages[i].len ||
            (messages[i].len > 0 &&
             memcmp(preamble->messages[i].data, messages[i].data, messages[i].len) != 0)) {
            return false;
        }
    }
    return true;
}
