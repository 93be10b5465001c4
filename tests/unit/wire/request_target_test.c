/* Goal: targets, paths and queries are read as Go's net/http, path.Clean and net/url read them,
 * within the caller's buffer. Method: tables; every too small buffer. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/request_target.h"

static void expect_bytes(struct bytes actual, const char *expected, const char *target)
{
    cr_assert(bytes_equal_text(actual, expected), "%s: \"%.*s\" is not \"%s\"", target,
              (int)actual.len, (const char *)actual.data, expected);
}

Test(request_target, splits_path_and_query)
{
    static const struct {
        const char *target, *path, *query;
    } cases[] = {
        {"/", "/", ""},
        {"/a/b", "/a/b", ""},
        {"/a?x=y", "/a", "x=y"},
        {"/a?", "/a", ""},
        {"/?x?y", "/", "x?y"},
        {"//a//b", "//a//b", ""},
        {"/a%2Fb?c%3d", "/a%2Fb", "c%3d"},
        {"/a#frag", "/a", ""},
        {"/a?x#frag", "/a", "x"},
        {"/a#frag?x", "/a", ""},
        {"http://host/a?b", "/a", "b"},
        {"HTTPS://host:1/a", "/a", ""},
        {"http://host", "/", ""},
        {"http://host?x", "/", "x"},
        {"http://host#x", "/", ""},
        {"http://host/", "/", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes path, query;

        cr_assert_eq(request_target_split(bytes_of_text(cases[i].target), &path, &query), 0, "%s",
                     cases[i].target);
        expect_bytes(path, cases[i].path, cases[i].target);
        expect_bytes(query, cases[i].query, cases[i].target);
    }
}

Test(request_target, refuses_other_forms_and_leaves_the_results_alone)
{
    static const char *const targets[] = {"",
                                          "*",
                                          "a",
                                          "a/b",
                                          "host:80",
                                          "?x",
                                          "#",
                                          "http:/a",
                                          "http://",
                                          "http:///a",
                                          "http://:80/",
                                          "http://u@host/",
                                          "http://a b/",
                                          "http://[x]/",
                                          "ftp://host/a",
                                          "http://?x",
                                          "HTTP//host/a",
                                          "ttp://h/"};

    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct bytes path = bytes_of_text("p"), query = bytes_of_text("q");

        cr_assert_eq(request_target_split(bytes_of_text(targets[i]), &path, &query), -EINVAL, "%s",
                     targets[i]);
        expect_bytes(path, "p", targets[i]);
        expect_bytes(query, "q", targets[i]);
    }
}

static const struct {
    const char *path, *clean;
} cleaned[] = {
    {"/", "/"},
    {"//", "/"},
    {"/a", "/a"},
    {"/a/", "/a"},
    {"//a//b//", "/a/b"},
    {"/./a/.", "/a"},
    {"/a/..", "/"},
    {"/a/../b", "/b"},
    {"/..", "/"},
    {"/../../a", "/a"},
    {"/a/b/../..", "/"},
    {"/a/b/../../../c", "/c"},
    {"/...", "/..."},
    {"/a/.b", "/a/.b"},
    {"/a/b..", "/a/b.."},
    {"/a%2F..", "/a%2F.."},
    {"/%2e%2e", "/%2e%2e"},
    {"/session/t0/", "/session/t0"},
    {"//session/t0", "/session/t0"},
    {"/a/./b/./../c", "/a/c"},
};

Test(request_path, is_cleaned_as_go_does)
{
    for (size_t i = 0; i < sizeof cleaned / sizeof cleaned[0]; i++) {
        char text[64];

        cr_assert_eq(request_target_clean_path(bytes_of_text(cleaned[i].path), text, sizeof text),
                     0);
        cr_assert_str_eq(text, cleaned[i].clean, "%s → %s", cleaned[i].path, text);
        char again[64];

        cr_assert_eq(request_target_clean_path(bytes_of_text(text), again, sizeof again), 0);
        cr_assert_str_eq(again, text, "cleaning twice changes nothing");
    }
}

Test(request_path, is_refused_by_every_buffer_that_is_too_small)
{
    static const char path[] = "/a/bcd//e";

    for (size_t size = 0; size <= sizeof "/a/bcd/e"; size++) {
        char *text = malloc(size + 1);
        int result = request_target_clean_path(bytes_of_text(path), text, size);

        cr_assert_eq(result, size < sizeof "/a/bcd/e" ? -ENOSPC : 0, "%zu bytes", size);
        free(text);
    }
}

static const struct {
    const char *in;
    size_t len;
    int result;
    const char *text;
} decoded[] = {
    {"", 0, 0, ""},
    {"abc", 3, 0, "abc"},
    {"a+b", 3, 0, "a+b"},
    {"a%20b", 5, 0, "a b"},
    {"%41%6a%6A", 9, 0, "Ajj"},
    {"%2F%2f", 6, 0, "//"},
    {"%25", 3, 0, "%"},
    {"%2525", 5, 0, "%25"},
    {"%c3%bc", 6, 0, "\xc3\xbc"},
    {"%ff", 3, 0, "\xff"},
    {"%", 1, -EINVAL, NULL},
    {"%4", 2, -EINVAL, NULL},
    {"a%4", 3, -EINVAL, NULL},
    {"%4g", 3, -EINVAL, NULL},
    {"%g4", 3, -EINVAL, NULL},
    {"%%41", 4, -EINVAL, NULL},
    {"% 41", 4, -EINVAL, NULL},
    {"%00", 3, -EINVAL, NULL},
    {"a%00b", 5, -EINVAL, NULL},
    {"a\0b", 3, -EINVAL, NULL},
    {"%@1", 3, -EINVAL, NULL},
    {"%`1", 3, -EINVAL, NULL},
};

Test(request_target_decode, undoes_escapes_and_refuses_bad_ones)
{
    for (size_t i = 0; i < sizeof decoded / sizeof decoded[0]; i++) {
        char text[16];

        cr_assert_eq(
            request_target_decode(bytes_of(decoded[i].in, decoded[i].len), text, sizeof text),
            decoded[i].result, "%s", decoded[i].in);
        if (decoded[i].result == 0) {
            cr_assert_str_eq(text, decoded[i].text);
        }
    }
}

Test(request_target_decode, decodes_every_byte_but_nul)
{
    for (unsigned c = 0; c < 256; c++) {
        char escape[4], text[2] = "x";

        snprintf(escape, sizeof escape, "%%%02x", c);
        cr_assert_eq(request_target_decode(bytes_of_text(escape), text, sizeof text),
                     c == 0 ? -EINVAL : 0);
        cr_assert_eq((uint8_t)text[0], c == 0 ? 'x' : c);
    }
}

Test(request_target_decode, refuses_every_buffer_that_is_too_small)
{
    for (size_t size = 0; size <= 4; size++) {
        char *text = malloc(size + 1);

        cr_assert_eq(request_target_decode(bytes_of_text("a%20b"), text, size),
                     size < 4 ? -ENOSPC : 0);
        free(text);
    }
}

static const struct {
    const char *query, *name;
    int result;
    const char *first, *last;
} queries[] = {
    {"code=x", "code", 0, "x", "x"},
    {"code=1&code=2&code=3", "code", 0, "1", "3"},
    {"a=1&code=2&b=3", "code", 0, "2", "2"},
    {"code", "code", 0, "", ""},
    {"code=", "code", 0, "", ""},
    {"code=a=b", "code", 0, "a=b", "a=b"},
    {"code=a+b%2Bc", "code", 0, "a b+c", "a b+c"},
    {"c%6fde=x", "code", 0, "x", "x"},
    {"a+b=x", "a b", 0, "x", "x"},
    {"&&code=x&&", "code", 0, "x", "x"},
    {"code=%&code=ok", "code", 0, "ok", "ok"},
    {"code=ok&code=%4", "code", 0, "ok", "ok"},
    {"code=%00&code=ok", "code", 0, "ok", "ok"},
    {"code=1&code", "code", 0, "1", ""},
    {"", "code", -ENOENT, NULL, NULL},
    {"&", "code", -ENOENT, NULL, NULL},
    {"=x", "code", -ENOENT, NULL, NULL},
    {"Code=x", "code", -ENOENT, NULL, NULL},
    {"codes=x", "code", -ENOENT, NULL, NULL},
    {"cod=x", "code", -ENOENT, NULL, NULL},
    {"code%=x", "code", -ENOENT, NULL, NULL},
    {"code=%zz", "code", -ENOENT, NULL, NULL},
    {"x=code", "code", -ENOENT, NULL, NULL},
};

Test(request_target_query_value, finds_the_first_and_the_last_value)
{
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        struct bytes query = bytes_of_text(queries[i].query);
        char first[16], last[16];

        cr_assert_eq(
            request_target_query_value(query, queries[i].name, QUERY_FIRST, first, sizeof first),
            queries[i].result, "%s", queries[i].query);
        cr_assert_eq(
            request_target_query_value(query, queries[i].name, QUERY_LAST, last, sizeof last),
            queries[i].result, "%s", queries[i].query);
        if (queries[i].result == 0) {
            cr_assert_str_eq(first, queries[i].first, "%s", queries[i].query);
            cr_assert_str_eq(last, queries[i].last, "%s", queries[i].query);
        }
    }
}

Test(request_target_query_value, refuses_a_buffer_that_is_too_small)
{
    char text[4];

    cr_assert_eq(
        request_target_query_value(bytes_of_text("a=123"), "a", QUERY_FIRST, text, sizeof text), 0);
    cr_assert_eq(
        request_target_query_value(bytes_of_text("a=1234"), "a", QUERY_FIRST, text, sizeof text),
        -ENOSPC);
    cr_assert_eq(request_target_query_value(bytes_of_text("a="), "a", QUERY_FIRST, text, 0),
                 -ENOSPC);
}

/* RFC 9112 §3.2, RFC 3986 §3.2.2. */
Test(request_target, judges_authorities)
{
    static const char *const valid[] = {
        "",     "a",        "A.b-c_d~e!$&'()*+,;=",      "a:", "a:80", "1.2.3.4", "a%C3%bc",
        "[::]", "[::1]:80", "[2001:db8::ffff:1.2.3.4]:", ":80"};
    static const char *const invalid[] = {"a b",
                                          "a/b",
                                          "a@b",
                                          "a:b",
                                          "a:1:2",
                                          "a?b",
                                          "a#b",
                                          "a\\b",
                                          "\"a\"",
                                          "<a>",
                                          "a%",
                                          "a%2",
                                          "a%zz",
                                          "\xc3\xbc",
                                          "[",
                                          "[]",
                                          "[::1",
                                          "[::1]x",
                                          "[::1]:x",
                                          "[1.2.3.4]",
                                          "[::g]",
                                          "::1",
                                          "]",
                                          "[::1%25eth0]",
                                          "[1:2:3:4:5:6:7:8:9]",
                                          "[v1.a]",
                                          "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"};

    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        cr_assert(request_target_authority_is_valid(bytes_of_text(valid[i])), "%s", valid[i]);
    }
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        cr_assert(!request_target_authority_is_valid(bytes_of_text(invalid[i])), "%s", invalid[i]);
    }
    cr_assert(!request_target_authority_is_valid(bytes_of("a\0b", 3)));
    cr_assert(!request_target_authority_is_valid(bytes_of("[::1\0]", 6)));
}

Test(request_target, escapes_what_no_uri_may_hold)
{
    static const char all[] = "aZ09-._~!$&'()*+,;=%:/?#[]@ \"<>\\^`{|}\x01\x7f\xc3\xbc";
    static const char escaped[] =
        "aZ09-._~!$&'()*+,;=%:/?#[]@%20%22%3C%3E%5C%5E%60%7B%7C%7D%01%7F%C3%BC";
    char text[sizeof escaped];

    cr_assert_eq(request_target_escape(bytes_of_text(all), text, sizeof text), 0);
    cr_assert_str_eq(text, escaped);
    for (size_t size = 0; size < sizeof text; size++) {
        char *small = malloc(size > 0 ? size : 1);

        cr_assert_eq(request_target_escape(bytes_of_text(all), small, size), -ENOSPC, "%zu bytes",
                     size);
        free(small);
    }
    cr_assert_eq(request_target_escape(bytes_of_text(""), text, 1), 0);
    cr_assert_str_eq(text, "");
}

Test(request_target, finds_the_path_of_a_url)
{
    static const char *const urls[][2] = {{"https://a.example/ed0/access", "/ed0/access"},
                                          {"wss://a:1/x/", "/x"},
                                          {"http://a", ""},
                                          {"http://a/", ""},
                                          {"http://a//", ""},
                                          {"http://a/b?c/d#e", "/b"},
                                          {"http://a?b/c", ""},
                                          {"a/b", "/b"},
                                          {"", ""}};

    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        expect_bytes(request_target_path_of_url(urls[i][0]), urls[i][1], urls[i][0]);
    }
}
