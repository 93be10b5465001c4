#include "wire/ws_frame.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"

enum {
    BIT_FIN = 0x80,
    BITS_RSV = 0x70,
    BITS_OPCODE = 0x0f,
    BIT_CONTROL = 0x08,
    BIT_MASK = 0x80,
    BITS_LENGTH = 0x7f,
    LENGTH_16 = 126, /* the length is in the next 2 bytes */
    LENGTH_64 = 127, /* in the next 8 */
};

void ws_frame_parser_init(struct ws_frame_parser *parser, enum ws_role sender)
{
    *parser = (struct ws_frame_parser){.sender = sender};
}

static uint64_t big_endian_read(const uint8_t *data, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        value = value << 8 | data[i];
    }
    return value;
}

static void big_endian_write(uint64_t value, uint8_t *data, size_t len)
{
    for (size_t i = len; i > 0; i--) {
        data[i - 1] = (uint8_t)value;
        value >>= 8;
    }
}

static size_t length_bytes(uint8_t second)
{
    uint8_t length = second & BITS_LENGTH;

    return length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
}

static enum ws_frame_result check_first(uint8_t first, bool in_message)
{
    if ((first & BITS_RSV) != 0) {
        return WS_FRAME_BAD_RSV;
    }
    switch (first & BITS_OPCODE) {
    case WS_OPCODE_CONTINUATION:
        return in_message ? WS_FRAME_OK : WS_FRAME_BAD_CONTINUATION;
    case WS_OPCODE_TEXT:
    case WS_OPCODE_BINARY:
        return in_message ? WS_FRAME_BAD_CONTINUATION : WS_FRAME_OK;
    case WS_OPCODE_CLOSE:
    case WS_OPCODE_PING:
    case WS_OPCODE_PONG:
        return (first & BIT_FIN) != 0 ? WS_FRAME_OK : WS_FRAME_CONTROL_FRAGMENTED;
    default:
        return WS_FRAME_BAD_OPCODE;
    }
}

static enum ws_frame_result check_second(uint8_t first, uint8_t second, enum ws_role sender)
{
    bool masked = (second & BIT_MASK) != 0;

    if ((first & BIT_CONTROL) != 0 && (second & BITS_LENGTH) > WS_CONTROL_PAYLOAD_MAX) {
        return WS_FRAME_CONTROL_TOO_LONG;
    }
    return masked == (sender == WS_ROLE_CLIENT) ? WS_FRAME_OK : WS_FRAME_BAD_MASK;
}

/* data: the bytes of the extended length so far, at least one. */
static enum ws_frame_result check_length(const uint8_t *data, size_t have, size_t size)
{
    uint64_t minimum = size == 2 ? LENGTH_16 : UINT64_C(0x10000);

    if (size == 8 && (data[0] & 0x80) != 0) {
        return WS_FRAME_BAD_LENGTH;
    }
    if (have >= size && big_endian_read(data, size) < minimum) {
        return WS_FRAME_BAD_LENGTH;
    }
    return WS_FRAME_OK;
}

/* Checks the bytes received so far. Called again after each byte, so that a bad frame is refused at
 * once and a second call after an error gives the same error. */
static enum ws_frame_result check_header(const struct ws_frame_parser *parser)
{
    const uint8_t *header = parser->header;
    enum ws_frame_result result = WS_FRAME_OK;

    if (parser->header_len >= 1) {
        result = check_first(header[0], parser->in_message);
    }
    if (result == WS_FRAME_OK && parser->header_len >= 2) {
        result = check_second(header[0], header[1], parser->sender);
    }
    if (result == WS_FRAME_OK && parser->header_len >= 3 && length_bytes(header[1]) > 0) {
        result = check_length(header + 2, parser->header_len - 2u, length_bytes(header[1]));
    }
    return result;
}

static bool is_whole(const struct ws_frame_parser *parser)
{
    if (parser->header_len < 2) {
        return false;
    }
    size_t mask_len = (parser->header[1] & BIT_MASK) != 0 ? 4 : 0;

    return parser->header_len == 2 + length_bytes(parser->header[1]) + mask_len;
}

static void take_frame(struct ws_frame_parser *parser, struct ws_frame *ret_frame)
{
    const uint8_t *header = parser->header;
    size_t size = length_bytes(header[1]);

    *ret_frame = (struct ws_frame){
        .fin = (header[0] & BIT_FIN) != 0,
        .opcode = (enum ws_opcode)(header[0] & BITS_OPCODE),
        .payload_len = size > 0 ? big_endian_read(header + 2, size) : header[1] & BITS_LENGTH,
    };
    if ((header[1] & BIT_MASK) != 0) {
        memcpy(ret_frame->mask, header + 2 + size, sizeof ret_frame->mask);
    }
    if ((header[0] & BIT_CONTROL) == 0) {
        parser->in_message = !ret_frame->fin;
    }
    parser->header_len = 0;
}

enum ws_frame_result ws_frame_parse(struct ws_frame_parser *parser, struct bytes *input,
                                    struct ws_frame *ret_frame)
{
    for (;;) {
        enum ws_frame_result result = check_header(parser);

        if (result != WS_FRAME_OK) {
            return result;
        }
        if (is_whole(parser)) {
            take_frame(parser, ret_frame);
            return WS_FRAME_OK;
        }
        if (input->len == 0) {
            return WS_FRAME_MORE;
        }
        parser->header[parser->header_len++] = input->data[0];
        *input = bytes_skip(*input, 1);
    }
}

static const char *rsv_text(uint8_t first)
{
    return (first & 0x40) != 0 ? "RSV1 set" : (first & 0x20) != 0 ? "RSV2 set" : "RSV3 set";
}

static const char *continuation_text(uint8_t first)
{
    return (first & BITS_OPCODE) == WS_OPCODE_CONTINUATION ? "continuation after FIN"
                                                           : "data before FIN";
}

void ws_frame_error_text(enum ws_frame_result result, const uint8_t header[static 2], char *text,
                         size_t text_size)
{
    const char *reason = "";

    switch (result) {
    case WS_FRAME_OK:
    case WS_FRAME_MORE:
    case WS_FRAME_RESULT_COUNT:
        break;
    case WS_FRAME_BAD_MASK:
        reason = "bad MASK";
        break;
    case WS_FRAME_BAD_OPCODE:
        snprintf(text, text_size, "bad opcode %d", header[0] & BITS_OPCODE);
        return;
    case WS_FRAME_BAD_RSV:
        reason = rsv_text(header[0]);
        break;
    case WS_FRAME_BAD_CONTINUATION:
        reason = continuation_text(header[0]);
        break;
    case WS_FRAME_CONTROL_TOO_LONG:
        reason = "len > 125 for control";
        break;
    case WS_FRAME_CONTROL_FRAGMENTED:
        reason = "FIN not set on control";
        break;
    case WS_FRAME_BAD_LENGTH:
        reason = "bad length";
        break;
    }
    snprintf(text, text_size, "%s", reason);
}

size_t ws_frame_header_size(uint64_t payload_len)
{
    return payload_len < LENGTH_16 ? 2 : payload_len <= UINT16_MAX ? 4 : 10;
}

size_t ws_frame_header_write(enum ws_opcode opcode, uint64_t payload_len,
                             uint8_t header[static WS_SERVER_HEADER_BYTES_MAX])
{
    size_t size = ws_frame_header_size(payload_len);

    CHECK(payload_len <= INT64_MAX);
    header[0] = (uint8_t)(BIT_FIN | opcode);
    if (size == 2) {
        header[1] = (uint8_t)payload_len;
        return size;
    }
    header[1] = size == 4 ? LENGTH_16 : LENGTH_64;
    big_endian_write(payload_len, header + 2, size - 2);
    return size;
}

static bool is_close_code_allowed(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

enum ws_close_result ws_frame_close_parse(struct bytes payload, uint16_t *ret_code)
{
    if (payload.len == 0) {
        *ret_code = WS_CLOSE_NO_STATUS;
        return WS_CLOSE_OK;
    }
    if (payload.len == 1) {
        return WS_CLOSE_SHORT;
    }
    uint16_t code = (uint16_t)big_endian_read(payload.data, 2);

    if (!is_close_code_allowed(code)) {
        return WS_CLOSE_BAD_CODE;
    }
    if (!utf8_is_valid(bytes_skip(payload, 2))) {
        return WS_CLOSE_BAD_REASON;
    }
    *ret_code = code;
    return WS_CLOSE_OK;
}

void ws_frame_close_error_text(enum ws_close_result result, struct bytes payload, char *text,
                               size_t text_size)
{
    const char *reason = "";

    switch (result) {
    case WS_CLOSE_OK:
        break;
    case WS_CLOSE_SHORT:
        reason = "close payload of one byte";
        break;
    case WS_CLOSE_BAD_CODE:
        snprintf(text, text_size, "bad close code %u", (unsigned)big_endian_read(payload.data, 2));
        return;
    case WS_CLOSE_BAD_REASON:
        reason = "invalid utf8 payload in close frame";
        break;
    }
    snprintf(text, text_size, "%s", reason);
}

size_t ws_frame_close_write(uint16_t code, const char *reason,
                            uint8_t payload[static WS_CONTROL_PAYLOAD_MAX])
{
    if (code == WS_CLOSE_NO_STATUS) {
        return 0;
    }
    size_t len = strnlen(reason, WS_CLOSE_REASON_MAX + 1);

    if (len > WS_CLOSE_REASON_MAX) {
        /* The peer must refuse a reason that ends inside a UTF-8 sequence. */
        len = WS_CLOSE_REASON_MAX;
        while (len > 0 && ((uint8_t)reason[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    big_endian_write(code, payload, 2);
    memcpy(payload + 2, reason, len);
    return 2 + len;
}
