#include "wire/json_reader.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/utf8.h"

enum {
    REPLACEMENT = 0xfffd,
    SURROGATE_HIGH = 0xd800,
    SURROGATE_LOW = 0xdc00,
    SURROGATE_END = 0xe000
};

struct checker {
    struct bytes rest;
    char *error;
};

static bool value_check(struct checker *checker, unsigned depth);

static bool fail(struct checker *checker, const char *message)
{
    snprintf(checker->error, JSON_READER_ERROR_SIZE, "%s", message);
    return false;
}

/* The character at the front is none of those that may come here. */
static bool refuse(struct checker *checker, const char *where)
{
    char quoted[8];

    if (checker->rest.len == 0) {
        return fail(checker, "unexpected end of JSON input");
    }
    uint8_t c = checker->rest.data[0];

    if (c == '\'' || c == '\\') {
        snprintf(quoted, sizeof quoted, "\\%c", c);
    } else if (c < 0x20 || c == 0x7f) {
        static const char letters[] = "abtnvfr"; /* of 7 to 13 */

        snprintf(quoted, sizeof quoted, c >= 7 && c <= 13 ? "\\%c" : "\\x%02x",
                 c >= 7 && c <= 13 ? letters[c - 7] : c);
    } else if (c < 0x7f) {
        snprintf(quoted, sizeof quoted, "%c", c);
    } else if (c < 0xa0 || c == 0xad) {
        snprintf(quoted, sizeof quoted, "\\u%04x", c);
    } else {
        snprintf(quoted, sizeof quoted, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
    }
    snprintf(checker->error, JSON_READER_ERROR_SIZE, "invalid character '%s' %s", quoted, where);
    return false;
}

static void skip(struct checker *checker, size_t len)
{
    checker->rest = bytes_skip(checker->rest, len);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes skip_blanks(struct bytes text)
{
    size_t len = 0;

    while (len < text.len && is_blank(text.data[len])) {
        len++;
    }
    return bytes_skip(text, len);
}

/* The next character that is no blank; 0 at the end. */
static uint8_t peek(struct checker *checker)
{
    checker->rest = skip_blanks(checker->rest);
    return checker->rest.len == 0 ? 0 : checker->rest.data[0];
}

static bool take(struct checker *checker, char c)
{
    if (checker->rest.len == 0 || checker->rest.data[0] != (uint8_t)c) {
        return false;
    }
    skip(checker, 1);
    return true;
}

static bool escape_check(struct checker *checker)
{
    if (checker->rest.len == 0 || checker->rest.data[0] == '\0' ||
        strchr("bfnrt\\/\"u", checker->rest.data[0]) == NULL) {
        return refuse(checker, "in string escape code");
    }
    bool is_hex = checker->rest.data[0] == 'u';

    skip(checker, 1);
    for (unsigned i = 0; is_hex && i < 4; i++) {
        if (checker->rest.len == 0 || bytes_hex_digit_value(checker->rest.data[0]) < 0) {
            return refuse(checker, "in \\u hexadecimal character escape");
        }
        skip(checker, 1);
    }
    return true;
}

/* Behind its opening quote. */
static bool string_check(struct checker *checker)
{
    while (!take(checker, '"')) {
        if (checker->rest.len == 0 || checker->rest.data[0] < 0x20) {
            return refuse(checker, "in string literal");
        }
        bool is_escape = checker->rest.data[0] == '\\';

        skip(checker, 1);
        if (is_escape && !escape_check(checker)) {
            return false;
        }
    }
    return true;
}

static bool digits_check(struct checker *checker, const char *where)
{
    size_t len = 0;

    while (len < checker->rest.len && checker->rest.data[len] >= '0' &&
           checker->rest.data[len] <= '9') {
        len++;
    }
    skip(checker, len);
    return len > 0 || refuse(checker, where);
}

static bool number_check(struct checker *checker)
{
    (void)take(checker, '-');
    if (!take(checker, '0') && !digits_check(checker, "in numeric literal")) {
        return false;
    }
    if (take(checker, '.') && !digits_check(checker, "after decimal point in numeric literal")) {
        return false;
    }
    if (take(checker, 'e') || take(checker, 'E')) {
        if (!take(checker, '+')) {
            (void)take(checker, '-');
        }
        return digits_check(checker, "in exponent of numeric literal");
    }
    return true;
}

static bool literal_check(struct checker *checker, const char *literal)
{
    char where[48];

    for (size_t i = 0; literal[i] != '\0'; i++) {
        if (!take(checker, literal[i])) {
            snprintf(where, sizeof where, "in literal %s (expecting '%c')", literal, literal[i]);
            return refuse(checker, where);
        }
    }
    return true;
}

static bool member_check(struct checker *checker, unsigned depth)
{
    peek(checker);
    if (!take(checker, '"')) {
        return refuse(checker, "looking for beginning of object key string");
    }
    if (!string_check(checker)) {
        return false;
    }
    peek(checker);
    return take(checker, ':') ? value_check(checker, depth) : refuse(checker, "after object key");
}

/* Behind the opening bracket. */
static bool list_check(struct checker *checker, unsigned depth, bool is_object)
{
    char end = is_object ? '}' : ']';

    if (depth > JSON_READER_DEPTH_MAX) {
        return fail(checker, "exceeded max depth");
    }
    peek(checker);
    if (take(checker, end)) {
        return true;
    }
    do {
        if (!(is_object ? member_check(checker, depth) : value_check(checker, depth))) {
            return false;
        }
        peek(checker);
    } while (take(checker, ','));
    return take(checker, end) ||
           refuse(checker, is_object ? "after object key:value pair" : "after array element");
}

static bool value_check(struct checker *checker, unsigned depth)
{
    uint8_t c = peek(checker);

    switch (c) {
    case '{':
    case '[':
        skip(checker, 1);
        return list_check(checker, depth + 1, c == '{');
    case '"':
        skip(checker, 1);
        return string_check(checker);
    case 't':
        return literal_check(checker, "true");
    case 'f':
        return literal_check(checker, "false");
    case 'n':
        return literal_check(checker, "null");
    default:
        break;
    }
    return c == '-' || (c >= '0' && c <= '9') ? number_check(checker)
                                              : refuse(checker, "looking for beginning of value");
}

bool json_reader_check(struct bytes text, char error[static JSON_READER_ERROR_SIZE])
{
    struct checker checker = {.rest = text, .error = error};

    if (!value_check(&checker, 0)) {
        return false;
    }
    peek(&checker);
    return checker.rest.len == 0 || refuse(&checker, "after top-level value");
}

/* Walking through checked texts. */

static enum json_kind kind_of(uint8_t first)
{
    switch (first) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
    case 'f':
        return JSON_BOOL;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

/* Takes the value at the front off the text. */
static struct json_value take_value(struct bytes *text)
{
    char unused[JSON_READER_ERROR_SIZE];
    struct bytes start = skip_blanks(*text);
    struct checker checker = {.rest = start, .error = unused};

    CHECK(value_check(&checker, 0)); /* the whole text was checked before */
    *text = checker.rest;
    return (struct json_value){.kind = kind_of(start.data[0]),
                               .text = bytes_of(start.data, start.len - checker.rest.len)};
}

struct json_value json_reader_value(struct bytes text)
{
    return take_value(&text);
}

const char *json_reader_kind_text(enum json_kind kind)
{
    static const char *const texts[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "bool",   [JSON_NUMBER] = "number",
        [JSON_STRING] = "string", [JSON_ARRAY] = "array", [JSON_OBJECT] = "object",
    };

    return texts[kind];
}

/* Skips the opening bracket or the comma. False in front of the closing one. */
static bool at_next(struct bytes *rest)
{
    *rest = skip_blanks(*rest);
    if (rest->len > 0 && strchr("[{,", rest->data[0]) != NULL) {
        *rest = skip_blanks(bytes_skip(*rest, 1));
    }
    return rest->len > 0 && rest->data[0] != ']' && rest->data[0] != '}';
}

bool json_reader_next_element(struct bytes *rest, struct json_value *ret_element)
{
    if (!at_next(rest)) {
        return false;
    }
    *ret_element = take_value(rest);
    return true;
}

bool json_reader_next_member(struct bytes *rest, struct json_value *ret_name,
                             struct json_value *ret_value)
{
    if (!at_next(rest)) {
        return false;
    }
    *ret_name = take_value(rest);
    *rest = bytes_skip(skip_blanks(*rest), 1); /* the colon */
    *ret_value = take_value(rest);
    return true;
}

/* The content of strings. */

static uint32_t hex4(struct bytes text)
{
    uint32_t code = 0;

    for (size_t i = 0; i < 4; i++) {
        code = code << 4 | (uint32_t)bytes_hex_digit_value(text.data[i]);
    }
    return code;
}

/* Behind "\u": takes the digits, and those of the other surrogate. */
static uint32_t take_code(struct bytes *text)
{
    uint32_t code = hex4(*text);

    *text = bytes_skip(*text, 4);
    if (code >= SURROGATE_HIGH && code < SURROGATE_LOW && bytes_start_with(*text, "\\u")) {
        uint32_t low = hex4(bytes_skip(*text, 2));

        if (low >= SURROGATE_LOW && low < SURROGATE_END) {
            *text = bytes_skip(*text, 6);
            return 0x10000 + ((code - SURROGATE_HIGH) << 10) + (low - SURROGATE_LOW);
        }
    }
    return code == 0 || (code >= SURROGATE_HIGH && code < SURROGATE_END) ? REPLACEMENT : code;
}

static uint32_t take_escape(struct bytes *text)
{
    static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
    uint8_t c = text->data[1];

    *text = bytes_skip(*text, 2);
    if (c == 'u') {
        return take_code(text);
    }
    const char *name = strchr(names, c);

    return name == NULL ? c : (uint8_t)values[name - names];
}

static size_t utf8_write(uint32_t code, uint8_t bytes[static 4])
{
    if (code < 0x80) {
        bytes[0] = (uint8_t)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (size_t i = len - 1; i > 0; i--, code >>= 6) {
        bytes[i] = (uint8_t)(0x80 | (code & 0x3f));
    }
    bytes[0] = (uint8_t)((0xf00u >> len) | code);
    return len;
}

/* The next character of a string's content, as UTF-8; its length. */
static size_t take_character(struct bytes *text, uint8_t bytes[static 4])
{
    if (text->data[0] == '\\') {
        return utf8_write(take_escape(text), bytes);
    }
    size_t len = utf8_sequence_len(*text);

    if (len == 0) {
        *text = bytes_skip(*text, 1);
        return utf8_write(REPLACEMENT, bytes);
    }
    memcpy(bytes, text->data, len);
    *text = bytes_skip(*text, len);
    return len;
}

static struct bytes content_of(struct json_value string)
{
    CHECK(string.kind == JSON_STRING);
    return bytes_of(string.text.data + 1, string.text.len - 2);
}

size_t json_reader_text(struct json_value string, char *text, size_t size)
{
    struct bytes rest = content_of(string);
    size_t len = 0;

    CHECK(size > 0);
    while (rest.len > 0) {
        uint8_t character[4];
        size_t character_len = take_character(&rest, character);

        if (len + character_len >= size) {
            break;
        }
        memcpy(text + len, character, character_len);
        len += character_len;
    }
    text[len] = '\0';
    return len;
}

bool json_reader_text_is(struct json_value string, const char *text)
{
    char content[64];
    size_t len = json_reader_text(string, content, sizeof content);

    return len < sizeof content - 4 && strcasecmp(content, text) == 0;
}
