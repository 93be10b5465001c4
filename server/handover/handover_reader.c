#include "server/handover/handover_reader.h"

#include <endian.h>
#include <string.h>

#include "base/check.h"
#include "server/handover/handover_format.h"

struct field {
    uint16_t id;
    struct bytes value;
};

static uint16_t get_16(const uint8_t *data)
{
    uint16_t little;

    memcpy(&little, data, sizeof little);
    return le16toh(little);
}

static uint32_t get_32(const uint8_t *data)
{
    uint32_t little;

    memcpy(&little, data, sizeof little);
    return le32toh(little);
}

enum handover_read handover_reader_prelude(struct bytes input, uint16_t *ret_version)
{
    size_t len = input.len < HANDOVER_MAGIC_BYTES ? input.len : HANDOVER_MAGIC_BYTES;

    if (len > 0 && memcmp(input.data, HANDOVER_MAGIC, len) != 0) {
        return HANDOVER_REFUSED;
    }
    if (input.len < HANDOVER_PRELUDE_BYTES) {
        return HANDOVER_PARTIAL;
    }
    uint16_t version = get_16(input.data + 8);
    uint16_t oldest = get_16(input.data + 10);

    if (version < HANDOVER_VERSION_OLDEST || oldest > HANDOVER_VERSION || oldest > version) {
        return HANDOVER_REFUSED;
    }
    *ret_version = version;
    return HANDOVER_READ;
}

/* Takes the first field off them. False: there is no whole one. */
static bool take_field(struct bytes *fields, struct field *ret_field)
{
    if (fields->len < HANDOVER_FIELD_HEAD_BYTES) {
        return false;
    }
    uint32_t len = get_32(fields->data + 4);
    struct bytes rest = bytes_skip(*fields, HANDOVER_FIELD_HEAD_BYTES);

    if (get_16(fields->data + 2) != 0 || len > rest.len) {
        return false;
    }
    ret_field->id = get_16(fields->data);
    ret_field->value = bytes_of(rest.data, len);
    *fields = bytes_skip(rest, len);
    return true;
}

static void mark(struct handover_record *record, uint16_t id, size_t offset, size_t number)
{
    if (number % HANDOVER_MARK_EVERY == HANDOVER_MARK_EVERY - 1 &&
        record->marks_count < HANDOVER_MARKS_MAX) {
        record->marks[record->marks_count++] =
            (struct handover_mark){.id = id, .offset = (uint32_t)offset};
    }
}

/* True: the fields are sound; some of them are marked then. */
static bool take_fields(struct handover_record *record)
{
    struct bytes rest = record->fields;
    struct field field;
    uint32_t id_min = 0;

    for (size_t number = 0; rest.len > 0; number++) {
        size_t offset = record->fields.len - rest.len;

        if (!take_field(&rest, &field) || field.id < id_min) {
            return false;
        }
        id_min = (uint32_t)field.id + 1;
        mark(record, field.id, offset, number);
    }
    return true;
}

/* The fields from the last mark on that is not behind the id. */
static struct bytes from_mark(const struct handover_record *record, uint16_t id)
{
    size_t offset = 0;

    for (unsigned i = 0; i < record->marks_count && record->marks[i].id <= id; i++) {
        offset = record->marks[i].offset;
    }
    return bytes_skip(record->fields, offset);
}

enum handover_read handover_reader_record(struct bytes input, struct handover_record *ret_record,
                                          size_t *ret_len)
{
    *ret_len = HANDOVER_RECORD_HEAD_BYTES;
    if (input.len < HANDOVER_RECORD_HEAD_BYTES) {
        return HANDOVER_PARTIAL;
    }
    uint16_t fds = get_16(input.data + 2);
    uint32_t len = get_32(input.data + 4);

    if (fds > HANDOVER_FDS_MAX || len > HANDOVER_RECORD_BYTES_MAX) {
        return HANDOVER_REFUSED;
    }
    *ret_len += len;
    if (input.len < *ret_len) {
        return HANDOVER_PARTIAL;
    }
    struct handover_record record = {
        .kind = get_16(input.data),
        .fds = fds,
        .fields = bytes_of(input.data + HANDOVER_RECORD_HEAD_BYTES, len),
    };

    if (!take_fields(&record)) {
        return HANDOVER_REFUSED;
    }
    *ret_record = record;
    return HANDOVER_READ;
}

bool handover_reader_bytes(const struct handover_record *record, uint16_t id,
                           struct bytes *ret_bytes)
{
    struct bytes fields = from_mark(record, id);
    struct field field;

    while (take_field(&fields, &field) && field.id <= id) {
        if (field.id == id) {
            *ret_bytes = field.value;
            return true;
        }
    }
    return false;
}

bool handover_reader_number(const struct handover_record *record, uint16_t id, uint64_t *ret_value)
{
    struct bytes bytes;
    uint64_t little;

    if (!handover_reader_bytes(record, id, &bytes) || bytes.len != sizeof little) {
        return false;
    }
    memcpy(&little, bytes.data, sizeof little);
    *ret_value = le64toh(little);
    return true;
}

bool handover_reader_begin(struct handover_walk *walk, struct bytes stream)
{
    uint16_t version;

    if (handover_reader_prelude(stream, &version) != HANDOVER_READ) {
        return false;
    }
    *walk = (struct handover_walk){.rest = bytes_skip(stream, HANDOVER_PRELUDE_BYTES)};
    return true;
}

bool handover_reader_next(struct handover_walk *walk, struct handover_record *ret_record)
{
    size_t len;

    if (walk->rest.len == 0 || walk->is_refused) {
        return false;
    }
    if (handover_reader_record(walk->rest, ret_record, &len) != HANDOVER_READ) {
        walk->is_refused = true;
        return false;
    }
    walk->rest = bytes_skip(walk->rest, len);
    return true;
}

bool handover_reader_is_whole(const struct handover_walk *walk)
{
    return !walk->is_refused && walk->rest.len == 0;
}
