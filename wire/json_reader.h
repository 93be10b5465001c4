/* JSON texts as Go's encoding/json reads them, with its words for what is wrong with one: programs
 * and people look for them. A text is checked whole first (json_reader_check); what walks through
 * it then meets no fault. Names of members are compared without regard to case, and of two the last
 * counts; so walk, do not look up. Pure: no allocation, no I/O, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/bytes.h"

enum json_reader_limits {
    JSON_READER_DEPTH_MAX = 64, /* arrays and objects inside each other */
    JSON_READER_ERROR_SIZE = 96,
};

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
    enum json_kind kind;
    struct bytes text; /* borrowed, without blanks around it */
};

/* The whole text is one value. False: error says why not. */
MUST_USE bool json_reader_check(struct bytes text, char error[static JSON_READER_ERROR_SIZE]);

/* The value of a checked text. */
struct json_value json_reader_value(struct bytes text);

/* "object", "array", "string", "number", "bool" or "null". */
const char *json_reader_kind_text(enum json_kind kind);

/* The elements of an array and the members of an object, one after the other. rest: of the value's
 * text, as the call before left it. False at the end. */
MUST_USE bool json_reader_next_element(struct bytes *rest, struct json_value *ret_element);
MUST_USE bool json_reader_next_member(struct bytes *rest, struct json_value *ret_name,
                                      struct json_value *ret_value);

/* The content of a string, terminated; what does not fit is left out. Bytes that are not UTF-8,
 * lone surrogates and NUL become U+FFFD, so size need not exceed three times the text's length.
 * Returns the length. */
size_t json_reader_text(struct json_value string, char *text, size_t size);

/* Whether the string has this content, ASCII case-insensitive. */
bool json_reader_text_is(struct json_value string, const char *text);
