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
    size_t each = sizeof messages[0] + RELAY_V1_ENVELOPE_SIZE;
    struct preamble *preamble = malloc(sizeof *preamble + count * each + len);

    if (preamble == NULL) {
        return -ENOMEM;
    }
    preamble->references = 1;
    preamble->count = count;
    uint8_t *bytes = (uint8_t *)&preamble->messages[count];

    for (size_t i = 0; i < count; i++) {
        bytes += RELAY_V1_ENVELOPE_SIZE;
        if (messages[i].len > 0) {
            memcpy(bytes, messages[i].data, messages[i].len);
        }
        preamble->messages[i] = (struct relay_client_slice){bytes, messages[i].len};
        bytes += messages[i].len;
    }
    *ret_preamble = preamble;
    return 0;
}

uint8_t *preamble_envelope(const struct preamble *preamble, size_t index)
{
    /* Behind the struct, so it is not constant. */
    uint8_t *bytes = (uint8_t *)(uintptr_t)preamble->messages[index].data;

    return bytes - RELAY_V1_ENVELOPE_SIZE;
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
