/* Reaches json_reader_check, json_reader_value, json_reader_next_member, json_reader_next_element
 * and json_reader_text. An accepted text is walked through: its values follow each other inside it,
 * are themselves accepted, and texts are UTF-8 within their bound. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"
#include "wire/json_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(struct json_value value);

static void walk_text(struct json_value value)
{
    size_t size = 3 * value.text.len + 1;
    char *text = malloc(size), *small = malloc(4);

    CHECK(text != NULL && small != NULL);
    size_t len = json_reader_text(value, text, size);

    CHECK(strlen(text) == len && utf8_is_valid(bytes_of(text, len)));
    CHECK(json_reader_text(value, small, 4) <= 3);
    free(text);
    free(small);
}

static void walk_list(struct json_value value)
{
    struct json_value name, inner;
    struct bytes rest = value.text;

    if (value.kind == JSON_ARRAY) {
        while (json_reader_next_element(&rest, &inner)) {
            walk(inner);
        }
    } else {
        while (json_reader_next_member(&rest, &name, &inner)) {
            walk_text(name);
            walk(inner);
        }
    }
    CHECK(rest.len == 1); /* the closing bracket */
}

static void walk(struct json_value value)
{
    char error[JSON_READER_ERROR_SIZE];

    CHECK(json_reader_check(value.text, error));
    if (value.kind == JSON_STRING) {
        walk_text(value);
    } else if (value.kind == JSON_ARRAY || value.kind == JSON_OBJECT) {
        walk_list(value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[JSON_READER_ERROR_SIZE] = "";

    if (size > 4096) {
        return 0;
    }
    if (json_reader_check(bytes_of(data, size), error)) {
        walk(json_reader_value(bytes_of(data, size)));
    } else {
        CHECK(error[0] != '\0' && memchr(error, '\0', sizeof error) != NULL);
    }
    return 0;
}
