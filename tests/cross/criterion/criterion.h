/* What the unit tests use of Criterion, for machines that Criterion is not packaged for, and for
 * QEMU's user mode, in which its sandboxes do not start: each test is a fork. A test that fails or
 * dies is reported, and the others go on. One thread of a test may check at a time. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct stand_in_options {
    void (*init)(void);
    void (*fini)(void);
    int signal;      /* by which the test has to die; 0: it ends */
    bool is_listed_; /* set in front of the options, of which there may be none */
};

struct stand_in_test {
    const char *suite, *name;
    void (*run)(void); /* NULL: the options of a whole suite */
    struct stand_in_options options;
    struct stand_in_test *next;
};

void stand_in_add(struct stand_in_test *test);

/* A check that fails ends the test, or is counted. */
void stand_in_check(bool holds, bool is_last, const char *place, const char *condition,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));

#define STAND_IN_TEXT_(x) #x
#define STAND_IN_TEXT(x)  STAND_IN_TEXT_(x)
#define STAND_IN_CHECK(is_last, condition, text, ...)                                              \
    stand_in_check(condition, is_last, __FILE__ ":" STAND_IN_TEXT(__LINE__), text, " " __VA_ARGS__)

#define STAND_IN_REGISTER(id, suite_name, test_name, function, ...)                                \
    static struct stand_in_test id##_entry = {.suite = suite_name,                                 \
                                              .name = test_name,                                   \
                                              .run = function,                                     \
                                              .options = {.is_listed_ = true, ##__VA_ARGS__}};     \
    __attribute__((constructor)) static void id##_register(void)                                   \
    {                                                                                              \
        stand_in_add(&id##_entry);                                                                 \
    }

#define Test(suite, name, ...)                                                                     \
    static void suite##_##name##_run(void);                                                        \
    STAND_IN_REGISTER(suite##_##name, #suite, #name, suite##_##name##_run, ##__VA_ARGS__)          \
    static void suite##_##name##_run(void)
#define TestSuite(suite, ...) STAND_IN_REGISTER(suite##_suite, #suite, "", NULL, ##__VA_ARGS__)

#define cr_assert(a, ...)          STAND_IN_CHECK(true, (a), #a, __VA_ARGS__)
#define cr_expect(a, ...)          STAND_IN_CHECK(false, (a), #a, __VA_ARGS__)
#define cr_assert_not(a, ...)      STAND_IN_CHECK(true, !(a), "not " #a, __VA_ARGS__)
#define cr_expect_not(a, ...)      STAND_IN_CHECK(false, !(a), "not " #a, __VA_ARGS__)
#define cr_assert_null(a, ...)     STAND_IN_CHECK(true, (a) == NULL, #a " is NULL", __VA_ARGS__)
#define cr_expect_null(a, ...)     STAND_IN_CHECK(false, (a) == NULL, #a " is NULL", __VA_ARGS__)
#define cr_assert_not_null(a, ...) STAND_IN_CHECK(true, (a) != NULL, #a " is not NULL", __VA_ARGS__)
#define cr_expect_not_null(a, ...)                                                                 \
    STAND_IN_CHECK(false, (a) != NULL, #a " is not NULL", __VA_ARGS__)

#define cr_assert_eq(a, b, ...)  STAND_IN_CHECK(true, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_expect_eq(a, b, ...)  STAND_IN_CHECK(false, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) STAND_IN_CHECK(true, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) STAND_IN_CHECK(false, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...)  STAND_IN_CHECK(true, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...)  STAND_IN_CHECK(false, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) STAND_IN_CHECK(true, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...) STAND_IN_CHECK(false, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...)  STAND_IN_CHECK(true, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...)  STAND_IN_CHECK(false, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) STAND_IN_CHECK(true, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...) STAND_IN_CHECK(false, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_float_eq(a, b, by, ...)                                                          \
    STAND_IN_CHECK(true, fabs((double)(a) - (double)(b)) <= (by), #a " == " #b, __VA_ARGS__)

#define cr_assert_str_eq(a, b, ...)                                                                \
    STAND_IN_CHECK(true, strcmp(a, b) == 0, #a " is " #b, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...)                                                                \
    STAND_IN_CHECK(false, strcmp(a, b) == 0, #a " is " #b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...)                                                               \
    STAND_IN_CHECK(true, strcmp(a, b) != 0, #a " is not " #b, __VA_ARGS__)
#define cr_expect_str_empty(a, ...)                                                                \
    STAND_IN_CHECK(false, (a)[0] == '\0', #a " is empty", __VA_ARGS__)
#define cr_assert_arr_eq(a, b, size, ...)                                                          \
    STAND_IN_CHECK(true, memcmp(a, b, size) == 0, #a " is " #b, __VA_ARGS__)
#define cr_expect_arr_eq(a, b, size, ...)                                                          \
    STAND_IN_CHECK(false, memcmp(a, b, size) == 0, #a " is " #b, __VA_ARGS__)
