#include "server/handover/live/live_message.h"

#include <string.h>

#include "base/check.h"
#include "server/handover/live/live_format.h"
#include "server/handover/live/live_scalars.h"
#include "server/hub/message_part.h"

enum { FIELDS_BYTES = 512 }; /* of its record, without payload and splice */

static const struct live_scalar stamps[] = {
    LIVE_SCALAR_BOOL(struct message, is_secret, LIVE_MESSAGE_IS_SECRET),
    LIVE_SCALAR_BOOL(struct message, is_leading, LIVE_MESSAGE_IS_LEADING),
    LIVE_SCALAR_BOOL(struct message, starts_at_boundary, LIVE_MESSAGE_STARTS_AT_BOUNDARY),
    LIVE_SCALAR_COUNT(struct message, stream, LIVE_MESSAGE_STREAM),
    LIVE_SCALAR_COUNT(struct message, sequence, LIVE_MESSAGE_SEQUENCE),
    LIVE_SCALAR_COUNT(struct message, source, LIVE_MESSAGE_SOURCE),
    LIVE_SCALAR_PAST(struct message, received_ms, LIVE_MESSAGE_RECEIVED_MS),
    LIVE_SCALAR_COUNT(struct message, received_us, LIVE_MESSAGE_RECEIVED_US),
    LIVE_SCALAR_COUNT(struct message, sent_us, LIVE_MESSAGE_SENT_US),
};

static struct bytes splice_of(const struct message_parts *parts)
{
    return bytes_of(parts->front + parts->front_header_len,
                    (size_t)parts->front_len - parts->front_header_len);
}

static bool has_start(const struct message *message)
{
    return message_part_exists(message, MESSAGE_START);
}

size_t live_message_size(const struct message *message)
{
    size_t splice_len = has_start(message) ? splice_of(message->parts).len : 0;

    return FIELDS_BYTES + splice_len + message->payload_len;
}

static void write_parts(struct handover_writer *writer, const struct message *message)
{
    if (message_part_exists(message, MESSAGE_STOP)) {
        handover_writer_number(writer, LIVE_MESSAGE_STOP,
                               message->may_stop ? message->payload_len
                                                 : message->parts->stop_offset);
    }
    if (has_start(message)) {
        handover_writer_number(writer, LIVE_MESSAGE_START, message->parts->start_offset);
        handover_writer_bytes(writer, LIVE_MESSAGE_SPLICE, splice_of(message->parts));
    }
}

bool live_message_write(struct handover_writer *writer, const struct live_census *census,
                        const struct message *message)
{
    handover_writer_begin(writer, LIVE_KIND_MESSAGE, 0);
    handover_writer_number(writer, LIVE_MESSAGE_CLASS, message->class);
    if (message->class != MESSAGE_UNFRAMED) {
        handover_writer_number(writer, LIVE_MESSAGE_OPCODE, message_bytes(message).data[0] & 0x0f);
    }
    if (message->topic != NULL) {
        handover_writer_number(writer, LIVE_MESSAGE_TOPIC,
                               live_census_topic(census, message->topic));
    }
    live_scalars_write(writer, stamps, ARRAY_LENGTH(stamps), message, census->worker);
    write_parts(writer, message);
    handover_writer_bytes(writer, LIVE_MESSAGE_PAYLOAD,
                          bytes_of(message->payload, message->payload_len));
    return handover_writer_end(writer);
}

struct head {
    uint64_t class, opcode;
    struct topic *topic;
    struct bytes payload;
};

/* Whether such a message may have that frame. */
static bool is_framed(const struct head *head)
{
    switch ((enum message_class)head->class) {
    case MESSAGE_UNFRAMED:
        return head->topic == NULL;
    case MESSAGE_PING:
        return head->opcode == WS_OPCODE_PING;
    case MESSAGE_PONG:
        return head->opcode == WS_OPCODE_PONG;
    case MESSAGE_CLOSE:
        return head->opcode == WS_OPCODE_CLOSE;
    default:
        return head->opcode == WS_OPCODE_TEXT || head->opcode == WS_OPCODE_BINARY;
    }
}

static bool read_head(const struct handover_record *record, const struct live_topics *topics,
                      struct head *ret_head)
{
    uint64_t topic;

    *ret_head = (struct head){0};
    if (handover_reader_number(record, LIVE_MESSAGE_TOPIC, &topic)) {
        if (topic >= topics->count) {
            return false;
        }
        ret_head->topic = topics->all[topic];
    }
    (void)!handover_reader_number(record, LIVE_MESSAGE_OPCODE, &ret_head->opcode);
    return handover_reader_number(record, LIVE_MESSAGE_CLASS, &ret_head->class) &&
           ret_head->class < MESSAGE_CLASS_COUNT && is_framed(ret_head) &&
           handover_reader_bytes(record, LIVE_MESSAGE_PAYLOAD, &ret_head->payload) &&
           ret_head->payload.len <= MESSAGE_BYTES_MAX;
}

static struct message *make(struct worker *worker, const struct head *head)
{
    struct message *message = head->class == MESSAGE_UNFRAMED
                                  ? message_create_unframed(worker, head->payload.len)
                                  : message_create(worker, head->payload.len);

    if (message == NULL) {
        return NULL;
    }
    message->class = (enum message_class)head->class;
    if (head->payload.len > 0) {
        memcpy(message->payload, head->payload.data, head->payload.len);
    }
    message->payload_len = (uint32_t)head->payload.len;
    if (head->class != MESSAGE_UNFRAMED) {
        message_frame(message, (enum ws_opcode)head->opcode);
    }
    if (head->topic != NULL) {
        message_charge(worker, message, head->topic);
    }
    return message;
}

/* Without memory for its parts it has none, as ever: then a viewer that was to have one cannot be
 * read either. */
static bool read_parts(const struct handover_record *record, struct worker *worker,
                       struct message *message)
{
    uint64_t start, stop = 0;
    struct bytes splice = {0};
    bool may_have = message_is_published(message) && message->topic != NULL;

    if (handover_reader_number(record, LIVE_MESSAGE_STOP, &stop) &&
        (!may_have || stop > message->payload_len)) {
        return false;
    }
    if (!handover_reader_number(record, LIVE_MESSAGE_START, &start)) {
        return !may_have || message_part_stop_at(worker, message, (uint32_t)stop);
    }
    (void)!handover_reader_bytes(record, LIVE_MESSAGE_SPLICE, &splice);
    return may_have && start < message->payload_len && splice.len <= MESSAGE_SPLICE_BYTES_MAX &&
           message_part_start_at(worker, message, (uint32_t)start, splice, (uint32_t)stop);
}

struct message *live_message_read(const struct handover_record *record, struct worker *worker,
                                  const struct live_topics *topics, const char **error)
{
    struct head head;

    *error = "a message is none";
    if (!read_head(record, topics, &head)) {
        return NULL;
    }
    struct message *message = make(worker, &head);

    if (message == NULL) {
        *error = "no memory for messages (RELAY_MESSAGE_MEMORY)";
        return NULL;
    }
    if (!live_scalars_read(record, stamps, ARRAY_LENGTH(stamps), message, worker) ||
        !read_parts(record, worker, message)) {
        share_unref(worker, &message->home_share);
        return NULL;
    }
    return message;
}
