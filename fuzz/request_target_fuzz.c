/* Reaches request_target_split, request_target_authority_is_valid, request_target_path_of_url,
 * request_target_clean_path, request_target_decode, request_target_escape and
 * request_target_query_value. Clean paths must be clean and stay so; decoding must undo encoding;
 * request_target_query_value must agree with a second, slower reading; every text must fit a buffer
 * of exactly its size and no smaller one. Input: a target. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/request_target.h"

enum { TARGET_BYTES_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_clean(const char *text)
{
    size_t len = strlen(text);

    CHECK(text[0] == '/' && (len == 1 || text[len - 1] != '/'));
    CHECK(strstr(text, "//") == NULL && strstr(text, "/./") == NULL &&
          strstr(text, "/../") == NULL);
    CHECK(len < 2 || strcmp(text + len - 2, "/.") != 0);
    CHECK(len < 3 || strcmp(text + len - 3, "/..") != 0);
}

static void check_path(struct bytes path)
{
    static char text[TARGET_BYTES_MAX + 2];
    static char again[TARGET_BYTES_MAX + 2];

    if (memchr(path.data, '\0', path.len) != NULL) {
        return; /* the request parser refuses it; the text could not show it */
    }
    CHECK(request_target_clean_path(path, text, sizeof text) == 0);
    expect_clean(text);
    CHECK(request_target_clean_path(bytes_of_text(text), again, sizeof again) == 0);
    CHECK(strcmp(text, again) == 0);
    size_t size = strlen(text) + 1;
    char *exact = malloc(size);

    CHECK(exact != NULL);
    CHECK(request_target_clean_path(bytes_of_text(text), exact, size) == 0);
    CHECK(request_target_clean_path(bytes_of_text(text), exact, size - 1) == -ENOSPC);
    free(exact);
}

static void check_encoding(struct bytes in)
{
    static char escaped[TARGET_BYTES_MAX * 3 + 1];
    char *back = malloc(in.len + 1);
    size_t len = 0;

    CHECK(back != NULL);
    for (size_t i = 0; i < in.len; i++) {
        len += (size_t)snprintf(escaped + len, sizeof escaped - len, "%%%02X", in.data[i]);
    }
    bool has_nul = in.len > 0 && memchr(in.data, '\0', in.len) != NULL;
    int result = request_target_decode(bytes_of(escaped, len), back, in.len + 1);

    CHECK(result == (has_nul ? -EINVAL : 0));
    CHECK(has_nul || bytes_equal_text(in, back));
    CHECK(request_target_escape(in, escaped, sizeof escaped) == 0);
    CHECK(bytes_find(bytes_of_text(escaped), '\\') == strlen(escaped));
    for (size_t i = len = 0; i < in.len; i++) {
        len += (size_t)snprintf(escaped + len, sizeof escaped - len, "%%%02X", in.data[i]);
    }
    result = request_target_decode(bytes_of(escaped, len), back, in.len);
    CHECK(result == -ENOSPC || has_nul);
    free(back);
}

/* The second reading: decode both sides of every pair, then compare. */
static int reference_value(struct bytes query, const char *name, enum query_which which, char *text,
                           size_t text_size)
{
    static char key[TARGET_BYTES_MAX + 1], value[TARGET_BYTES_MAX + 1], part[TARGET_BYTES_MAX + 1];
    int result = -ENOENT;

    for (size_t start = 0; start <= query.len;) {
        struct bytes rest = bytes_skip(query, start);
        struct bytes pair = bytes_of(rest.data, bytes_find(rest, '&'));
        size_t equals = bytes_find(pair, '=');

        start += pair.len + 1;
        for (size_t i = 0; i < pair.len; i++) {
            part[i] = pair.data[i] == '+' ? ' ' : (char)pair.data[i];
        }
        if (request_target_decode(bytes_of(part, equals), key, sizeof key) != 0 ||
            request_target_decode(bytes_skip(bytes_of(part, pair.len), equals + 1), value,
                                  sizeof value) != 0) {
            continue;
        }
        if (strcmp(key, name) == 0 && (result == -ENOENT || which == QUERY_LAST)) {
            snprintf(text, text_size, "%s", value);
            result = 0;
        }
    }
    return result;
}

static void check_query(struct bytes query, const char *name)
{
    static char actual[TARGET_BYTES_MAX + 1], expected[TARGET_BYTES_MAX + 1];
    static const enum query_which both[] = {QUERY_FIRST, QUERY_LAST};

    for (size_t i = 0; i < 2; i++) {
        int result = request_target_query_value(query, name, both[i], actual, sizeof actual);

        CHECK(result == reference_value(query, name, both[i], expected, sizeof expected));
        CHECK(result != 0 || strcmp(actual, expected) == 0);
        if (result == 0) {
            CHECK(request_target_query_value(query, name, both[i], actual, strlen(expected)) ==
                  -ENOSPC);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes path, query;

    if (size > TARGET_BYTES_MAX) {
        return 0;
    }
    check_encoding(bytes_of(data, size));
    char *url = strndup((const char *)data, size);

    CHECK(url != NULL);
    struct bytes url_rest = request_target_path_of_url(url);

    CHECK(url_rest.len == 0 || (url_rest.data[0] == '/' && url_rest.data[url_rest.len - 1] != '/'));
    free(url);
    bool valid = request_target_authority_is_valid(bytes_of(data, size));

    CHECK(!valid || size == 0 ||
          (memchr(data, '@', size) == NULL && memchr(data, '/', size) == NULL));
    if (request_target_split(bytes_of(data, size), &path, &query) != 0) {
        return 0;
    }
    CHECK(path.len > 0 && path.data[0] == '/' && path.len + query.len <= size + 1);
    CHECK(bytes_find(path, '?') == path.len && bytes_find(path, '#') == path.len);
    CHECK(bytes_find(query, '#') == query.len);
    check_path(path);
    check_query(query, "code");
    check_query(query, "a");
    return 0;
}
