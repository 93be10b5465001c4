#include "wire/utf8_stream.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

enum {
    BLOCK = 64,
    BEFORE = 3, /* bytes ahead of one that decide whether it may follow */
    CONTINUATION_LOW = 0x80,
    CONTINUATION_HIGH = 0xbf,
};

void utf8_stream_init(struct utf8_stream *stream)
{
    *stream = (struct utf8_stream){.low = CONTINUATION_LOW, .high = CONTINUATION_HIGH};
}

/* Byte by byte, eight at a time where they are ASCII. */

static void begin_character(struct utf8_stream *stream, uint8_t first)
{
    stream->left = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    stream->is_bad = first > 0xf4 || (first >= 0x80 && first < 0xc2);
    stream->low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : CONTINUATION_LOW;
    stream->high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : CONTINUATION_HIGH;
}

static void take_byte(struct utf8_stream *stream, uint8_t byte)
{
    if (stream->left == 0) {
        begin_character(stream, byte);
        return;
    }
    stream->is_bad = byte < stream->low || byte > stream->high;
    stream->left--;
    stream->low = CONTINUATION_LOW;
    stream->high = CONTINUATION_HIGH;
}

static bool word_is_ascii(const uint8_t *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof word);
    return (word & HIGH_BITS) == 0;
}

bool utf8_stream_take_bytes(struct utf8_stream *stream, struct bytes more)
{
    size_t i = 0;

    while (i < more.len && !stream->is_bad) {
        if (stream->left == 0 && more.len - i >= sizeof(uint64_t) && word_is_ascii(more.data + i)) {
            i += sizeof(uint64_t);
        } else {
            take_byte(stream, more.data[i++]);
        }
    }
    return !stream->is_bad;
}

/* Block by block, in vectors of the compiler's own kind: SSE2 or NEON, which every machine of the
 * architecture has; elsewhere it makes do with words. Comparisons of vectors give bytes of all ones
 * or all zeros. */

typedef uint8_t vector __attribute__((vector_size(16)));
typedef uint64_t vector_words __attribute__((vector_size(16)));

static inline vector vector_load(const uint8_t *at)
{
    vector loaded;

    memcpy(&loaded, at, sizeof loaded);
    return loaded;
}

/* All bits that any eight bytes have. */
static inline uint64_t vector_fold(vector bytes)
{
    vector_words words = (vector_words)bytes;

    return words[0] | words[1];
}

/* Not 0 in each byte that table 3-7 forbids behind the three before it. */
static inline vector find_faults(const uint8_t *at)
{
    vector byte = vector_load(at), one = vector_load(at - 1);
    vector two = vector_load(at - 2), three = vector_load(at - 3);
    vector is_continuation = (vector)((byte & 0xc0) == 0x80);
    vector must_continue = (vector)((one >= 0xc0) | (two >= 0xe0) | (three >= 0xf0));
    vector is_never = (vector)(((byte & 0xfe) == 0xc0) | (byte > 0xf4));
    vector is_out_of_range =
        (vector)(((one == 0xe0) & (byte < 0xa0)) | ((one == 0xed) & (byte > 0x9f)) |
                 ((one == 0xf0) & (byte < 0x90)) | ((one == 0xf4) & (byte > 0x8f)));

    return (is_continuation ^ must_continue) | is_never | is_out_of_range;
}

/* The BEFORE bytes ahead of it have been judged. True also when it ends inside a character. */
static bool block_is_good(const uint8_t *block)
{
    vector bits = vector_load(block - BEFORE), faults = {0};

    for (size_t i = 0; i < BLOCK; i += sizeof bits) {
        bits |= vector_load(block + i);
    }
    if ((vector_fold(bits) & HIGH_BITS) == 0) {
        return true;
    }
    for (size_t i = 0; i < BLOCK; i += sizeof faults) {
        faults |= find_faults(block + i);
    }
    return vector_fold(faults) == 0;
}

/* Where the character begins that goes on at end; end when none does. */
static size_t find_cut_character(const uint8_t *data, size_t end)
{
    static const uint8_t longer_than[] = {0, 0xc0, 0xe0, 0xf0};

    for (size_t back = 1; back <= BEFORE; back++) {
        if (data[end - back] >= longer_than[back]) {
            return end - back;
        }
    }
    return end;
}

/* Up to the first place from which blocks can be judged: no character goes on there, and what they
 * look back at is in the same piece. */
static size_t take_head(struct utf8_stream *stream, struct bytes more)
{
    size_t i = 0;

    while (i < more.len && !stream->is_bad && (i < BEFORE || stream->left > 0)) {
        take_byte(stream, more.data[i++]);
    }
    return i;
}

bool utf8_stream_take(struct utf8_stream *stream, struct bytes more)
{
    size_t head = take_head(stream, more), end = head;

    while (!stream->is_bad && more.len - end >= BLOCK) {
        stream->is_bad = !block_is_good(more.data + end);
        end += BLOCK;
    }
    if (end > head) {
        end = find_cut_character(more.data, end);
    }
    return utf8_stream_take_bytes(stream, bytes_skip(more, end));
}

bool utf8_stream_is_whole(const struct utf8_stream *stream)
{
    return !stream->is_bad && stream->left == 0;
}
