/* Fuzzes tls_control_parse and the reading back of a record's type (server/tls/ktls.c). The first
 * byte is the record type, the rest its payload. */
#include <string.h>

#include "base/check.h"
#include "server/tls/ktls.h"

static void check_meaning(enum tls_control control, uint8_t type, struct bytes payload)
{
    switch (control) {
    case TLS_CONTROL_CLOSE:
        CHECK(type == TLS_CONTENT_ALERT && payload.len == 2 && payload.data[1] == 0);
        return;
    case TLS_CONTROL_ALERT:
        CHECK(type == TLS_CONTENT_ALERT && payload.len == 2 && payload.data[1] != 0);
        return;
    case TLS_CONTROL_NOTHING:
        CHECK(type == TLS_CONTENT_ALERT && payload.len == 2 && payload.data[1] == 90);
        return;
    case TLS_CONTROL_REKEY:
    case TLS_CONTROL_REKEY_AND_ANSWER:
        CHECK(type == TLS_CONTENT_HANDSHAKE && payload.len == 5);
        CHECK(memcmp(payload.data, "\x18\x00\x00\x01", 4) == 0);
        CHECK(payload.data[4] == (control == TLS_CONTROL_REKEY_AND_ANSWER));
        return;
    case TLS_CONTROL_BAD_VALUE:
        CHECK(type == TLS_CONTENT_HANDSHAKE && payload.len == 5);
        CHECK(memcmp(payload.data, "\x18\x00\x00\x01", 4) == 0 && payload.data[4] > 1);
        return;
    case TLS_CONTROL_BAD:
        return;
    }
}

/* A record sent comes back unchanged when the kernel copies it. */
static void check_record(uint8_t type, struct bytes payload)
{
    static struct ktls_record record;

    if (payload.len > KTLS_RECORD_SIZE) {
        return;
    }
    ktls_record_prepare_send(&record, (enum tls_content)type, payload);
    CHECK(record.slice.iov_len == payload.len);
    CHECK(memcmp(record.data, payload.data, payload.len) == 0);
    ktls_record_prepare_receive(&record);
    CHECK(ktls_record_type(&record) == TLS_CONTENT_DATA);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct bytes payload = bytes_of(data + 1, size - 1);

    check_meaning(tls_control_parse(data[0], payload), data[0], payload);
    check_record(data[0], payload);
    return 0;
}
