/* Goal: the Close is found wherever it stands in what a peer still sends, however that is cut.
 * Method: streams of frames, given whole and byte by byte. */
#include "wire/ws_close_watch.h"

#include <criterion/criterion.h>

static struct ws_close_watch watch;

static void start(uint64_t payload_left)
{
    struct ws_frame_parser parser;
    struct ws_frame text = {.opcode = WS_OPCODE_TEXT, .payload_len = payload_left};

    ws_frame_parser_init(&parser, WS_ROLE_CLIENT);
    ws_close_watch_init(&watch, &parser, payload_left > 0 ? &text : NULL, 0);
}

/* How many bytes were given when it was found; 0: never. */
static size_t found_after(const char *stream, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (ws_close_watch_read(&watch, bytes_of(stream + i, 1))) {
            return i + 1;
        }
    }
    return 0;
}

#define TEXT_HELLO  "\x81\x85\0\0\0\0hello"
#define CLOSE_1001  "\x88\x82\0\0\0\0\x03\xe9"
#define CLOSE_EMPTY "\x88\x80\0\0\0\0"

Test(ws_close_watch, finds_a_close_with_its_last_byte)
{
    static const char stream[] = TEXT_HELLO CLOSE_1001 "more";

    start(0);
    cr_assert_eq(found_after(stream, sizeof stream - 1), 19);
    start(0);
    cr_assert(ws_close_watch_read(&watch, bytes_of(stream, sizeof stream - 1)));
    cr_assert(ws_close_watch_read(&watch, bytes_of_text("whatever follows")));
}

Test(ws_close_watch, finds_an_empty_close)
{
    start(0);
    cr_assert_eq(found_after(CLOSE_EMPTY, 6), 6);
}

Test(ws_close_watch, passes_over_the_rest_of_the_frame_it_starts_in)
{
    /* Bytes that look like a Close are payload here. */
    static const char stream[] = CLOSE_EMPTY CLOSE_EMPTY;

    start(6);
    cr_assert_eq(found_after(stream, sizeof stream - 1), 12);
}

Test(ws_close_watch, goes_on_inside_a_header_and_a_fragmented_message)
{
    struct ws_frame_parser parser;
    struct ws_frame frame;
    struct bytes begun = bytes_of("\x01\x81\0\0\0\0p\x80", 8);

    ws_frame_parser_init(&parser, WS_ROLE_CLIENT);
    cr_assert_eq(ws_frame_parse(&parser, &begun, &frame), WS_FRAME_OK);
    begun = bytes_skip(begun, 1);
    cr_assert_eq(ws_frame_parse(&parser, &begun, &frame), WS_FRAME_MORE);
    ws_close_watch_init(&watch, &parser, NULL, 0);
    cr_assert_eq(found_after("\x81\0\0\0\0x" CLOSE_EMPTY, 12), 12);
}

Test(ws_close_watch, finds_the_close_in_whose_payload_it_starts)
{
    struct ws_frame close = {.opcode = WS_OPCODE_CLOSE, .payload_len = 2};
    struct ws_frame_parser parser;

    ws_frame_parser_init(&parser, WS_ROLE_CLIENT);
    ws_close_watch_init(&watch, &parser, &close, 1);
    cr_assert_eq(found_after("\xe9" TEXT_HELLO, 12), 1);
}

Test(ws_close_watch, finds_nothing_after_what_is_no_frame)
{
    static const char stream[] = "\x83\x80\0\0\0\0" CLOSE_EMPTY; /* opcode 3 */

    start(0);
    cr_assert_eq(found_after(stream, sizeof stream - 1), 0);
    start(0);
    cr_assert_not(ws_close_watch_read(&watch, bytes_of(stream, sizeof stream - 1)));
}

Test(ws_close_watch, nothing_is_found_in_nothing)
{
    start(0);
    cr_assert_not(ws_close_watch_read(&watch, bytes_of(NULL, 0)));
    start(UINT64_MAX);
    cr_assert_eq(found_after(CLOSE_EMPTY, 6), 0);
}
