/* One message, ready to send: header and payload of its outgoing frame are contiguous and the same
 * for every viewer, so all of them send the same bytes. The memory belongs to the worker that made
 * it.
 *
 * Counting: `workers` is the number of workers that hold the message, atomic. Each holding worker
 * has one struct share with a plain count of its own references (subscriber queues, the publisher
 * while it publishes). A worker's last share_unref releases its hold; releasing the last hold
 * returns the message to its home. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "server/loop/worker.h"
#include "wire/ws_frame.h"

enum message_limits {
    MESSAGE_BYTES_MAX = 10 * 1024 * 1024, /* payload; one byte more closes with 1009 */
    MESSAGE_SHORT_BYTES = 20 * 1024,      /* up to this size an unframed one may use the reserve */
};

struct message;
struct message_parts; /* hub/message_part.h */
struct topic;

struct share {
    struct message *message;
    uint32_t count;
    uint32_t listed : 31;    /* its number in a list of the worker's, if it stands there */
    uint32_t is_charged : 1; /* its own memory is on the budget of the message's topic */
};
enum { SHARE_LISTED_MAX = INT32_MAX };

/* Whatever treats messages differently, such as hub/drop_policy.h, reads only this. */
enum message_class {
    MESSAGE_DATA,       /* a publisher's payload, as the classes that follow */
    MESSAGE_STREAM,     /* of a transport stream; no picture begins in it */
    MESSAGE_KEY,        /* a picture begins in it that needs no earlier one */
    MESSAGE_DEPENDENT,  /* a picture begins in it that does */
    MESSAGE_DISPOSABLE, /* it is a picture that no other one needs, and nothing else */
    MESSAGE_JPEG,       /* a picture of its own */
    MESSAGE_LATEST,     /* of a topic of which only the last message is of use */
    MESSAGE_UNFRAMED,   /* an HTTP response or a TLS record: no frame header; not published */
    MESSAGE_PING,
    MESSAGE_PONG,
    MESSAGE_ANSWER, /* of relay.v1, to a client that asked */
    MESSAGE_NOTICE, /* of relay.v1, of news */
    MESSAGE_CLOSE,
    MESSAGE_CLASS_COUNT,
};

struct message {
    struct outbox_item item; /* on its way home */
    struct share home_share; /* of the worker that made it */
    _Atomic uint32_t workers;
    uint16_t home; /* index of that worker */
    uint8_t header_len;
    bool is_secret; /* wiped on return: it may hold a code */
    enum message_class class : 8;
    bool may_stop;           /* at its end a viewer's stream is whole */
    bool is_leading;         /* hub/lag/leading.h */
    bool starts_at_boundary; /* before its first byte it is */
    uint32_t stream;         /* of one publisher, of which it is a piece; 0: of none */
    uint32_t payload_len;
    uint32_t payload_capacity;
    uint32_t number;             /* of its topic on its worker, in the order of publishing */
    uint32_t sequence;           /* of its publisher's messages */
    uint16_t source;             /* its publisher, among those of the topic */
    uint64_t received_ms;        /* arrival time of its last byte */
    uint64_t received_us;        /* the same by the wall clock; 0: no viewer has asked for it yet */
    uint64_t sent_us;            /* when its publisher sent it, by our clock; 0: not known */
    struct block_pool *pool;     /* of its home, which it came from */
    struct topic *topic;         /* which it is charged to, until it comes home; or NULL */
    struct message_parts *parts; /* other than the whole, or NULL */
    uint8_t header_room[WS_SERVER_HEADER_BYTES_MAX];
    uint8_t payload[]; /* directly after the header room */
};

/* A message of class MESSAGE_UNFRAMED: to a connection that was not admitted to a topic yet. From
 * the memory of requests, so that connections that anybody can make use up none that data needs. */
MUST_USE struct message *message_create_unframed(struct worker *worker, size_t payload_capacity);

/* A message of class MESSAGE_DATA with room for payload_capacity bytes, one reference by the caller
 * (its home_share). NULL when the worker's message memory is exhausted. Owner worker only. */
MUST_USE struct message *message_create(struct worker *worker, size_t payload_capacity);

/* Its memory is on the topic's budget until it comes home. Owner worker only, once. */
void message_charge(struct worker *worker, struct message *message, struct topic *topic);

/* Replaces *message by one with more room, the same payload_len bytes and the same topic. False,
 * with *message unchanged, when memory is exhausted. Only before publishing. */
MUST_USE bool message_grow(struct worker *worker, struct message **message,
                           size_t payload_capacity);

/* Carries a publisher's payload, counted as sent. */
static inline bool message_is_published(const struct message *message)
{
    return message->class <= MESSAGE_LATEST;
}

/* Is a piece of a transport stream. */
static inline bool message_is_stream(const struct message *message)
{
    return message->class >= MESSAGE_STREAM && message->class <= MESSAGE_DISPOSABLE;
}

/* Shows something: an old one is of no use. */
static inline bool message_is_picture(const struct message *message)
{
    return message->class >= MESSAGE_STREAM && message->class <= MESSAGE_LATEST;
}

/* Header and payload. */
static inline size_t message_len(const struct message *message)
{
    return (size_t)message->header_len + message->payload_len;
}

/* Bytes of the block of its parts; 0 without. */
static inline size_t message_parts_memory(const struct message *message)
{
    return message->parts == NULL ? 0 : block_pool_capacity(message->parts);
}

/* Writes the header of an unmasked final frame in front of payload_len bytes. */
void message_frame(struct message *message, enum ws_opcode opcode);

/* The bytes to send. */
struct bytes message_bytes(const struct message *message);

/* Its frame says that it is text. */
bool message_is_text(const struct message *message);

/* A message of a control frame and of its class, or NULL. */
MUST_USE struct message *message_create_control(struct worker *worker, enum ws_opcode opcode,
                                                struct bytes payload);

/* A message of relay.v1 of the relay's own, MESSAGE_ANSWER or MESSAGE_NOTICE, or NULL. */
MUST_USE struct message *message_create_notice(struct worker *worker, enum message_class class,
                                               struct bytes payload);

/* References within the worker. */
void share_ref(struct share *share);
void share_unref(struct worker *worker, struct share *share);

/* Holds for other workers, taken before the message is posted. */
void message_hold(struct message *message, unsigned workers);
/* Releases a hold without a share: of a parcel that could not be posted or used. */
void message_drop_hold(struct worker *worker, struct message *message);

/* The share of a worker that received it in a parcel, with one reference; NULL (and the hold
 * released) when its memory is exhausted. */
MUST_USE struct share *message_take_share(struct worker *worker, struct message *message);
/* The same, and the share is on the budget of the message's topic: for viewers that take many. */
MUST_USE struct share *message_take_share_charged(struct worker *worker, struct message *message);
