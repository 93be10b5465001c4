#include "server/handover/live/live_queue.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "server/hub/message_part.h"

size_t live_queue_size(const struct send_queue *queue)
{
    return (size_t)queue->count * LIVE_QUEUE_ENTRY_BYTES;
}

static void put(uint8_t *target, uint32_t number, const struct send_entry *entry)
{
    uint32_t little_number = htole32(number);
    uint32_t little_late = htole32(entry->late_ms);

    memcpy(target, &little_number, sizeof little_number);
    memcpy(target + 4, &little_late, sizeof little_late);
    target[8] = entry->part;
    target[9] = entry->is_catch_up;
    target[10] = 0;
    target[11] = 0;
}

bool live_queue_write(struct handover_writer *writer, uint16_t id, const struct live_census *census,
                      const struct send_queue *queue)
{
    size_t size = live_queue_size(queue);
    uint8_t *bytes = malloc(size + 1);

    if (bytes == NULL) {
        return false;
    }
    for (unsigned i = 0; i < queue->count; i++) {
        const struct send_entry *entry = send_queue_entry(queue, i);

        put(bytes + (size_t)i * LIVE_QUEUE_ENTRY_BYTES, live_census_share(census, entry->share),
            entry);
    }
    handover_writer_bytes(writer, id, bytes_of(bytes, size));
    free(bytes);
    return true;
}

static uint32_t get_32(const uint8_t *bytes)
{
    uint32_t little;

    memcpy(&little, bytes, sizeof little);
    return le32toh(little);
}

static bool take(const uint8_t *bytes, const struct live_messages *messages,
                 struct send_entry *ret_entry)
{
    uint32_t number = get_32(bytes);

    if (number >= messages->count || bytes[8] > MESSAGE_STOP || bytes[9] > 1) {
        return false;
    }
    struct message *message = messages->all[number];

    *ret_entry = (struct send_entry){.share = &message->home_share,
                                     .late_ms = get_32(bytes + 4),
                                     .part = bytes[8],
                                     .is_catch_up = bytes[9] == 1};
    return message_part_exists(message, (enum message_part)bytes[8]);
}

bool live_queue_read(struct bytes field, struct worker *worker, struct topic *topic,
                     const struct live_messages *messages, struct send_queue *queue)
{
    size_t count = field.len / LIVE_QUEUE_ENTRY_BYTES;

    if (field.len % LIVE_QUEUE_ENTRY_BYTES != 0 || count > LIVE_QUEUE_ENTRIES_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct send_entry entry;

        if (!take(field.data + i * LIVE_QUEUE_ENTRY_BYTES, messages, &entry)) {
            return false;
        }
        if (entry.is_catch_up) {
            send_queue_charge(queue, worker, topic);
        }
        if (!send_queue_insert(queue, worker, queue->count, entry)) {
            return false;
        }
    }
    return true;
}
