#include "server/tls/record/tls_record.h"

enum { TYPE_CHANGE_CIPHER_SPEC = 20, TYPE_APPLICATION_DATA = 23, VERSION_MAJOR = 3 };

static size_t record_len(const uint8_t *header)
{
    return TLS_RECORD_HEADER + ((size_t)header[3] << 8 | header[4]);
}

size_t tls_record_measure(const uint8_t header[static TLS_RECORD_HEADER])
{
    size_t len = record_len(header);

    if (header[0] < TYPE_CHANGE_CIPHER_SPEC || header[0] > TYPE_APPLICATION_DATA ||
        header[1] != VERSION_MAJOR || len == TLS_RECORD_HEADER || len > TLS_RECORD_BYTES_MAX) {
        return 0;
    }
    return len;
}

uint32_t tls_record_count(const uint8_t *data, size_t len)
{
    uint32_t count = 0;

    for (size_t offset = 0; offset + TLS_RECORD_HEADER <= len; count++) {
        offset += record_len(data + offset);
    }
    return count;
}
