/* Reaches json_writer_bytes, json_writer_text, json_writer_raw, json_writer_integer,
 * json_writer_boolean, printable_control_len, utf8_sequence_len and utf8_is_valid. jansson must
 * parse the output: always valid JSON, exactly the input when it is valid UTF-8, and a prefix when
 * the buffer was too small. Input: one byte that chooses the small buffer, then the text. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json_writer.h"
#include "base/printable.h"
#include "base/utf8.h"

enum { TEXT_BYTES_MAX = 4096, JSON_SIZE = TEXT_BYTES_MAX * 6 + 128 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_object(struct json_writer *json, struct bytes text)
{
    json_writer_raw(json, "{\"t\":");
    json_writer_bytes(json, text);
    json_writer_raw(json, ",\"n\":");
    json_writer_integer(json, (int64_t)text.len);
    json_writer_raw(json, ",\"v\":");
    json_writer_boolean(json, utf8_is_valid(text));
    json_writer_raw(json, "}");
}

static void expect_read_back(const char *data, size_t len, struct bytes text)
{
    json_error_t error;
    json_t *root = json_loadb(data, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);

    CHECK(root != NULL);
    const json_t *string = json_object_get(root, "t");
    struct bytes value = bytes_of(json_string_value(string), json_string_length(string));

    CHECK(json_integer_value(json_object_get(root, "n")) == (json_int_t)text.len);
    CHECK(utf8_is_valid(value));
    CHECK(json_is_true(json_object_get(root, "v")) == bytes_equal(value, text));
    json_decref(root);
}

/* The same JSON, and nothing in it that steers a terminal. */
static void expect_printable(struct bytes text)
{
    static char data[JSON_SIZE];
    struct json_writer json;
    uint16_t code;

    json_writer_init(&json, data, sizeof data);
    json.printable = true;
    write_object(&json, text);
    CHECK(!json.overflow);
    expect_read_back(data, json.len, text);
    for (size_t i = 0; i < json.len; i++) {
        CHECK(printable_control_len(bytes_of(data + i, json.len - i), &code) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char whole[JSON_SIZE];
    struct json_writer json;

    if (size < 1 || size > TEXT_BYTES_MAX) {
        return 0;
    }
    struct bytes text = bytes_of(data + 1, size - 1);

    json_writer_init(&json, whole, sizeof whole);
    write_object(&json, text);
    CHECK(!json.overflow && strlen(whole) == json.len);
    size_t len = json.len;

    expect_read_back(whole, len, text);
    expect_printable(text);
    size_t small_size = 1 + len * data[0] / 256;
    char *small = malloc(small_size);

    CHECK(small != NULL);
    json_writer_init(&json, small, small_size);
    write_object(&json, text);
    CHECK(json.overflow == (small_size <= len) && json.len < small_size);
    CHECK(memcmp(small, whole, json.len) == 0 && small[json.len] == '\0');
    free(small);
    return 0;
}
