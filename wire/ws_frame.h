/* WebSocket frame headers (RFC 6455 §5.2): a resumable parser for frames from the peer and a writer
 * for our own. Payloads are not inspected. Pure: no allocation, no I/O, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

enum ws_opcode {
    WS_OPCODE_CONTINUATION = 0,
    WS_OPCODE_TEXT = 1,
    WS_OPCODE_BINARY = 2,
    WS_OPCODE_CLOSE = 8,
    WS_OPCODE_PING = 9,
    WS_OPCODE_PONG = 10,
};

enum ws_sizes {
    WS_HEADER_BYTES_MAX = 14,        /* 2 + 8 length + 4 mask */
    WS_SERVER_HEADER_BYTES_MAX = 10, /* servers do not mask (§5.1) */
    WS_CONTROL_PAYLOAD_MAX = 125,    /* §5.5 */
    WS_CLOSE_REASON_MAX = 123,
};

enum ws_close_code {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL_ERROR = 1002,
    WS_CLOSE_NO_STATUS = 1005, /* never on the wire */
    WS_CLOSE_INVALID_TEXT = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_TRY_AGAIN_LATER = 1013,
    WS_CLOSE_EXPIRED = 4401, /* ours: the token expired */
    WS_CLOSE_DENIED = 4403,  /* ours: the booking was cancelled */
};

enum ws_frame_result {
    WS_FRAME_OK,   /* one whole header was read */
    WS_FRAME_MORE, /* all input was consumed; the header continues in the next */
    WS_FRAME_BAD_MASK,
    WS_FRAME_BAD_OPCODE,
    WS_FRAME_BAD_RSV,
    WS_FRAME_BAD_CONTINUATION, /* unexpected, or expected but a new message came */
    WS_FRAME_CONTROL_TOO_LONG,
    WS_FRAME_CONTROL_FRAGMENTED,
    WS_FRAME_BAD_LENGTH, /* not minimal, or the top bit set (§5.2) */
    WS_FRAME_RESULT_COUNT,
};

struct ws_frame {
    bool fin;
    enum ws_opcode opcode;
    uint64_t payload_len;
    uint8_t mask[4];
};

/* The sender of the frames: a client must mask them, a server must not (§5.1). */
enum ws_role { WS_ROLE_CLIENT, WS_ROLE_SERVER };

struct ws_frame_parser {
    uint8_t header[WS_HEADER_BYTES_MAX];
    uint8_t header_len; /* bytes collected of the header being read */
    bool in_message;    /* true exactly between a FIN=0 data frame and its last continuation */
    enum ws_role sender;
};

void ws_frame_parser_init(struct ws_frame_parser *parser, enum ws_role sender);

/* Reads header bytes from the front of *input and advances it past them: on WS_FRAME_OK it starts
 * at the payload. Errors are found as early as the bytes allow and are final. *ret_frame is
 * untouched unless WS_FRAME_OK. Checks everything that §5.2, §5.4 and §5.5 require of a header. */
MUST_USE enum ws_frame_result ws_frame_parse(struct ws_frame_parser *parser, struct bytes *input,
                                             struct ws_frame *ret_frame);

/* Close reasons as practable/relay words them: "bad MASK", "bad opcode 3", "RSV1 set",
 * "continuation after FIN", "data before FIN", "len > 125 for control", "FIN not set on control".
 * header: the first two bytes of the offending header (parser->header). Always terminated. */
void ws_frame_error_text(enum ws_frame_result result, const uint8_t header[static 2], char *text,
                         size_t text_size);

/* Bytes of the header of an unmasked final frame: 2, 4 or 10. */
size_t ws_frame_header_size(uint64_t payload_len);

/* Writes it (FIN set, no mask); returns its size. */
size_t ws_frame_header_write(enum ws_opcode opcode, uint64_t payload_len,
                             uint8_t header[static WS_SERVER_HEADER_BYTES_MAX]);

enum ws_close_result {
    WS_CLOSE_OK,
    WS_CLOSE_SHORT, /* one byte, where a code has two */
    WS_CLOSE_BAD_CODE, /* it must not be on the wire (§7.4): < 1000, 1004–1006, 1015–2999, ≥ 5000 */
    WS_CLOSE_BAD_REASON, /* not UTF-8 */
};

/* Payload of a close frame (§5.5.1). An empty payload gives WS_CLOSE_NO_STATUS. *ret_code is
 * untouched unless WS_CLOSE_OK. */
MUST_USE enum ws_close_result ws_frame_close_parse(struct bytes payload, uint16_t *ret_code);

/* Names the fault, in practable/relay's words where it has them: "bad close code 1005", "invalid
 * utf8 payload in close frame". payload: the parsed one. Always terminated. */
void ws_frame_close_error_text(enum ws_close_result result, struct bytes payload, char *text,
                               size_t text_size);

/* Writes code and reason (cut to fit) as a close payload; returns its size. Code
 * WS_CLOSE_NO_STATUS gives an empty one. */
size_t ws_frame_close_write(uint16_t code, const char *reason,
                            uint8_t payload[static WS_CONTROL_PAYLOAD_MAX]);
