/* Goal: members come back as they were, times as the other clock has them, and nothing out of its
 * bounds. Method: a struct with members of all sizes and kinds; two workers with other clocks. */
#include "server/handover/live/live_scalars.h"

#include <criterion/criterion.h>

enum { KIND = 64, NOW_MS = 1000000 };

struct thing {
    bool flag;
    uint16_t half;
    uint32_t word;
    uint64_t count, past_ms, due_ms, none_ms, never_ms;
    int64_t balance;
    enum { THING_A, THING_B, THING_C } kind;
};

static const struct live_scalar scalars[] = {
    LIVE_SCALAR_BOOL(struct thing, flag, 1),
    LIVE_SCALAR_COUNT(struct thing, half, 2),
    LIVE_SCALAR_COUNT(struct thing, word, 3),
    LIVE_SCALAR_COUNT(struct thing, count, 4),
    LIVE_SCALAR_PAST(struct thing, past_ms, 5),
    LIVE_SCALAR_DUE(struct thing, due_ms, 6),
    LIVE_SCALAR_PAST(struct thing, none_ms, 7),
    LIVE_SCALAR_DUE(struct thing, never_ms, 8),
    LIVE_SCALAR(struct thing, balance, 9, LIVE_SIGNED, 1000),
    LIVE_SCALAR_NUMBER(struct thing, kind, 10, THING_C),
};

static const struct worker here = {.now_ms = NOW_MS, .looked_ms = NOW_MS + 70};
static const struct worker there = {.now_ms = NOW_MS - 500, .looked_ms = NOW_MS + 70};
static const struct thing thing = {.flag = true,
                                   .half = 65535,
                                   .word = UINT32_MAX,
                                   .count = UINT64_MAX,
                                   .past_ms = NOW_MS - 30,
                                   .due_ms = NOW_MS + 30,
                                   .never_ms = UINT64_MAX,
                                   .balance = -1000,
                                   .kind = THING_C};

static uint8_t stream[4096];

static struct handover_record record_of(const struct handover_writer *writer)
{
    struct handover_record record;
    size_t len;

    cr_assert_eq(handover_reader_record(bytes_of(stream, writer->len), &record, &len),
                 HANDOVER_READ);
    return record;
}

static struct handover_record write_thing(void)
{
    struct handover_writer writer;

    handover_writer_init(&writer, stream, sizeof stream);
    handover_writer_begin(&writer, KIND, 0);
    live_scalars_write(&writer, scalars, ARRAY_LENGTH(scalars), &thing, &here);
    cr_assert(handover_writer_end(&writer));
    return record_of(&writer);
}

static bool read_number(uint16_t id, uint64_t value, struct thing *ret_thing)
{
    struct handover_writer writer;

    handover_writer_init(&writer, stream, sizeof stream);
    handover_writer_begin(&writer, KIND, 0);
    handover_writer_number(&writer, id, value);
    cr_assert(handover_writer_end(&writer));
    struct handover_record record = record_of(&writer);

    return live_scalars_read(&record, scalars, ARRAY_LENGTH(scalars), ret_thing, &there);
}

Test(live_scalars, members_come_back_as_they_were)
{
    struct handover_record record = write_thing();
    struct thing read = {0};

    cr_assert(live_scalars_read(&record, scalars, ARRAY_LENGTH(scalars), &read, &here));
    cr_assert_eq(memcmp(&read, &thing, sizeof read), 0);
}

Test(live_scalars, times_are_those_of_the_other_clock)
{
    struct handover_record record = write_thing();
    struct thing read = {0};

    cr_assert(live_scalars_read(&record, scalars, ARRAY_LENGTH(scalars), &read, &there));
    cr_assert_eq(read.past_ms, NOW_MS - 530);
    cr_assert_eq(read.due_ms, NOW_MS - 470);
    cr_assert_eq(read.none_ms, 0);
    cr_assert_eq(read.never_ms, UINT64_MAX);
}

Test(live_scalars, what_is_past_is_past)
{
    struct thing read = {0};

    cr_assert(read_number(5, NOW_MS + 100000, &read));
    cr_assert_eq(read.past_ms, there.now_ms);
}

Test(live_scalars, what_is_not_there_stays)
{
    struct thing read = {.word = 7};

    cr_assert(read_number(99, 1, &read));
    cr_assert_eq(read.word, 7);
}

Test(live_scalars, what_is_out_of_bounds_is_refused)
{
    struct thing read = {0};

    cr_assert_not(read_number(1, 2, &read));
    cr_assert_not(read_number(2, 65536, &read));
    cr_assert_not(read_number(3, UINT64_C(1) << 32, &read));
    cr_assert_not(read_number(9, 1001, &read));
    cr_assert_not(read_number(9, (uint64_t)-1001, &read));
    cr_assert_not(read_number(9, (uint64_t)INT64_MIN, &read));
    cr_assert_not(read_number(10, THING_C + 1, &read));
    cr_assert(read_number(9, (uint64_t)-1000, &read));
    cr_assert_eq(read.balance, -1000);
}
