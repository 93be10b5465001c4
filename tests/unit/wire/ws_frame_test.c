/* Goal: ws_frame_parse accepts exactly the headers that RFC 6455 §5.2, §5.4 and §5.5 allow, however
 * they are cut, and what the writers write is read back unchanged, by us and by wslay.
 * Method: tables of headers, each fed whole, byte by byte, and cut at every place. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <wslay/wslay.h>

#include "wire/ws_frame.h"
#include "wire/ws_mask.h"

#define HEX(...) .data = {__VA_ARGS__}, .len = sizeof((const uint8_t[]){__VA_ARGS__})

struct header {
    uint8_t data[24];
    size_t len;
};

/* Feeds header in two pieces, and the second one byte by byte. */
static enum ws_frame_result parse_cut(struct ws_frame_parser *parser, const struct header *header,
                                      size_t cut, struct ws_frame *frame, size_t *ret_used)
{
    struct bytes input = bytes_of(header->data, cut);
    enum ws_frame_result result = ws_frame_parse(parser, &input, frame);

    *ret_used = cut - input.len;
    while (result == WS_FRAME_MORE && *ret_used < header->len) {
        cr_assert_eq(input.len, 0, "MORE means that all input was used");
        input = bytes_of(header->data + *ret_used, 1);
        result = ws_frame_parse(parser, &input, frame);
        *ret_used += 1 - input.len;
    }
    return result;
}

static struct ws_frame_parser parser_in(bool in_message, enum ws_role sender)
{
    struct ws_frame_parser parser;

    ws_frame_parser_init(&parser, sender);
    parser.in_message = in_message;
    return parser;
}

static const struct {
    const char *name;
    struct header header;
    enum ws_role sender;
    bool in_message;
    bool fin;
    enum ws_opcode opcode;
    uint64_t payload_len;
    bool in_message_after;
} accepted[] = {
    /* The examples of §5.7, headers and what follows them. */
    {"unmasked Hello", {HEX(0x81, 0x05)}, WS_ROLE_SERVER, false, true, WS_OPCODE_TEXT, 5, false},
    {"masked Hello",
     {HEX(0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d)},
     WS_ROLE_CLIENT,
     false,
     true,
     WS_OPCODE_TEXT,
     5,
     false},
    {"first fragment Hel",
     {HEX(0x01, 0x03)},
     WS_ROLE_SERVER,
     false,
     false,
     WS_OPCODE_TEXT,
     3,
     true},
    {"last fragment lo",
     {HEX(0x80, 0x02)},
     WS_ROLE_SERVER,
     true,
     true,
     WS_OPCODE_CONTINUATION,
     2,
     false},
    {"ping Hello", {HEX(0x89, 0x05)}, WS_ROLE_SERVER, false, true, WS_OPCODE_PING, 5, false},
    {"masked pong Hello",
     {HEX(0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d)},
     WS_ROLE_CLIENT,
     false,
     true,
     WS_OPCODE_PONG,
     5,
     false},
    {"256 bytes of binary",
     {HEX(0x82, 0x7e, 0x01, 0x00)},
     WS_ROLE_SERVER,
     false,
     true,
     WS_OPCODE_BINARY,
     256,
     false},
    {"64 KiB of binary",
     {HEX(0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0)},
     WS_ROLE_SERVER,
     false,
     true,
     WS_OPCODE_BINARY,
     65536,
     false},
    /* Lengths at the borders, masked. */
    {"empty",
     {HEX(0x82, 0x80, 1, 2, 3, 4)},
     WS_ROLE_CLIENT,
     false,
     true,
     WS_OPCODE_BINARY,
     0,
     false},
    {"125",
     {HEX(0x82, 0xfd, 1, 2, 3, 4)},
     WS_ROLE_CLIENT,
     false,
     true,
     WS_OPCODE_BINARY,
     125,
     false},
    {"126",
     {HEX(0x82, 0xfe, 0, 126, 1, 2, 3, 4)},
     WS_ROLE_CLIENT,
     false,
     true,
     WS_OPCODE_BINARY,
     126,
     false},
    {"127",
     {HEX(0x82, 0xfe, 0, 127, 1, 2, 3, 4)},
     WS_ROLE_CLIENT,
     false,
     true,
     WS_OPCODE_BINARY,
     127,
     false},
    {"65535",
     {HEX(0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4)},
     WS_ROLE_CLIENT,
     false,
     true,
     WS_OPCODE_BINARY,
     65535,
     false},
    {"65536",
     {HEX(0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4)},
     WS_ROLE_CLIENT,
     false,
     true,
     WS_OPCODE_BINARY,
     65536,
     false},
    {"the greatest length",
     {HEX(0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4)},
     WS_ROLE_CLIENT,
     false,
     true,
     WS_OPCODE_BINARY,
     INT64_MAX,
     false},
    /* Fragments (§5.4). */
    {"middle fragment",
     {HEX(0x00, 0x80, 1, 2, 3, 4)},
     WS_ROLE_CLIENT,
     true,
     false,
     WS_OPCODE_CONTINUATION,
     0,
     true},
    {"ping between fragments",
     {HEX(0x89, 0x80, 1, 2, 3, 4)},
     WS_ROLE_CLIENT,
     true,
     true,
     WS_OPCODE_PING,
     0,
     true},
    {"close between fragments",
     {HEX(0x88, 0x80, 1, 2, 3, 4)},
     WS_ROLE_CLIENT,
     true,
     true,
     WS_OPCODE_CLOSE,
     0,
     true},
    {"longest control frame",
     {HEX(0x88, 0xfd, 1, 2, 3, 4)},
     WS_ROLE_CLIENT,
     false,
     true,
     WS_OPCODE_CLOSE,
     125,
     false},
};

static void check_accepted(size_t index, size_t cut)
{
    const char *name = accepted[index].name;
    const struct header *header = &accepted[index].header;
    struct ws_frame_parser parser = parser_in(accepted[index].in_message, accepted[index].sender);
    struct ws_frame frame;
    size_t used;

    cr_assert_eq(parse_cut(&parser, header, cut, &frame, &used), WS_FRAME_OK, "%s", name);
    cr_assert_eq(used, header->len, "%s", name);
    cr_assert_eq(frame.fin, accepted[index].fin, "%s", name);
    cr_assert_eq(frame.opcode, accepted[index].opcode, "%s", name);
    cr_assert_eq(frame.payload_len, accepted[index].payload_len, "%s", name);
    cr_assert_eq(parser.in_message, accepted[index].in_message_after, "%s", name);
    if (accepted[index].sender == WS_ROLE_CLIENT) {
        cr_assert_arr_eq(frame.mask, header->data + header->len - 4, 4, "%s", name);
    }
}

Test(ws_frame, accepts_every_allowed_header_however_it_is_cut)
{
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        for (size_t cut = 0; cut <= accepted[i].header.len; cut++) {
            check_accepted(i, cut);
        }
    }
}

/* len is exactly as many bytes as it takes to know. */
static const struct {
    struct header header;
    enum ws_role sender;
    bool in_message;
    enum ws_frame_result result;
    const char *text;
} refused[] = {
    {{HEX(0xc1)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_RSV, "RSV1 set"},
    {{HEX(0xa1)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_RSV, "RSV2 set"},
    {{HEX(0x91)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_RSV, "RSV3 set"},
    {{HEX(0xf1)}, WS_ROLE_SERVER, false, WS_FRAME_BAD_RSV, "RSV1 set"},
    {{HEX(0xc9)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_RSV, "RSV1 set"},
    {{HEX(0x83)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_OPCODE, "bad opcode 3"},
    {{HEX(0x84)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_OPCODE, "bad opcode 4"},
    {{HEX(0x85)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_OPCODE, "bad opcode 5"},
    {{HEX(0x86)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_OPCODE, "bad opcode 6"},
    {{HEX(0x07)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_OPCODE, "bad opcode 7"},
    {{HEX(0x8b)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_OPCODE, "bad opcode 11"},
    {{HEX(0x8c)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_OPCODE, "bad opcode 12"},
    {{HEX(0x8d)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_OPCODE, "bad opcode 13"},
    {{HEX(0x8e)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_OPCODE, "bad opcode 14"},
    {{HEX(0x8f)}, WS_ROLE_SERVER, true, WS_FRAME_BAD_OPCODE, "bad opcode 15"},
    {{HEX(0x80)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_CONTINUATION, "continuation after FIN"},
    {{HEX(0x00)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_CONTINUATION, "continuation after FIN"},
    {{HEX(0x81)}, WS_ROLE_CLIENT, true, WS_FRAME_BAD_CONTINUATION, "data before FIN"},
    {{HEX(0x02)}, WS_ROLE_CLIENT, true, WS_FRAME_BAD_CONTINUATION, "data before FIN"},
    {{HEX(0x08)}, WS_ROLE_CLIENT, false, WS_FRAME_CONTROL_FRAGMENTED, "FIN not set on control"},
    {{HEX(0x09)}, WS_ROLE_CLIENT, true, WS_FRAME_CONTROL_FRAGMENTED, "FIN not set on control"},
    {{HEX(0x0a)}, WS_ROLE_SERVER, false, WS_FRAME_CONTROL_FRAGMENTED, "FIN not set on control"},
    {{HEX(0x88, 0xfe)}, WS_ROLE_CLIENT, false, WS_FRAME_CONTROL_TOO_LONG, "len > 125 for control"},
    {{HEX(0x89, 0xff)}, WS_ROLE_CLIENT, true, WS_FRAME_CONTROL_TOO_LONG, "len > 125 for control"},
    {{HEX(0x8a, 0x7e)}, WS_ROLE_SERVER, false, WS_FRAME_CONTROL_TOO_LONG, "len > 125 for control"},
    {{HEX(0x81, 0x05)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_MASK, "bad MASK"},
    {{HEX(0x81, 0x00)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_MASK, "bad MASK"},
    {{HEX(0x89, 0x00)}, WS_ROLE_CLIENT, true, WS_FRAME_BAD_MASK, "bad MASK"},
    {{HEX(0x82, 0x7f)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_MASK, "bad MASK"},
    {{HEX(0x81, 0x85)}, WS_ROLE_SERVER, false, WS_FRAME_BAD_MASK, "bad MASK"},
    {{HEX(0x88, 0x80)}, WS_ROLE_SERVER, false, WS_FRAME_BAD_MASK, "bad MASK"},
    {{HEX(0x82, 0xfe, 0, 0)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_LENGTH, "bad length"},
    {{HEX(0x82, 0xfe, 0, 125)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_LENGTH, "bad length"},
    {{HEX(0x82, 0x7e, 0, 125)}, WS_ROLE_SERVER, false, WS_FRAME_BAD_LENGTH, "bad length"},
    {{HEX(0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 125)},
     WS_ROLE_CLIENT,
     false,
     WS_FRAME_BAD_LENGTH,
     "bad length"},
    {{HEX(0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff)},
     WS_ROLE_CLIENT,
     false,
     WS_FRAME_BAD_LENGTH,
     "bad length"},
    {{HEX(0x82, 0xff, 0x80)}, WS_ROLE_CLIENT, false, WS_FRAME_BAD_LENGTH, "bad length"},
    {{HEX(0x00, 0xff, 0xff)}, WS_ROLE_CLIENT, true, WS_FRAME_BAD_LENGTH, "bad length"},
    {{HEX(0x82, 0x7f, 0xff)}, WS_ROLE_SERVER, false, WS_FRAME_BAD_LENGTH, "bad length"},
};

/* Feeds the bad bytes and then as many good ones, cut at every place. */
static void check_refused(size_t index, size_t cut)
{
    struct header header = refused[index].header;
    struct ws_frame_parser parser = parser_in(refused[index].in_message, refused[index].sender);
    struct ws_frame frame, untouched;
    struct bytes more = bytes_of("\x81\x80\x01\x02\x03\x04", 6);
    char text[64];
    size_t used;

    memset(&frame, 0x5a, sizeof frame);
    memset(&untouched, 0x5a, sizeof untouched);
    memcpy(header.data + header.len, more.data, more.len);
    header.len += more.len;
    cr_assert_eq(parse_cut(&parser, &header, cut, &frame, &used), refused[index].result,
                 "refusal %zu cut at %zu", index, cut);
    cr_assert_eq(used, refused[index].header.len, "refusal %zu is found at once", index);
    cr_assert_eq(memcmp(&frame, &untouched, sizeof frame), 0, "refusal %zu", index);
    ws_frame_error_text(refused[index].result, parser.header, text, sizeof text);
    cr_assert_str_eq(text, refused[index].text);
    cr_assert_eq(ws_frame_parse(&parser, &more, &frame), refused[index].result, "errors are final");
    cr_assert_eq(more.len, 6);
}

Test(ws_frame, refuses_every_forbidden_header_at_the_first_byte_that_shows_it)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        for (size_t cut = 0; cut <= refused[i].header.len; cut++) {
            check_refused(i, cut);
        }
    }
}

Test(ws_frame, names_every_refusal_in_its_table)
{
    bool is_covered[WS_FRAME_RESULT_COUNT] = {[WS_FRAME_OK] = true, [WS_FRAME_MORE] = true};

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        is_covered[refused[i].result] = true;
    }
    for (size_t result = 0; result < WS_FRAME_RESULT_COUNT; result++) {
        cr_assert(is_covered[result], "no case for refusal %zu", result);
    }
}

Test(ws_frame, cuts_and_terminates_error_texts)
{
    static const uint8_t header[2] = {0x8f, 0x80};
    char text[6];

    ws_frame_error_text(WS_FRAME_BAD_OPCODE, header, text, sizeof text);
    cr_assert_str_eq(text, "bad o");
    ws_frame_error_text(WS_FRAME_OK, header, text, sizeof text);
    cr_assert_str_eq(text, "");
}

Test(ws_frame, asks_for_more_on_nothing_and_stays_ready)
{
    struct ws_frame_parser parser = parser_in(false, WS_ROLE_CLIENT);
    struct bytes nothing = bytes_of(NULL, 0);
    struct ws_frame frame;

    cr_assert_eq(ws_frame_parse(&parser, &nothing, &frame), WS_FRAME_MORE);
    check_accepted(1, 3);
}

/* A whole fragmented message with a ping inside: turning invalid right after it ended. */
Test(ws_frame, follows_a_message_and_refuses_what_comes_after_its_end)
{
    static const uint8_t stream[] = {
        0x01, 0x80, 9, 9,   9, 9,                  /* "" begins */
        0x89, 0x80, 9, 9,   9, 9,                  /* ping */
        0x00, 0xfe, 0, 126, 9, 9, 9,    9,         /* goes on */
        0x80, 0x80, 9, 9,   9, 9,                  /* ends */
        0x82, 0x80, 9, 9,   9, 9, 0x80, 0x80, 9, 9 /* a new one; a continuation of nothing */
    };
    static const enum ws_opcode opcodes[] = {WS_OPCODE_TEXT, WS_OPCODE_PING, WS_OPCODE_CONTINUATION,
                                             WS_OPCODE_CONTINUATION, WS_OPCODE_BINARY};
    struct ws_frame_parser parser;
    struct bytes input = bytes_of(stream, sizeof stream);
    struct ws_frame frame;

    ws_frame_parser_init(&parser, WS_ROLE_CLIENT);
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        cr_assert_eq(ws_frame_parse(&parser, &input, &frame), WS_FRAME_OK, "frame %zu", i);
        cr_assert_eq(frame.opcode, opcodes[i]);
    }
    cr_assert_eq(ws_frame_parse(&parser, &input, &frame), WS_FRAME_BAD_CONTINUATION);
    cr_assert_eq(input.len, 3);
}

/* The whole examples of §5.7, payloads included. */
Test(ws_frame, reads_the_masked_example_to_its_last_byte)
{
    static const uint8_t stream[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d,
                                     0x7f, 0x9f, 0x4d, 0x51, 0x58};
    struct ws_frame_parser parser;
    struct bytes input = bytes_of(stream, sizeof stream);
    struct ws_frame frame;
    uint8_t text[5];

    ws_frame_parser_init(&parser, WS_ROLE_CLIENT);
    cr_assert_eq(ws_frame_parse(&parser, &input, &frame), WS_FRAME_OK);
    cr_assert_eq(input.len, frame.payload_len);
    ws_mask_copy(text, input.data, input.len, frame.mask, 0);
    cr_assert_arr_eq(text, "Hello", 5);
}

static const struct {
    uint64_t payload_len;
    struct header header;
} written[] = {
    {0, {HEX(0x82, 0)}},
    {1, {HEX(0x82, 1)}},
    {125, {HEX(0x82, 125)}},
    {126, {HEX(0x82, 126, 0, 126)}},
    {256, {HEX(0x82, 126, 1, 0)}},
    {65535, {HEX(0x82, 126, 0xff, 0xff)}},
    {65536, {HEX(0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0)}},
    {INT64_MAX, {HEX(0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)}},
};

Test(ws_frame, writes_the_shortest_header)
{
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        uint8_t header[WS_SERVER_HEADER_BYTES_MAX];
        size_t size = ws_frame_header_write(WS_OPCODE_BINARY, written[i].payload_len, header);

        cr_assert_eq(size, written[i].header.len);
        cr_assert_eq(size, ws_frame_header_size(written[i].payload_len));
        cr_assert_arr_eq(header, written[i].header.data, size);
    }
}

Test(ws_frame, reads_back_what_it_writes)
{
    static const enum ws_opcode opcodes[] = {WS_OPCODE_TEXT, WS_OPCODE_BINARY, WS_OPCODE_CLOSE,
                                             WS_OPCODE_PING, WS_OPCODE_PONG};

    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        uint8_t header[WS_SERVER_HEADER_BYTES_MAX];
        struct ws_frame_parser parser = parser_in(false, WS_ROLE_SERVER);
        struct bytes input = bytes_of(header, ws_frame_header_write(opcodes[i], 77, header));
        struct ws_frame frame;

        cr_assert_eq(ws_frame_parse(&parser, &input, &frame), WS_FRAME_OK);
        cr_assert_eq(frame.opcode, opcodes[i]);
        cr_assert(frame.fin);
        cr_assert_eq(frame.payload_len, 77);
        cr_assert_eq(input.len, 0);
    }
}

static ssize_t wslay_feed(uint8_t *buf, size_t len, int flags, void *user_data)
{
    struct bytes *input = user_data;
    size_t used = input->len < len ? input->len : len;

    if (used == 0) {
        return -1;
    }
    memcpy(buf, input->data, used);
    *input = bytes_skip(*input, used);
    return (ssize_t)used;
}

Test(ws_frame, is_understood_by_wslay)
{
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = wslay_feed};

    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        uint8_t data[WS_SERVER_HEADER_BYTES_MAX + 1] = {0};
        size_t size = ws_frame_header_write(WS_OPCODE_BINARY, written[i].payload_len, data);
        struct bytes input = bytes_of(data, size + (written[i].payload_len > 0));
        struct wslay_frame_iocb frame = {0};
        wslay_frame_context_ptr context;

        cr_assert_eq(wslay_frame_context_init(&context, &callbacks, &input), 0);
        cr_assert_geq(wslay_frame_recv(context, &frame), 0);
        cr_assert_eq(frame.payload_length, written[i].payload_len);
        cr_assert_eq(frame.opcode, WSLAY_BINARY_FRAME);
        cr_assert_eq(frame.fin, 1);
        cr_assert_eq(frame.mask, 0);
        wslay_frame_context_free(context);
    }
}

static const struct {
    unsigned first, last;
    bool is_allowed;
} code_ranges[] = {
    {0, 999, false},     {1000, 1003, true}, {1004, 1006, false},  {1007, 1014, true},
    {1015, 2999, false}, {3000, 4999, true}, {5000, 65535, false},
};

/* Every one of the 65536 codes. */
Test(ws_close, accepts_exactly_the_codes_that_may_be_on_the_wire)
{
    unsigned next = 0;

    for (size_t i = 0; i < sizeof code_ranges / sizeof code_ranges[0]; i++) {
        cr_assert_eq(code_ranges[i].first, next, "the table has a gap");
        for (; next <= code_ranges[i].last; next++) {
            uint8_t payload[2] = {(uint8_t)(next >> 8), (uint8_t)next};
            uint16_t code = 0xbeef;
            enum ws_close_result result = ws_frame_close_parse(bytes_of(payload, 2), &code);

            cr_assert_eq(result, code_ranges[i].is_allowed ? WS_CLOSE_OK : WS_CLOSE_BAD_CODE,
                         "code %u", next);
            cr_assert_eq(code, code_ranges[i].is_allowed ? next : 0xbeef, "code %u", next);
        }
    }
    cr_assert_eq(next, 65536);
}

Test(ws_close, reads_an_empty_payload_as_no_status)
{
    uint16_t code = 0;

    cr_assert_eq(ws_frame_close_parse(bytes_of(NULL, 0), &code), WS_CLOSE_OK);
    cr_assert_eq(code, WS_CLOSE_NO_STATUS);
}

/* The texts of bad codes and reasons are those of gorilla/websocket, which practable/relay sends.
 */
Test(ws_close, names_the_true_fault)
{
    static const struct {
        const char *data;
        size_t len;
        enum ws_close_result result;
        const char *text;
    } cases[] = {
        {"\x03", 1, WS_CLOSE_SHORT, "close payload of one byte"},
        {"\x03\xe8", 2, WS_CLOSE_OK, ""},
        {"\x03\xe8ok", 4, WS_CLOSE_OK, ""},
        {"\x03\xe8gr\xc3\xbc\xc3\x9f", 8, WS_CLOSE_OK, ""},
        {"\x03\xe8\xf0\x9f\x98\x80", 6, WS_CLOSE_OK, ""},
        {"\x03\xec", 2, WS_CLOSE_BAD_CODE, "bad close code 1004"},
        {"\x03\xed\xff", 3, WS_CLOSE_BAD_CODE, "bad close code 1005"},
        {"\x03\xe8\xc3", 3, WS_CLOSE_BAD_REASON, "invalid utf8 payload in close frame"},
        {"\x03\xe8\xff", 3, WS_CLOSE_BAD_REASON, "invalid utf8 payload in close frame"},
        {"\x03\xe8\xc0\x80", 4, WS_CLOSE_BAD_REASON, "invalid utf8 payload in close frame"},
        {"\x03\xe8\xed\xa0\x80", 5, WS_CLOSE_BAD_REASON, "invalid utf8 payload in close frame"},
        {"\x03\xe8\xf4\x90\x80\x80", 6, WS_CLOSE_BAD_REASON, "invalid utf8 payload in close frame"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes payload = bytes_of(cases[i].data, cases[i].len);
        uint16_t code = 0;
        char text[WS_CLOSE_REASON_MAX + 1];
        enum ws_close_result result = ws_frame_close_parse(payload, &code);

        cr_assert_eq(result, cases[i].result, "case %zu", i);
        ws_frame_close_error_text(result, payload, text, sizeof text);
        cr_assert_str_eq(text, cases[i].text, "case %zu", i);
    }
}

Test(ws_close, writes_code_and_reason)
{
    uint8_t payload[WS_CONTROL_PAYLOAD_MAX];
    uint16_t code;

    cr_assert_eq(ws_frame_close_write(WS_CLOSE_DENIED, "denied", payload), 8);
    cr_assert_arr_eq(payload,
                     "\x11\x33"
                     "denied",
                     8);
    cr_assert_eq(ws_frame_close_parse(bytes_of(payload, 8), &code), WS_CLOSE_OK);
    cr_assert_eq(code, WS_CLOSE_DENIED);
    cr_assert_eq(ws_frame_close_write(WS_CLOSE_NO_STATUS, "never sent", payload), 0);
    cr_assert_eq(ws_frame_close_write(WS_CLOSE_NORMAL, "", payload), 2);
}

Test(ws_close, cuts_long_reasons_between_characters)
{
    uint8_t payload[WS_CONTROL_PAYLOAD_MAX];
    char reason[200];
    uint16_t code;

    memset(reason, 'r', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    cr_assert_eq(ws_frame_close_write(WS_CLOSE_NORMAL, reason, payload), WS_CONTROL_PAYLOAD_MAX);
    reason[WS_CLOSE_REASON_MAX] = '\0';
    cr_assert_eq(ws_frame_close_write(WS_CLOSE_NORMAL, reason, payload), WS_CONTROL_PAYLOAD_MAX);
    memcpy(reason + WS_CLOSE_REASON_MAX - 2, "\xe2\x82\xac!", 5);
    cr_assert_eq(ws_frame_close_write(WS_CLOSE_NORMAL, reason, payload),
                 WS_CONTROL_PAYLOAD_MAX - 2);
    cr_assert_eq(ws_frame_close_parse(bytes_of(payload, WS_CONTROL_PAYLOAD_MAX - 2), &code),
                 WS_CLOSE_OK);
}
