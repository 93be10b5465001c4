/* relay-text-check: what the check of text messages costs beside the copy that unmasks them, in the
 * pieces of phase_websocket.c. Prints a line for each kind of text; judges the verdicts, no times.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "base/check.h"
#include "base/clock.h"
#include "wire/utf8_stream.h"
#include "wire/ws_mask.h"

enum { TEXT_BYTES = 1 << 20, PIECE_BYTES = 4096, ROUNDS = 40, TRIES = 5 };

static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

enum work { WORK_COPY, WORK_COPY_AND_CHECK, WORK_COPY_AND_CHECK_BYTES };

static void take_piece(struct utf8_stream *stream, struct bytes piece, enum work work)
{
    bool is_good = true;

    if (work == WORK_COPY_AND_CHECK) {
        is_good = utf8_stream_take(stream, piece);
    } else if (work == WORK_COPY_AND_CHECK_BYTES) {
        is_good = utf8_stream_take_bytes(stream, piece);
    }
    CHECK(is_good);
}

static void work_once(uint8_t *target, const uint8_t *source, enum work work)
{
    struct utf8_stream stream;

    utf8_stream_init(&stream);
    for (size_t at = 0; at < TEXT_BYTES; at += PIECE_BYTES) {
        ws_mask_copy(target + at, source + at, PIECE_BYTES, mask, at);
        take_piece(&stream, bytes_of(target + at, PIECE_BYTES), work);
    }
    CHECK(utf8_stream_is_whole(&stream));
}

/* Bytes in a nanosecond: the best of some tries, since other programs take time too. */
static double measure(uint8_t *target, const uint8_t *source, enum work work)
{
    double best = 0;

    for (int try = 0; try < TRIES; try++) {
        uint64_t begin_ns = clock_monotonic_ns();

        for (int round = 0; round < ROUNDS; round++) {
            work_once(target, source, work);
        }
        double rate = (double)TEXT_BYTES * ROUNDS / (double)(clock_monotonic_ns() - begin_ns);

        best = rate > best ? rate : best;
    }
    return best;
}

/* Whole characters, and as many blanks as it takes to fill the rest. */
static void make_masked(uint8_t *source, const char *unit)
{
    size_t len = strlen(unit);
    uint8_t *text = malloc(TEXT_BYTES);

    CHECK(text != NULL);
    memset(text, ' ', TEXT_BYTES);
    for (size_t i = 0; i < TEXT_BYTES / len * len; i++) {
        text[i] = (uint8_t)unit[i % len];
    }
    ws_mask_copy(source, text, TEXT_BYTES, mask, 0);
    free(text);
}

int main(void)
{
    static const struct {
        const char *name;
        const char *unit;
    } texts[] = {
        {"JSON", "{\"time\":1769851280,\"value\":27.4,\"unit\":\"V\"}"},
        {"JSON with some umlauts",
         "{\"name\":\"Größe\",\"value\":27.4,\"unit\":\"µm\",\"n\":12345678}"},
        {"Greek", "κόσμε "},
        {"Chinese", "中文字符"},
        {"emoji", "\xf0\x9f\x98\x80"},
    };
    uint8_t *source = malloc(TEXT_BYTES), *target = malloc(TEXT_BYTES);

    CHECK(source != NULL && target != NULL);
    printf("%-24s %10s %16s %16s  (GB/s)\n", "text", "copy", "copy and check", "without vectors");
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        make_masked(source, texts[i].unit);
        printf("%-24s %10.2f %16.2f %16.2f\n", texts[i].name, measure(target, source, WORK_COPY),
               measure(target, source, WORK_COPY_AND_CHECK),
               measure(target, source, WORK_COPY_AND_CHECK_BYTES));
    }
    free(source);
    free(target);
    return 0;
}
