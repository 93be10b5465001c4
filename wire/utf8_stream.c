#include "wire/utf8_stream.h"

#include <string.h>
#if defined __x86_64__
#include <tmmintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

#define HIGH_BITS UINT64_C(0x8080808080808080)

enum {
    BLOCK = 64,
    BEFORE = 3, /* preceding bytes that decide whether a byte is valid */
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

#if defined __x86_64__ || defined __aarch64__

/* Block by block, in vectors of 16 bytes, by the method of Keiser and Lemire ("Validating UTF-8 in
 * less than one instruction per byte", 2021): three look-ups, by the halves of a byte and the upper
 * half of the next, yield the faults of the two. It requires a byte shuffle: SSSE3, or the NEON of
 * every arm64. */

typedef uint8_t vector __attribute__((vector_size(16)));
typedef uint64_t vector_words __attribute__((vector_size(16)));

#ifdef __x86_64__
#define WITH_SHUFFLE __attribute__((target("ssse3")))

static bool has_shuffle(void)
{
    return __builtin_cpu_supports("ssse3") != 0;
}

/* table[index] for each byte of the index, which is below 16. */
WITH_SHUFFLE static inline vector vector_look_up(vector table, vector index)
{
    return (vector)_mm_shuffle_epi8((__m128i)table, (__m128i)index);
}
#else
#define WITH_SHUFFLE

static bool has_shuffle(void)
{
    return true;
}

static inline vector vector_look_up(vector table, vector index)
{
    return (vector)vqtbl1q_u8((uint8x16_t)table, (uint8x16_t)index);
}
#endif

/* Faults of a byte together with the preceding one. */
enum pair_faults {
    TOO_SHORT = 1 << 0, /* a first byte without continuation */
    TOO_LONG = 1 << 1,  /* a continuation of ASCII */
    OVERLONG_3 = 1 << 2,
    TOO_LARGE = 1 << 3, /* f4 90 to bf, f5 and above with 90 to bf */
    SURROGATE = 1 << 4,
    OVERLONG_2 = 1 << 5,
    OVERLONG_4 = 1 << 6,        /* f0 80 to 8f; also f5 and above with 80 to 8f */
    TWO_CONTINUATIONS = 1 << 7, /* valid where the first byte requires them */
    ANY_LOW = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS, /* for any lower half */
};

static const vector by_first_high = {TOO_LONG,
                                     TOO_LONG,
                                     TOO_LONG,
                                     TOO_LONG,
                                     TOO_LONG,
                                     TOO_LONG,
                                     TOO_LONG,
                                     TOO_LONG,
                                     TWO_CONTINUATIONS,
                                     TWO_CONTINUATIONS,
                                     TWO_CONTINUATIONS,
                                     TWO_CONTINUATIONS,
                                     TOO_SHORT | OVERLONG_2,
                                     TOO_SHORT,
                                     TOO_SHORT | OVERLONG_3 | SURROGATE,
                                     TOO_SHORT | TOO_LARGE | OVERLONG_4};

static const vector by_first_low = {ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
                                    ANY_LOW | OVERLONG_2,
                                    ANY_LOW,
                                    ANY_LOW,
                                    ANY_LOW | TOO_LARGE,
                                    ANY_LOW | TOO_LARGE | OVERLONG_4,
                                    ANY_LOW | TOO_LARGE | OVERLONG_4,
                                    ANY_LOW | TOO_LARGE | OVERLONG_4,
                                    ANY_LOW | TOO_LARGE | OVERLONG_4,
                                    ANY_LOW | TOO_LARGE | OVERLONG_4,
                                    ANY_LOW | TOO_LARGE | OVERLONG_4,
                                    ANY_LOW | TOO_LARGE | OVERLONG_4,
                                    ANY_LOW | TOO_LARGE | OVERLONG_4,
                                    ANY_LOW | TOO_LARGE | OVERLONG_4 | SURROGATE,
                                    ANY_LOW | TOO_LARGE | OVERLONG_4,
                                    ANY_LOW | TOO_LARGE | OVERLONG_4};

static const vector by_second_high = {
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_LONG | TWO_CONTINUATIONS | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
    TOO_LONG | TWO_CONTINUATIONS | OVERLONG_2 | OVERLONG_3 | TOO_LARGE,
    TOO_LONG | TWO_CONTINUATIONS | OVERLONG_2 | SURROGATE | TOO_LARGE,
    TOO_LONG | TWO_CONTINUATIONS | OVERLONG_2 | SURROGATE | TOO_LARGE,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT};

static inline vector vector_load(const uint8_t *at)
{
    vector loaded;

    memcpy(&loaded, at, sizeof loaded);
    return loaded;
}

/* Bitwise OR of all groups of eight bytes. */
static inline uint64_t vector_fold(vector bytes)
{
    vector_words words = (vector_words)bytes;

    return words[0] | words[1];
}

/* Nonzero in each byte that table 3-7 forbids after the three preceding it. */
WITH_SHUFFLE static inline vector find_faults(const uint8_t *at)
{
    vector byte = vector_load(at), one = vector_load(at - 1);
    vector two = vector_load(at - 2), three = vector_load(at - 3);
    vector faults = vector_look_up(by_first_high, one >> 4) &
                    vector_look_up(by_first_low, one & 0x0f) &
                    vector_look_up(by_second_high, byte >> 4);
    vector must_be_second = (vector)((two >= 0xe0) | (three >= 0xf0)) & TWO_CONTINUATIONS;

    return faults ^ must_be_second;
}

/* The BEFORE bytes preceding it have been checked. True also when the block ends inside a
 * character. */
WITH_SHUFFLE static bool block_is_good(const uint8_t *block)
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

/* Start of the character that continues past end; end when none does. */
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

/* Advances to the first position from which blocks can be checked: between characters, with the
 * bytes that a block looks back at in the same piece. */
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
    if (!has_shuffle()) {
        return utf8_stream_take_bytes(stream, more);
    }
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

#else

bool utf8_stream_take(struct utf8_stream *stream, struct bytes more)
{
    return utf8_stream_take_bytes(stream, more);
}

#endif

bool utf8_stream_is_whole(const struct utf8_stream *stream)
{
    return !stream->is_bad && stream->left == 0;
}
