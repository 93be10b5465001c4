/* Goal: bookings and codes are the same in the next program, no more and no less; a record that is
 * none is refused, and so is one too many. Method: two sets of lists; an invented clock. */
#include "server/bookings/bookings_handover.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "server/handover/handover_format.h"

enum { BOOKINGS_MAX = 50, CODES_MAX = 200, NOW_S = 1700000000, NOW_MS = 5000, TTL_MS = 30000 };

static struct lists {
    struct code_store *codes;
    struct bookings *bookings;
} before, after;

static uint8_t memory[1 << 18];
static struct handover_writer writer;

static struct lists open_lists(uint32_t bookings_max, uint32_t codes_max)
{
    struct lists lists = {.codes = code_store_create(codes_max, TTL_MS)};

    lists.bookings = bookings_create(bookings_max, lists.codes);
    CHECK(lists.codes != NULL && lists.bookings != NULL);
    return lists;
}

static void close_lists(struct lists *lists)
{
    bookings_destroy(lists->bookings);
    code_store_destroy(lists->codes);
}

static void open_both(void)
{
    before = open_lists(BOOKINGS_MAX, CODES_MAX);
    after = open_lists(BOOKINGS_MAX, CODES_MAX);
    handover_writer_init(&writer, memory, sizeof memory);
    CHECK(handover_writer_prelude(&writer));
}

static void close_both(void)
{
    close_lists(&before);
    close_lists(&after);
}

TestSuite(bookings_handover, .init = open_both, .fini = close_both);

static void grant(const char *booking_id, const char *topic, uint64_t now_ms,
                  char code[static CODE_SIZE])
{
    struct permission permission = {.exp_s = NOW_S + 99,
                                    .nbf_s = -5,
                                    .scopes_json = "[\"read\"]",
                                    .can_read = true,
                                    .is_session = true};
    struct grant grant;

    snprintf(permission.booking_id, sizeof permission.booking_id, "%s", booking_id);
    snprintf(permission.topic, sizeof permission.topic, "%s", topic);
    cr_assert_eq(bookings_grant(before.bookings, &permission, now_ms, NOW_S, &grant), 0);
    memcpy(code, grant.code, CODE_SIZE);
}

static bool write_all(void)
{
    return bookings_handover_write(before.bookings, before.codes, NOW_MS, NOW_S, &writer);
}

/* The first failure; the clock of the other program is another one. */
static int read_all(uint64_t now_ms)
{
    struct handover_record record;
    struct handover_walk walk;
    int failed = 0;

    cr_assert(handover_reader_begin(&walk, bytes_of(memory, writer.len)));
    while (failed == 0 && handover_reader_next(&walk, &record)) {
        failed = bookings_handover_read(after.bookings, after.codes, &record, now_ms, NOW_S);
    }
    return failed;
}

static int take(const char *code, uint64_t now_ms, struct permission *ret_permission)
{
    return code_store_take(after.codes, bytes_of_text(code), now_ms, ret_permission);
}

Test(bookings_handover, lists_and_codes_are_the_same)
{
    char codes[CODES_MAX][CODE_SIZE];
    struct permission permission;
    enum booking_list list;
    int64_t exp_s;

    for (unsigned i = 0; i < 20; i++) {
        char booking[32];

        snprintf(booking, sizeof booking, "booking %u", i);
        grant(booking, "a topic", NOW_MS - i % 2, codes[i]);
    }
    cr_assert_eq(bookings_deny(before.bookings, "denied", NOW_S + 7, NOW_S), 0);
    bookings_allow(before.bookings, "allowed", NOW_S + 8, NOW_S);
    cr_assert(write_all());
    cr_assert_leq(writer.len, bookings_handover_size(before.bookings, before.codes));
    cr_assert_eq(read_all(1000000), 0);
    cr_assert_eq(bookings_count(after.bookings, BOOKINGS_DENIED), 1);
    cr_assert_eq(bookings_count(after.bookings, BOOKINGS_ALLOWED), 21);
    cr_assert(bookings_find(after.bookings, "denied", &list, &exp_s));
    cr_assert(list == BOOKINGS_DENIED && exp_s == NOW_S + 7);
    cr_assert(bookings_find(after.bookings, "allowed", &list, &exp_s));
    cr_assert(list == BOOKINGS_ALLOWED && exp_s == NOW_S + 8);
    for (unsigned i = 0; i < 20; i++) {
        cr_assert_eq(take(codes[i], 1000000, &permission), 0);
        cr_assert_str_eq(permission.topic, "a topic");
        cr_assert_str_eq(permission.scopes_json, "[\"read\"]");
        cr_assert_eq(permission.exp_s, NOW_S + 99);
        cr_assert_eq(permission.nbf_s, -5);
        cr_assert(permission.can_read && !permission.can_write && permission.is_session);
    }
    cr_assert_eq(code_store_count(after.codes), 0);
}

Test(bookings_handover, codes_keep_the_time_that_they_have)
{
    char old[CODE_SIZE], young[CODE_SIZE], gone[CODE_SIZE];
    struct permission permission;

    grant("gone", "t", 10000, gone);
    grant("old", "t", 20000, old);
    grant("young", "t", 30000, young);
    cr_assert(
        bookings_handover_write(before.bookings, before.codes, 10000 + TTL_MS, NOW_S, &writer));
    cr_assert_eq(read_all(0), 0);
    cr_assert_eq(code_store_count(after.codes), 2);
    cr_assert_eq(take(gone, 0, &permission), -ENOENT);
    cr_assert_eq(take(old, 10000, &permission), -ENOENT);
    cr_assert_eq(take(young, 19999, &permission), 0);
}

Test(bookings_handover, time_that_is_longer_than_ours_is_cut)
{
    struct code_store *shorter = code_store_create(4, 100);
    char code[CODE_SIZE];
    struct permission permission = {.topic = "t"};

    memset(code, 'x', sizeof code);
    code[CODE_SIZE - 1] = '\0';
    cr_assert_eq(code_store_restore(shorter, code, &permission, 5000, 0), 0);
    cr_assert_eq(code_store_take(shorter, bytes_of_text(code), 100, &permission), -ENOENT);
    code_store_destroy(shorter);
}

Test(bookings_handover, denial_or_code_without_room_is_a_failure)
{
    char code[CODE_SIZE];

    grant("a", "t", NOW_MS, code);
    grant("b", "t", NOW_MS, code);
    cr_assert(write_all());
    close_lists(&after);
    after = open_lists(BOOKINGS_MAX, 1);
    cr_assert_eq(read_all(NOW_MS), -ENOSPC);
    close_lists(&after);
    after = open_lists(1, CODES_MAX);
    cr_assert_eq(bookings_deny(before.bookings, "c", NOW_S + 9, NOW_S), 0);
    cr_assert_eq(bookings_deny(before.bookings, "d", NOW_S + 9, NOW_S), 0);
    handover_writer_init(&writer, memory, sizeof memory);
    cr_assert(handover_writer_prelude(&writer));
    cr_assert(write_all());
    cr_assert_eq(read_all(NOW_MS), -ENOSPC);
}

Test(bookings_handover, what_does_not_fit_is_told)
{
    char code[CODE_SIZE];

    grant("a", "t", NOW_MS, code);
    writer.size = writer.len + 100;
    cr_assert_not(write_all());
}

Test(bookings_handover, records_that_lack_a_field_or_lie_are_refused)
{
    char code[CODE_SIZE];
    struct handover_record record;
    struct handover_walk walk;

    grant("a", "t", NOW_MS, code);
    cr_assert_eq(bookings_deny(before.bookings, "b", NOW_S + 9, NOW_S), 0);
    cr_assert(write_all());
    cr_assert(handover_reader_begin(&walk, bytes_of(memory, writer.len)));
    while (handover_reader_next(&walk, &record)) {
        struct handover_record cut = record;
        uint8_t spoilt[1024];

        cut.fields.len = 0;
        cut.marks_count = 0;
        cr_assert_eq(bookings_handover_read(after.bookings, after.codes, &cut, 0, NOW_S), -EINVAL);
        for (size_t i = 0; i < record.fields.len; i += 1) { /* a zero in a text, an odd number */
            memcpy(spoilt, record.fields.data, record.fields.len);
            spoilt[i] ^= 0x80;
            cut.marks_count = 0;
            cut.fields = bytes_of(spoilt, record.fields.len);
            int failed UNUSED = bookings_handover_read(after.bookings, after.codes, &cut, 0, NOW_S);
        }
    }
    record.kind = HANDOVER_GO;
    cr_assert_eq(bookings_handover_read(after.bookings, after.codes, &record, 0, NOW_S), -EINVAL);
}

Test(bookings_handover, denial_of_one_is_a_message)
{
    char id[TOKEN_TEXT_SIZE];
    struct handover_record record;
    size_t len;
    int64_t exp_s;

    handover_writer_init(&writer, memory, sizeof memory);
    cr_assert(bookings_handover_write_denial("b", NOW_S, &writer));
    cr_assert_eq(handover_reader_record(bytes_of(memory, writer.len), &record, &len),
                 HANDOVER_READ);
    cr_assert(bookings_handover_read_denial(&record, id, &exp_s));
    cr_assert_str_eq(id, "b");
    cr_assert_eq(exp_s, NOW_S);
    record.kind = HANDOVER_DONE;
    cr_assert_not(bookings_handover_read_denial(&record, id, &exp_s));
}
