#include "server/handover/handover_writer.h"

#include <endian.h>
#include <string.h>

#include "base/check.h"
#include "server/handover/handover_format.h"

void handover_writer_init(struct handover_writer *writer, void *memory, size_t size)
{
    *writer = (struct handover_writer){.memory = memory, .size = size};
}

static bool has_room(struct handover_writer *writer, size_t len)
{
    if (len <= writer->size - writer->len) {
        return true;
    }
    if (writer->grow == NULL) {
        return false;
    }
    writer->failed = writer->grow(writer, len);
    return writer->failed == 0;
}

static void put(struct handover_writer *writer, const void *data, size_t len)
{
    if (writer->is_full || !has_room(writer, len)) {
        writer->is_full = true;
        return;
    }
    if (len > 0) {
        memcpy(writer->memory + writer->len, data, len);
        writer->len += len;
    }
}

static void put_16(struct handover_writer *writer, uint16_t value)
{
    uint16_t little = htole16(value);

    put(writer, &little, sizeof little);
}

static void put_32(struct handover_writer *writer, uint32_t value)
{
    uint32_t little = htole32(value);

    put(writer, &little, sizeof little);
}

bool handover_writer_prelude(struct handover_writer *writer)
{
    CHECK(writer->len == 0 && !writer->is_open);
    put(writer, HANDOVER_MAGIC, HANDOVER_MAGIC_BYTES);
    put_16(writer, HANDOVER_VERSION);
    put_16(writer, HANDOVER_VERSION_OLDEST);
    put_32(writer, 0);
    return !writer->is_full;
}

void handover_writer_begin(struct handover_writer *writer, uint16_t kind, uint16_t fds)
{
    CHECK(!writer->is_open && fds <= HANDOVER_FDS_MAX);
    writer->is_open = true;
    writer->is_full = false;
    writer->last_id = 0;
    writer->record_at = writer->len;
    put_16(writer, kind);
    put_16(writer, fds);
    put_32(writer, 0); /* the length, when it is known */
}

void handover_writer_bytes(struct handover_writer *writer, uint16_t id, struct bytes bytes)
{
    CHECK(writer->is_open && (uint32_t)id + 1 > writer->last_id);
    writer->last_id = (uint32_t)id + 1;
    if (bytes.len > HANDOVER_RECORD_BYTES_MAX) {
        writer->is_full = true;
        return;
    }
    put_16(writer, id);
    put_16(writer, 0);
    put_32(writer, (uint32_t)bytes.len);
    put(writer, bytes.data, bytes.len);
}

void handover_writer_number(struct handover_writer *writer, uint16_t id, uint64_t value)
{
    uint64_t little = htole64(value);

    handover_writer_bytes(writer, id, bytes_of(&little, sizeof little));
}

bool handover_writer_end(struct handover_writer *writer)
{
    CHECK(writer->is_open);
    writer->is_open = false;
    size_t head_at = writer->record_at;

    if (writer->is_full ||
        writer->len - head_at - HANDOVER_RECORD_HEAD_BYTES > HANDOVER_RECORD_BYTES_MAX) {
        bytes_wipe(writer->memory + head_at, writer->len - head_at); /* keys, perhaps */
        writer->len = head_at;
        return false;
    }
    uint32_t len = htole32((uint32_t)(writer->len - head_at - HANDOVER_RECORD_HEAD_BYTES));

    memcpy(writer->memory + head_at + 4, &len, sizeof len);
    return true;
}
