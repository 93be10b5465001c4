/* The records of a part, and their fields (docs/handover.md). They stand in this order: the part,
 * its topics, messages, WebSockets, caches. Topics and messages are referred to by their number
 * among those of the part, from 0 on. Times of the run clock are written as the monotonic clock has
 * them, which is the same for both programs. An id is never used again for anything else. */
#pragma once

enum live_kind {
    LIVE_KIND_PART = 64,
    LIVE_KIND_TOPIC = 65,
    LIVE_KIND_MESSAGE = 66,
    LIVE_KIND_WEBSOCKET = 67, /* with its descriptor */
    LIVE_KIND_CACHE = 68,
    LIVE_KIND_IDLE = 69, /* a connection between two requests, with its descriptor */
};

enum live_part_field {
    LIVE_PART_TOPICS = 1, /* how many records of each kind */
    LIVE_PART_MESSAGES = 2,
    LIVE_PART_CONNECTIONS = 3, /* WebSockets and idle ones, in any order */
    LIVE_PART_HELD_MS = 4,     /* when nothing of them was sent any more */
};

enum live_topic_field {
    LIVE_TOPIC_NAME = 1,
    LIVE_TOPIC_SOURCES = 2, /* publishers that came so far */
    LIVE_TOPIC_STREAMS = 3, /* that were begun on this worker, or in programs before */
};

enum live_message_field {
    LIVE_MESSAGE_CLASS = 1, /* enum message_class */
    LIVE_MESSAGE_OPCODE = 2,
    LIVE_MESSAGE_TOPIC = 3, /* that it is charged to; absent: none */
    LIVE_MESSAGE_IS_SECRET = 4,
    LIVE_MESSAGE_IS_LEADING = 5,
    LIVE_MESSAGE_STARTS_AT_BOUNDARY = 6,
    LIVE_MESSAGE_STREAM = 7,
    LIVE_MESSAGE_SEQUENCE = 8,
    LIVE_MESSAGE_SOURCE = 9,
    LIVE_MESSAGE_RECEIVED_MS = 10,
    LIVE_MESSAGE_RECEIVED_US = 11,
    LIVE_MESSAGE_SENT_US = 12,
    LIVE_MESSAGE_STOP = 13,   /* offset up to which viewers may have it; absent: no such place */
    LIVE_MESSAGE_START = 14,  /* offset from which they may; absent: none */
    LIVE_MESSAGE_SPLICE = 15, /* bytes in front of it then */
    LIVE_MESSAGE_PAYLOAD = 16,
};

enum live_websocket_field {
    /* The connection */
    LIVE_WEBSOCKET_TOPIC = 1,
    LIVE_WEBSOCKET_TRANSPORT = 2, /* enum live_transport */
    LIVE_WEBSOCKET_ROLE = 3,
    LIVE_WEBSOCKET_MESSAGES_SENT = 4,
    LIVE_WEBSOCKET_BYTES_SENT = 5,
    LIVE_WEBSOCKET_BYTES_ACKED = 6,
    LIVE_WEBSOCKET_TAKEN_MS = 7,
    LIVE_WEBSOCKET_SEND_PROGRESS_MS = 8,
    LIVE_WEBSOCKET_FIRST_SENT_MS = 9,
    LIVE_WEBSOCKET_LAST_SENT_MS = 10,
    LIVE_WEBSOCKET_PAYLOAD_SENT = 11,
    LIVE_WEBSOCKET_PEER_ENDED = 12, /* and bytes of its wait to be looked at */
    /* Its lag */
    LIVE_WEBSOCKET_AWAITS_KEY = 16,
    LIVE_WEBSOCKET_AWAITS_SINCE_MS = 17,
    LIVE_WEBSOCKET_RECOVERY = 18,
    LIVE_WEBSOCKET_AGE_MS_MAX = 19,
    LIVE_WEBSOCKET_DROPPED_DATA = 20,
    LIVE_WEBSOCKET_DROPPED_VIDEO = 21,
    LIVE_WEBSOCKET_DROPPED_LATEST = 22,
    LIVE_WEBSOCKET_BEHIND_MS = 23,
    LIVE_WEBSOCKET_SKIPPED_MS = 24,
    LIVE_WEBSOCKET_BEGINS_UNTIL_MS = 25,
    LIVE_WEBSOCKET_STREAM_NEXT = 26,
    LIVE_WEBSOCKET_STREAM_0 = 27, /* id, state, leading, has_keys, cut_ms; the next one likewise */
    LIVE_WEBSOCKET_STREAM_1 = 32,
    /* The phase */
    LIVE_WEBSOCKET_CREDIT = 40,
    LIVE_WEBSOCKET_CREDITED_MS = 41,
    LIVE_WEBSOCKET_METER_BYTES = 42,
    LIVE_WEBSOCKET_METER_MESSAGES = 43,
    LIVE_WEBSOCKET_METER_FILLED_MS = 44,
    LIVE_WEBSOCKET_IN_MESSAGE = 45,
    LIVE_WEBSOCKET_FRAME_FIN = 46,
    LIVE_WEBSOCKET_FRAME_OPCODE = 47,
    LIVE_WEBSOCKET_FRAME_LEN = 48,
    LIVE_WEBSOCKET_PAYLOAD_DONE = 49,
    LIVE_WEBSOCKET_IN_PAYLOAD = 50,
    LIVE_WEBSOCKET_DISCARDING = 51,
    LIVE_WEBSOCKET_OPCODE = 52,
    LIVE_WEBSOCKET_CHECKS_TEXT = 53,
    LIVE_WEBSOCKET_TEXT_LEFT = 54,
    LIVE_WEBSOCKET_TEXT_LOW = 55,
    LIVE_WEBSOCKET_TEXT_HIGH = 56,
    LIVE_WEBSOCKET_LOOKED_AT = 57,
    LIVE_WEBSOCKET_STREAM = 58,
    LIVE_WEBSOCKET_FOLLOWS_DISPOSABLE = 59,
    LIVE_WEBSOCKET_MESSAGE_LEN = 60,
    LIVE_WEBSOCKET_ASSEMBLY_STARTED_MS = 61,
    LIVE_WEBSOCKET_EXP_S = 62,
    LIVE_WEBSOCKET_CAN_READ = 63,
    LIVE_WEBSOCKET_CAN_WRITE = 64,
    LIVE_WEBSOCKET_HAS_PUBLISHED = 65,
    LIVE_WEBSOCKET_SOURCE = 66,
    LIVE_WEBSOCKET_LOSSES_BEGAN_MS = 67,
    LIVE_WEBSOCKET_LOSSES_BEFORE = 68,
    LIVE_WEBSOCKET_LOSSES_SEEN = 69,
    LIVE_WEBSOCKET_LOSSES_TOO_MANY = 70,
    LIVE_WEBSOCKET_OPENED_MS = 71,
    LIVE_WEBSOCKET_OPENED_S = 72,
    LIVE_WEBSOCKET_PING_DUE_MS = 73,
    LIVE_WEBSOCKET_PONG_DUE_MS = 74,
    LIVE_WEBSOCKET_PONG_IS_GRACED = 75,
    LIVE_WEBSOCKET_MESSAGES_RECEIVED = 76,
    LIVE_WEBSOCKET_BYTES_RECEIVED = 77,
    LIVE_WEBSOCKET_FIRST_RECEIVED_MS = 78,
    LIVE_WEBSOCKET_LAST_RECEIVED_MS = 79,
    /* Texts and bytes */
    LIVE_WEBSOCKET_BOOKING_ID = 96,
    LIVE_WEBSOCKET_SCOPES = 97,
    LIVE_WEBSOCKET_USER_AGENT = 98,
    LIVE_WEBSOCKET_REMOTE_ADDRESS = 99,
    LIVE_WEBSOCKET_REPORTED_ADDRESS = 100,
    LIVE_WEBSOCKET_FRAME_HEADER = 101, /* as much as has come of the next one */
    LIVE_WEBSOCKET_FRAME_MASK = 102,
    LIVE_WEBSOCKET_CONTROL = 103,    /* what has come of a control frame's payload */
    LIVE_WEBSOCKET_INBOX = 104,      /* received, not looked at yet */
    LIVE_WEBSOCKET_BEGUN = 105,      /* what has come of a message; absent: there is none */
    LIVE_WEBSOCKET_BEGUN_ROOM = 106, /* bytes that it has room for */
    LIVE_WEBSOCKET_QUEUE = 107,      /* live_queue.h */
    LIVE_WEBSOCKET_SENT_OFFSET = 108,
    LIVE_WEBSOCKET_IN_FLIGHT = 109, /* entries at the front that records were made of */
    LIVE_WEBSOCKET_PROBE = 110,     /* wire/media/probe_state.h; absent: it publishes no stream */
    LIVE_WEBSOCKET_PROBE_LAYOUT = 111,
    /* TLS 1.3 */
    LIVE_WEBSOCKET_SUITE = 128,         /* IANA's number */
    LIVE_WEBSOCKET_CLIENT_SECRET = 129, /* the newest of each direction */
    LIVE_WEBSOCKET_SERVER_SECRET = 130,
    LIVE_WEBSOCKET_OPENED = 131, /* records under it */
    LIVE_WEBSOCKET_SEALED = 132,
    LIVE_WEBSOCKET_ANSWER_WANTED = 133, /* a KeyUpdate of ours */
    LIVE_WEBSOCKET_IDLE_RECORDS = 134,
    LIVE_WEBSOCKET_KEY_UPDATES = 135,
    LIVE_WEBSOCKET_DATA_RECORDS = 136,
    LIVE_WEBSOCKET_PARTIAL = 137,       /* what has come of a record */
    LIVE_WEBSOCKET_RECORDS = 138,       /* that are made and not sent; absent: there are none */
    LIVE_WEBSOCKET_RECORDS_PLAIN = 139, /* bytes of the queue that are in them */
    /* Control of its topic */
    LIVE_WEBSOCKET_LEASE_HOLDS = 144, /* struct lease_standing */
    LIVE_WEBSOCKET_LEASE_HAS_SENT = 145,
    LIVE_WEBSOCKET_LEASE_WANTS = 146,
    LIVE_WEBSOCKET_LEASE_USED_MS = 147,
    LIVE_WEBSOCKET_LEASE_REFUSED = 148, /* messages of its */
    /* relay.v1 */
    LIVE_WEBSOCKET_ENVELOPE = 160, /* what has come of that of a message; absent: no relay.v1 */
    LIVE_WEBSOCKET_HEADS = 161,    /* of the entries that are in flight or begun: 1 byte of length,
                                      then ENVELOPE_HEAD_MAX */
    LIVE_WEBSOCKET_REPORTED_MS = 162,
    LIVE_WEBSOCKET_TOKEN_MS = 163,
    LIVE_WEBSOCKET_REFUSED_MS = 164,
    LIVE_WEBSOCKET_WAS_TOLD = 165,
    LIVE_WEBSOCKET_TOLD_VIEWERS = 166,
    LIVE_WEBSOCKET_TOLD_PUBLISHERS = 167,
    LIVE_WEBSOCKET_TOLD_LEASE = 168,
    LIVE_WEBSOCKET_KEEPS = 169, /* an expiry that it was not told of yet */
    LIVE_WEBSOCKET_KEPT_RESULT = 170,
    LIVE_WEBSOCKET_KEPT_EXPIRES_S = 171,
    LIVE_WEBSOCKET_LATENCY_PUBLISH = 172, /* counts of each: their sum of 4 bytes, then 2 each */
    LIVE_WEBSOCKET_LATENCY_RELAY = 173,
    LIVE_WEBSOCKET_LATENCY_DELIVER = 174,
    LIVE_WEBSOCKET_LATENCY_DECODE = 175,
};

enum live_transport { LIVE_TRANSPORT_PLAIN, LIVE_TRANSPORT_RECORDS, LIVE_TRANSPORT_KERNEL };

/* Fields of an idle one, beside transport, counts and TLS, which are as of a WebSocket. */
enum live_idle_field {
    LIVE_IDLE_ANSWERED = 16, /* at least one request */
    LIVE_IDLE_DUE_MS = 17,   /* when it ends without another one */
    LIVE_IDLE_UNREAD = 104,  /* as the inbox of a WebSocket */
};

enum live_cache_field {
    LIVE_CACHE_TOPIC = 1,
    LIVE_CACHE_PUBLISHER = 2, /* number of its record among the connections; absent: it has left */
    LIVE_CACHE_STARTED_MS = 3,
    LIVE_CACHE_NEWEST_MS = 4,
    LIVE_CACHE_KEY_COUNT = 5,
    LIVE_CACHE_KEY_STOPS = 6,
    LIVE_CACHE_IS_STREAM = 7,
    LIVE_CACHE_IS_CUT = 8,
    LIVE_CACHE_IS_HOME = 9, /* the newest of its topic */
    LIVE_CACHE_MESSAGES = 10,
};
