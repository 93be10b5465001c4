/* Reaches utf8_stream_take, utf8_stream_take_bytes and utf8_stream_is_whole, compared with jansson,
 * which checks whole texts: a text is valid so far when some continuation completes it. Input: one
 * byte that cuts, then the text. */
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"
#include "fuzz/split.h"
#include "wire/utf8_stream.h"

enum { HEAD = 1, TEXT_BYTES_MAX = 160, CONTINUATION_MAX = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool jansson_takes(struct bytes text)
{
    json_t *string = json_stringn((const char *)text.data, text.len);
    bool is_good = string != NULL;

    json_decref(string);
    CHECK(utf8_is_valid(text) == is_good);
    return is_good;
}

/* The least and the greatest continuation byte: one of them is in every range of table 3-7. */
static bool has_continuation(struct bytes text)
{
    static const uint8_t fills[] = {0x80, 0xbf};
    uint8_t whole[TEXT_BYTES_MAX + CONTINUATION_MAX];

    for (size_t i = 0; i < sizeof fills; i++) {
        memcpy(whole, text.data, text.len);
        memset(whole + text.len, fills[i], CONTINUATION_MAX);
        for (size_t more = 1; more <= CONTINUATION_MAX; more++) {
            if (jansson_takes(bytes_of(whole, text.len + more))) {
                return true;
            }
        }
    }
    return false;
}

typedef bool take_function(struct utf8_stream *stream, struct bytes more);

static void check_pieces(take_function *take, struct bytes text, struct split split)
{
    struct utf8_stream stream;

    utf8_stream_init(&stream);
    for (size_t done = 0; done < text.len;) {
        size_t len = split_next(&split, text.len - done);
        bool is_good = take(&stream, bytes_of(text.data + done, len));

        done += len;
        struct bytes so_far = bytes_of(text.data, done);
        bool is_whole = jansson_takes(so_far);

        CHECK(utf8_stream_is_whole(&stream) == is_whole);
        CHECK(is_good == (is_whole || has_continuation(so_far)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD || size - HEAD > TEXT_BYTES_MAX) {
        return 0;
    }
    struct bytes text = bytes_of(data + HEAD, size - HEAD);
    struct split split = {.state = data[0]};

    check_pieces(utf8_stream_take, text, split);
    check_pieces(utf8_stream_take_bytes, text, split);
    check_pieces(utf8_stream_take, text, (struct split){.state = SPLIT_WHOLE});
    return 0;
}
