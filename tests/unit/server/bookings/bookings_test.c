/* Goal: a denied booking has no code and gets none; the lists hold what was last said, until it
 * expires, and no more than they are allowed to.
 * Method: an invented clock; single cases, then random use against a plain array. Several threads
 * do the same in tests/loop/bookings_test.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/bookings/bookings.h"

enum { BOOKINGS_MAX = 4, CODES_MAX = 64, NOW_S = 1700000000, NOW_MS = 5000, TTL_MS = 30000 };

static struct code_store *codes;
static struct bookings *bookings;

static void open_lists(void)
{
    codes = code_store_create(CODES_MAX, TTL_MS);
    cr_assert_not_null(codes);
    bookings = bookings_create(BOOKINGS_MAX, codes);
    cr_assert_not_null(bookings);
}

static void close_lists(void)
{
    bookings_destroy(bookings);
    code_store_destroy(codes);
}

TestSuite(bookings, .init = open_lists, .fini = close_lists);

static int grant(const char *id, int64_t exp_s, char *code, bool *ret_is_new)
{
    struct permission permission = {.topic = "t", .can_read = true, .exp_s = exp_s};

    struct grant grant = {.code = "none"};

    snprintf(permission.booking_id, sizeof permission.booking_id, "%s", id);
    int failed = bookings_grant(bookings, &permission, NOW_MS, NOW_S, &grant);

    if (failed != 0) {
        cr_assert_str_eq(grant.code, "none", "no code when it failed");
        return failed;
    }
    memcpy(code, grant.code, CODE_SIZE);
    *ret_is_new = grant.is_new;
    return 0;
}

static int use(const char *code)
{
    struct permission permission;

    return code_store_take(codes, bytes_of_text(code), NOW_MS, &permission);
}

struct listing {
    char text[4096];
    int64_t exp_s; /* of the last one */
};

static void write_entry(const char *booking_id, int64_t exp_s, void *context)
{
    struct listing *listing = context;
    size_t used = strlen(listing->text);

    snprintf(listing->text + used, sizeof listing->text - used, "%s;", booking_id);
    listing->exp_s = exp_s;
}

static void expect_listed(enum booking_list list, int64_t now_s, const char *expected)
{
    struct listing listing = {0};

    bookings_for_each(bookings, list, now_s, write_entry, &listing);
    cr_assert_str_eq(listing.text, expected);
}

Test(bookings, move_between_the_lists)
{
    cr_assert_eq(bookings_deny(bookings, "a", NOW_S + 9, NOW_S), 0);
    cr_assert_eq(bookings_deny(bookings, "b", NOW_S + 9, NOW_S), 0);
    expect_listed(BOOKINGS_DENIED, NOW_S, "a;b;");
    expect_listed(BOOKINGS_ALLOWED, NOW_S, "");
    bookings_allow(bookings, "a", NOW_S + 9, NOW_S);
    expect_listed(BOOKINGS_DENIED, NOW_S, "b;");
    expect_listed(BOOKINGS_ALLOWED, NOW_S, "a;");
    cr_assert(!bookings_is_denied(bookings, "a", NOW_S));
    cr_assert(bookings_is_denied(bookings, "b", NOW_S));
    cr_assert(!bookings_is_denied(bookings, "never seen", NOW_S));
    cr_assert_eq(bookings_deny(bookings, "a", NOW_S + 9, NOW_S), 0);
    expect_listed(BOOKINGS_DENIED, NOW_S, "b;a;");
    expect_listed(BOOKINGS_ALLOWED, NOW_S, "");
}

Test(bookings, are_found_where_they_are)
{
    enum booking_list list = BOOKING_LISTS;
    int64_t exp_s = -1;

    cr_assert(!bookings_find(bookings, "a", &list, &exp_s));
    cr_assert(list == BOOKING_LISTS && exp_s == -1, "untouched");
    cr_assert_eq(bookings_deny(bookings, "a", NOW_S + 9, NOW_S), 0);
    cr_assert(bookings_find(bookings, "a", &list, &exp_s));
    cr_assert(list == BOOKINGS_DENIED && exp_s == NOW_S + 9);
    bookings_allow(bookings, "a", NOW_S + 8, NOW_S);
    cr_assert(bookings_find(bookings, "a", &list, &exp_s));
    cr_assert(list == BOOKINGS_ALLOWED && exp_s == NOW_S + 8);
}

Test(bookings, are_denied_up_to_their_last_second)
{
    cr_assert_eq(bookings_deny(bookings, "a", NOW_S, NOW_S), 0);
    cr_assert(bookings_is_denied(bookings, "a", NOW_S));
    cr_assert(!bookings_is_denied(bookings, "a", NOW_S + 1));
    expect_listed(BOOKINGS_DENIED, NOW_S, "a;");
    expect_listed(BOOKINGS_DENIED, NOW_S + 1, "");
    cr_assert_eq(bookings_deny(bookings, "a", NOW_S + 5, NOW_S), 0, "the later word counts");
    cr_assert(bookings_is_denied(bookings, "a", NOW_S + 5));
    cr_assert_eq(bookings_tidy(bookings, NOW_S + 5), 0);
    cr_assert_eq(bookings_tidy(bookings, NOW_S + 6), 1);
    cr_assert_eq(bookings_tidy(bookings, NOW_S + 6), 0);
}

Test(bookings, lose_their_codes_when_denied)
{
    char a1[CODE_SIZE], a2[CODE_SIZE], b[CODE_SIZE];
    bool is_new;

    cr_assert_eq(grant("a", NOW_S + 9, a1, &is_new), 0);
    cr_assert_eq(grant("a", NOW_S + 9, a2, &is_new), 0);
    cr_assert_eq(grant("b", NOW_S + 9, b, &is_new), 0);
    cr_assert_eq(bookings_deny(bookings, "a", NOW_S + 9, NOW_S), 0);
    cr_assert_eq(use(a1), -ENOENT);
    cr_assert_eq(use(a2), -ENOENT);
    cr_assert_eq(use(b), 0, "of another booking");
}

Test(bookings, get_no_code_while_denied)
{
    char code[CODE_SIZE];
    bool is_new = true;

    cr_assert_eq(bookings_deny(bookings, "a", NOW_S + 9, NOW_S), 0);
    cr_assert_eq(grant("a", NOW_S + 90, code, &is_new), -EACCES);
    cr_assert_eq(code_store_count(codes), 0);
    expect_listed(BOOKINGS_DENIED, NOW_S, "a;");
    bookings_allow(bookings, "a", NOW_S + 9, NOW_S);
    cr_assert_eq(grant("a", NOW_S + 90, code, &is_new), 0);
    cr_assert_eq(use(code), 0);
}

Test(bookings, with_an_expired_denial_are_granted_again)
{
    char code[CODE_SIZE];
    bool is_new = false;

    cr_assert_eq(bookings_deny(bookings, "a", NOW_S - 1, NOW_S - 1), 0);
    cr_assert_eq(grant("a", NOW_S + 9, code, &is_new), 0);
    cr_assert(is_new);
    expect_listed(BOOKINGS_ALLOWED, NOW_S, "a;");
    cr_assert_eq(bookings_tidy(bookings, NOW_S), 0, "it is in one list only");
}

Test(bookings, are_new_once_for_each_expiry)
{
    char code[CODE_SIZE];
    bool is_new = false;

    cr_assert_eq(grant("a", NOW_S + 9, code, &is_new), 0);
    cr_assert(is_new);
    cr_assert_eq(grant("a", NOW_S + 9, code, &is_new), 0);
    cr_assert(!is_new);
    cr_assert_eq(grant("a", NOW_S + 10, code, &is_new), 0);
    cr_assert(is_new);
    cr_assert_eq(grant("", NOW_S + 9, code, &is_new), 0);
    cr_assert(is_new, "a booking without id is listed too");
    expect_listed(BOOKINGS_ALLOWED, NOW_S, "a;;");
}

static int extend(const char *id, int64_t exp_s, bool *ret_is_new)
{
    return bookings_extend(bookings, id, exp_s, NOW_S, ret_is_new);
}

Test(bookings, are_extended_and_never_shortened)
{
    char code[CODE_SIZE];
    enum booking_list list;
    int64_t exp_s = 0;
    bool is_new = false;

    cr_assert_eq(grant("a", NOW_S + 9, code, &is_new), 0);
    cr_assert_eq(extend("a", NOW_S + 99, &is_new), 0);
    cr_assert(is_new);
    cr_assert_eq(extend("a", NOW_S + 99, &is_new), 0);
    cr_assert(!is_new);
    cr_assert_eq(extend("a", NOW_S + 50, &is_new), 0);
    cr_assert(!is_new);
    cr_assert(bookings_find(bookings, "a", &list, &exp_s) && exp_s == NOW_S + 99);
    cr_assert_eq(extend("b", NOW_S + 9, &is_new), 0);
    cr_assert(is_new, "one that was forgotten is listed again");
    expect_listed(BOOKINGS_ALLOWED, NOW_S, "a;b;");
}

Test(bookings, are_not_extended_while_denied)
{
    bool is_new = true;

    cr_assert_eq(bookings_deny(bookings, "a", NOW_S + 9, NOW_S), 0);
    cr_assert_eq(extend("a", NOW_S + 99, &is_new), -EACCES);
    cr_assert(!is_new);
    expect_listed(BOOKINGS_DENIED, NOW_S, "a;");
}

static void fill(enum booking_list list, int64_t exp_s)
{
    for (unsigned i = 0; i < BOOKINGS_MAX; i++) {
        char id[16];

        snprintf(id, sizeof id, "full%u", i);
        if (list == BOOKINGS_DENIED) {
            cr_assert_eq(bookings_deny(bookings, id, exp_s, NOW_S), 0);
        } else {
            bookings_allow(bookings, id, exp_s, NOW_S);
        }
    }
}

Test(bookings, denied_ones_are_bounded_and_say_so)
{
    char code[CODE_SIZE];
    bool is_new;

    fill(BOOKINGS_DENIED, NOW_S + 9);
    cr_assert_eq(grant("one more", NOW_S + 9, code, &is_new), 0);
    cr_assert_eq(bookings_deny(bookings, "one more", NOW_S + 9, NOW_S), -ENOSPC);
    cr_assert_eq(use(code), -ENOENT, "its codes are killed all the same");
    cr_assert_eq(bookings_deny(bookings, "full2", NOW_S + 10, NOW_S), 0, "already there");
    cr_assert_eq(bookings_deny(bookings, "one more", NOW_S + 19, NOW_S + 10), 0,
                 "expired ones make room");
    expect_listed(BOOKINGS_DENIED, NOW_S + 10, "full2;one more;");
}

Test(bookings, allowed_ones_are_bounded_without_harm)
{
    char code[CODE_SIZE];
    bool is_new = true;

    cr_assert_eq(bookings_deny(bookings, "denied", NOW_S + 9, NOW_S), 0);
    fill(BOOKINGS_ALLOWED, NOW_S + 9);
    cr_assert_eq(grant("one more", NOW_S + 9, code, &is_new), 0);
    cr_assert(!is_new, "not listed");
    cr_assert_eq(use(code), 0, "granted all the same");
    bookings_allow(bookings, "denied", NOW_S + 9, NOW_S);
    cr_assert(!bookings_is_denied(bookings, "denied", NOW_S), "no longer denied is what counts");
    expect_listed(BOOKINGS_DENIED, NOW_S, "");
    expect_listed(BOOKINGS_ALLOWED, NOW_S, "full0;full1;full2;full3;");
}

Test(bookings, make_room_for_one_that_expired_itself)
{
    fill(BOOKINGS_DENIED, NOW_S + 9);
    bookings_allow(bookings, "moves", NOW_S + 1, NOW_S);
    cr_assert_eq(bookings_deny(bookings, "moves", NOW_S + 99, NOW_S + 10), 0);
    expect_listed(BOOKINGS_DENIED, NOW_S + 10, "moves;");
    expect_listed(BOOKINGS_ALLOWED, NOW_S + 10, "");
}

Test(bookings, without_a_code_left_are_not_listed)
{
    char code[CODE_SIZE];
    bool is_new = true;

    for (unsigned i = 0; i < CODES_MAX; i++) {
        char id[16];

        snprintf(id, sizeof id, "%u", i % CODES_SHARES);
        cr_assert_eq(grant(id, NOW_S + 9, code, &is_new), 0);
    }
    cr_assert_eq(grant("late", NOW_S + 9, code, &is_new), -ENOSPC);
    cr_assert(!is_new);
    expect_listed(BOOKINGS_ALLOWED, NOW_S, "0;1;2;3;");
}

/* The model: for each id where it is and until when. */
enum { IDS = 9, NOWHERE = BOOKING_LISTS, STEPS = 20000 };

struct model {
    int list[IDS];
    int64_t exp_s[IDS];
};

static unsigned count_in(const struct model *model, int list)
{
    unsigned count = 0;

    for (unsigned i = 0; i < IDS; i++) {
        count += model->list[i] == list;
    }
    return count;
}

static void forget_expired(struct model *model, int list, int64_t now_s)
{
    for (unsigned i = 0; i < IDS; i++) {
        if (model->list[i] == list && model->exp_s[i] < now_s) {
            model->list[i] = NOWHERE;
        }
    }
}

static bool model_put(struct model *model, unsigned id, int list, int64_t exp_s, int64_t now_s)
{
    if (model->list[id] != list && count_in(model, list) == BOOKINGS_MAX) {
        forget_expired(model, list, now_s);
        if (count_in(model, list) == BOOKINGS_MAX) {
            return false;
        }
    }
    model->list[id] = list;
    model->exp_s[id] = exp_s;
    return true;
}

static void compare(const struct model *model, int64_t now_s)
{
    for (unsigned i = 0; i < IDS; i++) {
        char id[4];
        enum booking_list list = BOOKING_LISTS;
        int64_t exp_s = 0;

        snprintf(id, sizeof id, "%u", i);
        cr_assert_eq(bookings_find(bookings, id, &list, &exp_s), model->list[i] != NOWHERE);
        cr_assert_eq((int)list, model->list[i]);
        cr_assert(model->list[i] == NOWHERE || exp_s == model->exp_s[i]);
        cr_assert_eq(bookings_is_denied(bookings, id, now_s),
                     model->list[i] == BOOKINGS_DENIED && model->exp_s[i] >= now_s);
    }
}

Test(bookings, agree_with_a_plain_array_in_random_use)
{
    struct model model;
    int64_t now_s = NOW_S;

    for (unsigned i = 0; i < IDS; i++) {
        model.list[i] = NOWHERE;
    }
    srand(4);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned id = (unsigned)rand() % IDS;
        int64_t exp_s = now_s + rand() % 8;
        char text[4];

        snprintf(text, sizeof text, "%u", id);
        switch (rand() % 4) {
        case 0:
            cr_assert_eq(bookings_deny(bookings, text, exp_s, now_s) == 0,
                         model_put(&model, id, BOOKINGS_DENIED, exp_s, now_s));
            break;
        case 1:
            bookings_allow(bookings, text, exp_s, now_s);
            if (!model_put(&model, id, BOOKINGS_ALLOWED, exp_s, now_s)) {
                model.list[id] = NOWHERE;
            }
            break;
        case 2:
            bookings_tidy(bookings, now_s);
            forget_expired(&model, BOOKINGS_DENIED, now_s);
            forget_expired(&model, BOOKINGS_ALLOWED, now_s);
            break;
        default:
            now_s += rand() % 2;
        }
        compare(&model, now_s);
    }
}
