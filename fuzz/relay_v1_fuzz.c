/* relay_v1_envelope_read, relay_v1_control_read: what is read can be written, and is then the same
 * bytes as far as this version knows them; a longer message means the same. Input: one message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/subprotocol/relay_v1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_envelope(const uint8_t *data)
{
    struct relay_v1_envelope envelope, again;
    uint8_t written[RELAY_V1_ENVELOPE_SIZE];

    relay_v1_envelope_read(data, &envelope);
    relay_v1_envelope_write(&envelope, written);
    relay_v1_envelope_read(written, &again);
    CHECK(memcmp(&envelope, &again, sizeof again) == 0);
    CHECK(memcmp(written + 2, data + 2, sizeof written - 2) == 0);
    CHECK(written[0] == data[0] || written[0] == RELAY_V1_DATA);
    CHECK((written[1] & ~data[1]) == 0);
}

/* All but the bytes that are zero. */
static void check_round_trip(struct bytes message, const struct relay_v1_control *control)
{
    uint8_t *written = malloc(message.len);
    struct relay_v1_control again;

    CHECK(written != NULL);
    size_t len = relay_v1_control_write(control, written, message.len);

    CHECK(len >= RELAY_V1_HEAD_SIZE && len <= message.len);
    CHECK(written[0] == message.data[0]);
    CHECK(memcmp(written + RELAY_V1_HEAD_SIZE, message.data + RELAY_V1_HEAD_SIZE,
                 len - RELAY_V1_HEAD_SIZE) == 0);
    CHECK(relay_v1_control_read(bytes_of(written, len), &again) == RELAY_V1_OK);
    CHECK(again.kind == control->kind);
    if (len > RELAY_V1_HEAD_SIZE && control->kind != RELAY_V1_TOKEN) {
        CHECK(relay_v1_control_read(bytes_of(written, len - 1), &again) == RELAY_V1_TOO_SHORT);
        CHECK(relay_v1_control_write(control, written, len - 1) == 0);
    }
    free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes message = bytes_of(data, size);
    struct relay_v1_control control;

    if (size >= RELAY_V1_ENVELOPE_SIZE && relay_v1_is_payload(data[0])) {
        read_envelope(data);
    }
    switch (relay_v1_control_read(message, &control)) {
    case RELAY_V1_OK:
        check_round_trip(message, &control);
        break;
    case RELAY_V1_TOO_LONG:
        CHECK(size > RELAY_V1_CONTROL_MAX);
        break;
    case RELAY_V1_UNKNOWN:
    case RELAY_V1_TOO_SHORT:
        CHECK(size <= RELAY_V1_CONTROL_MAX);
        break;
    }
    return 0;
}
