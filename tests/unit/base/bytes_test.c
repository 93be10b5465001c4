/* Goal: slices never reach outside their memory and compare as their names say.
 * Method: tables; empty slices have a NULL pointer, so that any use of it crashes. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"

static const struct bytes nothing = {0};

Test(bytes, compare_content_and_length)
{
    cr_assert(bytes_equal(nothing, nothing));
    cr_assert(bytes_equal(nothing, bytes_of("x", 0)));
    cr_assert(bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0b", 3)));
    cr_assert(!bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0c", 3)));
    cr_assert(!bytes_equal(bytes_of("ab", 2), bytes_of("ab", 1)));
    cr_assert(bytes_equal_text(bytes_of("abc", 2), "ab"));
    cr_assert(!bytes_equal_text(bytes_of("a\0", 2), "a"));
    cr_assert(bytes_equal_text(nothing, ""));
}

Test(bytes, compare_without_case_in_ascii_only)
{
    cr_assert(bytes_equal_text_nocase(bytes_of_text("UpGrade"), "upgrade"));
    cr_assert(!bytes_equal_text_nocase(bytes_of_text("upgrade"), "upgrades"));
    cr_assert(!bytes_equal_text_nocase(bytes_of_text("upgrades"), "upgrade"));
    cr_assert(!bytes_equal_text_nocase(bytes_of_text("@"), "`"));
    cr_assert(!bytes_equal_text_nocase(bytes_of_text("\xc3\x84"), "\xc3\xa4"));
    cr_assert(bytes_equal_text_nocase(nothing, ""));
}

Test(bytes, compare_secrets_like_other_bytes)
{
    cr_assert(bytes_equal_secret(bytes_of_text("secret"), bytes_of_text("secret")));
    cr_assert(!bytes_equal_secret(bytes_of_text("secret"), bytes_of_text("secreT")));
    cr_assert(!bytes_equal_secret(bytes_of_text("secret"), bytes_of_text("secre")));
    cr_assert(bytes_equal_secret(nothing, nothing));
    cr_assert(!bytes_equal_secret(nothing, bytes_of_text("x")));
}

Test(bytes, start_with_a_prefix)
{
    cr_assert(bytes_start_with(bytes_of_text("abc"), "ab"));
    cr_assert(bytes_start_with(bytes_of_text("abc"), "abc"));
    cr_assert(bytes_start_with(nothing, ""));
    cr_assert(!bytes_start_with(bytes_of_text("abc"), "abcd"));
    cr_assert(!bytes_start_with(bytes_of_text("abc"), "b"));
    cr_assert(!bytes_start_with(nothing, "a"));
}

Test(bytes, skip_to_any_offset_even_past_the_end)
{
    struct bytes abc = bytes_of_text("abc");

    cr_assert(bytes_equal_text(bytes_skip(abc, 0), "abc"));
    cr_assert(bytes_equal_text(bytes_skip(abc, 2), "c"));
    cr_assert_eq(bytes_skip(abc, 3).len, 0);
    cr_assert_eq(bytes_skip(abc, 4).len, 0);
    cr_assert_eq(bytes_skip(abc, SIZE_MAX).len, 0);
    cr_assert_eq(bytes_skip(nothing, 1).len, 0);
}

Test(bytes, find_a_character_or_the_end)
{
    cr_assert_eq(bytes_find(bytes_of_text("a,b,c"), ','), 1);
    cr_assert_eq(bytes_find(bytes_of_text("abc"), ','), 3);
    cr_assert_eq(bytes_find(bytes_of("abc,", 3), ','), 3);
    cr_assert_eq(bytes_find(nothing, ','), 0);
    cr_assert_eq(bytes_find(bytes_of("a\xff", 2), '\xff'), 1);
}

Test(bytes, trim_space_and_tab_only)
{
    static const char *const cases[][2] = {{"  a b\t ", "a b"},    {"a", "a"},
                                           {" \t ", ""},           {"", ""},
                                           {"\r\na\n", "\r\na\n"}, {"\xa0z", "\xa0z"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert(bytes_equal_text(bytes_trim(bytes_of_text(cases[i][0])), cases[i][1]), "%s",
                  cases[i][0]);
    }
}

Test(bytes, become_a_terminated_text_when_it_fits)
{
    char text[4] = "xxx";

    cr_assert_eq(bytes_to_text(bytes_of_text("abcd"), text, sizeof text), -ENOSPC);
    cr_assert_str_eq(text, "xxx");
    cr_assert_eq(bytes_to_text(bytes_of_text("abc"), text, sizeof text), 0);
    cr_assert_str_eq(text, "abc");
    cr_assert_eq(bytes_to_text(nothing, text, 1), 0);
    cr_assert_str_eq(text, "");
    cr_assert_eq(bytes_to_text(nothing, text, 0), -ENOSPC);
}

static const struct {
    const char *text;
    int result;
    uint64_t value;
} numbers[] = {
    {"0", 0, 0},
    {"7", 0, 7},
    {"007", 0, 7},
    {"18446744073709551615", 0, UINT64_MAX},
    {"18446744073709551616", -EINVAL, 0},
    {"184467440737095516150", -EINVAL, 0},
    {"99999999999999999999", -EINVAL, 0},
    {"", -EINVAL, 0},
    {"-1", -EINVAL, 0},
    {"+1", -EINVAL, 0},
    {" 1", -EINVAL, 0},
    {"1 ", -EINVAL, 0},
    {"1a", -EINVAL, 0},
    {"0x1", -EINVAL, 0},
    {"/", -EINVAL, 0},
    {":", -EINVAL, 0},
};

Test(bytes, become_a_number_only_as_plain_decimal_digits)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uint64_t value = 4242;

        cr_assert_eq(bytes_to_uint64(bytes_of_text(numbers[i].text), &value), numbers[i].result,
                     "%s", numbers[i].text);
        cr_assert_eq(value, numbers[i].result == 0 ? numbers[i].value : 4242, "%s",
                     numbers[i].text);
    }
}

Test(bytes, hex_digits_have_a_value_in_either_case)
{
    static const char digits[] = "0123456789abcdef";

    for (unsigned c = 0; c <= UINT8_MAX; c++) {
        const char *found = c == 0 ? NULL : strchr(digits, tolower((int)c));

        cr_assert_eq(bytes_hex_digit_value((uint8_t)c), found == NULL ? -1 : found - digits, "%u",
                     c);
    }
}

Test(bytes, are_wiped)
{
    char secret[] = "secret";
    static const char zeros[sizeof secret];

    bytes_wipe(secret, sizeof secret);
    cr_assert_arr_eq(secret, zeros, sizeof secret);
    bytes_wipe(NULL, 0);
}

Test(bytes, strip_removes_line_ends_too)
{
    static const char *const cases[][2] = {
        {"", ""}, {" \t\r\n", ""}, {"a", "a"}, {" a b\r\n", "a b"}, {"\n\ta", "a"}, {"\va", "\va"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_assert(bytes_equal_text(bytes_strip(bytes_of_text(cases[i][0])), cases[i][1]), "%s",
                  cases[i][0]);
    }
}

Test(bytes, items_of_a_list_are_taken_in_order)
{
    struct bytes list = bytes_of_text(" a ,,b c\t,");

    cr_assert(bytes_equal_text(bytes_take_item(&list), "a"));
    cr_assert(bytes_equal_text(bytes_take_item(&list), ""));
    cr_assert(bytes_equal_text(bytes_take_item(&list), "b c"));
    cr_assert_eq(list.len, 0);
    cr_assert(bytes_equal_text(bytes_take_item(&list), ""));
}

Test(bytes, list_has_whole_items_in_any_case)
{
    static const struct {
        const char *list;
        bool has;
    } cases[] = {
        {"upgrade", true},   {"keep-alive, Upgrade", true}, {"UPGRADE ,x", true}, {"", false},
        {"upgrades", false}, {"x upgrade", false},          {"x;upgrade", false}, {",,", false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_assert_eq(bytes_list_has_nocase(bytes_of_text(cases[i].list), "upgrade"), cases[i].has,
                     "%s", cases[i].list);
    }
}

/* Vectors of the authors of FNV. */
Test(bytes, hash_is_fnv_1a_from_its_start)
{
    cr_assert_eq(bytes_hash(0, bytes_of_text("")), UINT64_C(0xcbf29ce484222325));
    cr_assert_eq(bytes_hash(0, bytes_of_text("a")), UINT64_C(0xaf63dc4c8601ec8c));
    cr_assert_eq(bytes_hash(0, bytes_of_text("foobar")), UINT64_C(0x85944171f73967e8));
    cr_assert_neq(bytes_hash(1, bytes_of_text("a")), bytes_hash(0, bytes_of_text("a")));
    cr_assert_neq(bytes_hash(bytes_hash(0, bytes_of_text("a")), bytes_of_text("bc")),
                  bytes_hash(bytes_hash(0, bytes_of_text("ab")), bytes_of_text("c")));
}

Test(bytes, text_is_empty_without_characters)
{
    cr_assert(text_is_empty(NULL));
    cr_assert(text_is_empty(""));
    cr_assert(!text_is_empty(" "));
    cr_assert(!text_is_empty("0"));
}
