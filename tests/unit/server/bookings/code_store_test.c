/* Goal: each code works once, within its time to live, and no more of them wait than allowed.
 * Method: an invented clock; single cases, then random use against a plain array. Several threads
 * do the same in tests/loop/workers_test.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/bookings/code_store.h"

enum { TTL_MS = 30000 };

/* A code of a booking of its own, which can be told by its mark. */
static int put(struct code_store *store, int64_t mark, uint64_t now_ms, char *code)
{
    struct permission permission = {.topic = "t", .can_read = true, .exp_s = mark};

    snprintf(permission.booking_id, sizeof permission.booking_id, "%ld", (long)mark);
    return code_store_put(store, &permission, now_ms, code);
}

static int take(struct code_store *store, const char *code, uint64_t now_ms, int64_t *ret_mark)
{
    struct permission permission;
    int result = code_store_take(store, bytes_of_text(code), now_ms, &permission);

    if (result == 0) {
        cr_assert_str_eq(permission.topic, "t");
        cr_assert(permission.can_read && !permission.can_write);
        *ret_mark = permission.exp_s;
    }
    return result;
}

Test(code_store, gives_codes_that_work_once)
{
    struct code_store *store = code_store_create(4, TTL_MS);
    char code[CODE_SIZE];
    int64_t mark = 0;

    cr_assert_eq(put(store, 77, 1000, code), 0);
    cr_assert_eq(strlen(code), CODE_SIZE - 1);
    cr_assert_eq(code_store_count(store), 1);
    cr_assert_eq(take(store, code, 1001, &mark), 0);
    cr_assert_eq(mark, 77);
    cr_assert_eq(code_store_count(store), 0);
    cr_assert_eq(take(store, code, 1001, &mark), -ENOENT);
    code_store_destroy(store);
}

Test(code_store, knows_only_whole_and_exact_codes)
{
    struct code_store *store = code_store_create(4, TTL_MS);
    char code[CODE_SIZE], other[CODE_SIZE + 1];
    int64_t mark;

    cr_assert_eq(put(store, 1, 0, code), 0);
    cr_assert_eq(take(store, "", 0, &mark), -ENOENT);
    for (size_t i = 0; i < CODE_SIZE - 1; i++) {
        memcpy(other, code, CODE_SIZE);
        other[i] = (char)(other[i] ^ 1);
        cr_assert_eq(take(store, other, 0, &mark), -ENOENT, "byte %zu", i);
        memcpy(other, code, CODE_SIZE);
        other[i] = '\0';
        cr_assert_eq(take(store, other, 0, &mark), -ENOENT, "the first %zu", i);
    }
    snprintf(other, sizeof other, "%sx", code);
    cr_assert_eq(take(store, other, 0, &mark), -ENOENT);
    cr_assert_eq(take(store, code, 0, &mark), 0, "failures do not use it up");
    code_store_destroy(store);
}

Test(code_store, refuses_a_code_that_is_too_old)
{
    static const struct {
        uint64_t age_ms;
        int result;
    } cases[] = {{0, 0}, {1, 0}, {TTL_MS - 1, 0}, {TTL_MS + 1, -ENOENT}, {10 * TTL_MS, -ENOENT}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct code_store *store = code_store_create(4, TTL_MS);
        char code[CODE_SIZE];
        int64_t mark;

        cr_assert_eq(put(store, 1, 5000, code), 0);
        cr_assert_eq(take(store, code, 5000 + cases[i].age_ms, &mark), cases[i].result, "%lu ms",
                     cases[i].age_ms);
        cr_assert_eq(take(store, code, 5000, &mark), -ENOENT, "and it does not come back");
        code_store_destroy(store);
    }
}

/* Workers read their clocks at the start of a turn, so one may give out a code with a time that is
 * a little before that of the code given out last. */
Test(code_store, counts_the_age_of_each_code_by_itself)
{
    struct code_store *store = code_store_create(4, TTL_MS);
    char later[CODE_SIZE], earlier[CODE_SIZE];
    int64_t mark;

    cr_assert_eq(put(store, 1, 5100, later), 0);
    cr_assert_eq(put(store, 2, 5000, earlier), 0);
    cr_assert_eq(take(store, earlier, 5050 + TTL_MS, &mark), -ENOENT);
    cr_assert_eq(take(store, later, 5050 + TTL_MS, &mark), 0);
    code_store_destroy(store);
}

Test(code_store, holds_no_more_than_its_bound)
{
    struct code_store *store = code_store_create(3, TTL_MS);
    char codes[4][CODE_SIZE];
    int64_t mark;

    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(put(store, i, 1000, codes[i]), 0);
    }
    cr_assert_eq(put(store, 3, 1000 + TTL_MS - 1, codes[3]), -ENOSPC);
    cr_assert_eq(code_store_count(store), 3);
    cr_assert_eq(take(store, codes[1], 1000, &mark), 0);
    cr_assert_eq(put(store, 3, 1000, codes[3]), 0, "a used one makes room");
    cr_assert_eq(put(store, 4, 1000, codes[1]), -ENOSPC);
    cr_assert_eq(take(store, codes[0], 1000, &mark), 0);
    cr_assert_eq(mark, 0);
    cr_assert_eq(take(store, codes[3], 1000, &mark), 0);
    cr_assert_eq(mark, 3);
    code_store_destroy(store);
}

Test(code_store, lets_expired_codes_make_room)
{
    struct code_store *store = code_store_create(3, TTL_MS);
    char codes[6][CODE_SIZE];
    int64_t mark;

    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(put(store, i, 1000 + 100 * i, codes[i]), 0);
    }
    cr_assert_eq(put(store, 3, 1000 + TTL_MS + 50, codes[3]), 0, "the oldest one went");
    cr_assert_eq(code_store_count(store), 3);
    cr_assert_eq(put(store, 4, 1000 + TTL_MS + 60, codes[4]), -ENOSPC);
    cr_assert_eq(take(store, codes[1], 1000 + TTL_MS + 60, &mark), 0, "the younger ones stayed");
    cr_assert_eq(mark, 1);
    cr_assert_eq(take(store, codes[2], 1000 + TTL_MS + 60, &mark), 0);
    cr_assert_eq(take(store, codes[3], 1000 + TTL_MS + 60, &mark), 0);
    cr_assert_eq(code_store_count(store), 0);
    code_store_destroy(store);
}

/* Codes of the same topic and booking belong together. */
static int put_of_session(struct code_store *store, unsigned topic, unsigned booking, char *code)
{
    struct permission permission = {.can_read = true};

    snprintf(permission.topic, sizeof permission.topic, "%u", topic);
    snprintf(permission.booking_id, sizeof permission.booking_id, "%u", booking);
    return code_store_put(store, &permission, 1000, code);
}

static bool works(struct code_store *store, const char *code)
{
    struct permission permission;

    return code_store_take(store, bytes_of_text(code), 1000, &permission) == 0;
}

/* Whoever comes later: a code is good for its time to live (RELAY_CODE_TTL). */
Test(code_store, keeps_every_code_of_a_class_with_one_token)
{
    enum { VIEWERS = 2000 };
    struct code_store *store = code_store_create(VIEWERS * CODES_SHARES, TTL_MS);
    char(*codes)[CODE_SIZE] = calloc(VIEWERS, sizeof *codes);

    for (unsigned i = 0; i < VIEWERS; i++) {
        cr_assert_eq(put_of_session(store, 1, 1, codes[i]), 0, "%u", i);
    }
    for (unsigned i = 0; i < VIEWERS; i++) {
        cr_assert(works(store, codes[i]), "%u", i);
    }
    free(codes);
    code_store_destroy(store);
}

Test(code_store, leaves_room_for_others_when_one_session_asks_again_and_again)
{
    enum { SHARE = 50 };
    struct code_store *store = code_store_create(SHARE * CODES_SHARES, TTL_MS);
    char codes[SHARE][CODE_SIZE], other[CODE_SIZE];

    for (unsigned i = 0; i < SHARE; i++) {
        cr_assert_eq(put_of_session(store, 1, 1, codes[i]), 0, "%u", i);
    }
    cr_assert_eq(put_of_session(store, 1, 1, other), -ENOSPC);
    cr_assert_eq(put_of_session(store, 1, 2, other), 0, "another booking of the topic");
    cr_assert_eq(put_of_session(store, 2, 1, other), 0, "another topic of the booking");
    for (unsigned i = 0; i < SHARE; i++) {
        cr_assert(works(store, codes[i]), "%u", i);
    }
    cr_assert_eq(put_of_session(store, 1, 1, codes[0]), 0, "used ones do not count");
    code_store_discard_booking(store, "1");
    for (unsigned i = 0; i < SHARE; i++) {
        cr_assert_eq(put_of_session(store, 1, 1, codes[i]), 0, "discarded ones do not count");
    }
    cr_assert_eq(put_of_session(store, 1, 1, other), -ENOSPC);
    code_store_destroy(store);
}

Test(code_store, tells_when_the_oldest_code_makes_room)
{
    struct code_store *store = code_store_create(2, TTL_MS);
    char code[CODE_SIZE];

    cr_assert_eq(code_store_room_after_ms(store, 1000), 0);
    cr_assert_eq(put(store, 1, 1000, code), 0);
    cr_assert_eq(put(store, 2, 3000, code), 0);
    cr_assert_eq(code_store_room_after_ms(store, 3000), TTL_MS - 2000);
    cr_assert_eq(code_store_room_after_ms(store, 1000 + TTL_MS), 0, "and it is over");
    code_store_destroy(store);
}

Test(code_store, can_be_as_small_as_one)
{
    struct code_store *store = code_store_create(1, TTL_MS);
    char code[CODE_SIZE], other[CODE_SIZE];
    int64_t mark;

    for (unsigned i = 0; i < 10; i++) {
        cr_assert_eq(put(store, i, 1000, code), 0);
        cr_assert_eq(put(store, i, 1000, other), -ENOSPC);
        cr_assert_eq(take(store, code, 1000, &mark), 0);
        cr_assert_eq(mark, i);
    }
    code_store_destroy(store);
    code_store_destroy(NULL);
}

Test(code_store, does_what_a_plain_array_does_under_random_use)
{
    enum { CODES_MAX = 40, STEPS = 20000, KNOWN = 200 };
    struct known {
        char code[CODE_SIZE];
        uint64_t expires_ms; /* 0: used or never given out */
    } *known = calloc(KNOWN, sizeof *known);
    struct code_store *store = code_store_create(CODES_MAX, 1000);
    uint64_t now_ms = 1;
    unsigned taken = 0, refused = 0;

    srand(3);
    for (unsigned step = 0; step < STEPS; step++) {
        struct known *one = &known[rand() % KNOWN];
        unsigned alive = 0;
        int64_t mark;

        now_ms += (uint64_t)rand() % 30;
        for (unsigned i = 0; i < KNOWN; i++) {
            alive += known[i].expires_ms > now_ms;
        }
        if (rand() % 2 == 0 && one->expires_ms <= now_ms) {
            int result = put(store, one - known, now_ms, one->code);

            cr_assert_eq(result, alive == CODES_MAX ? -ENOSPC : 0);
            refused += result != 0;
            one->expires_ms = result == 0 ? now_ms + 1000 : 0;
        } else if (one->code[0] != '\0') {
            int result = take(store, one->code, now_ms, &mark);

            cr_assert_eq(result, one->expires_ms > now_ms ? 0 : -ENOENT, "step %u", step);
            cr_assert(result != 0 || mark == one - known);
            taken += result == 0;
            one->expires_ms = 0;
        }
    }
    cr_assert_gt(taken, STEPS / 20);
    cr_assert_gt(refused, 0, "the bound was never reached: the test is too tame");
    code_store_destroy(store);
    free(known);
}
