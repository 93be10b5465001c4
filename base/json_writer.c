#include "base/json_writer.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/printable.h"
#include "base/utf8.h"

void json_writer_init(struct json_writer *json, char *data, size_t size)
{
    CHECK(size > 0);
    *json = (struct json_writer){.data = data, .size = size};
    data[0] = '\0';
}

static void append(struct json_writer *json, const void *data, size_t len)
{
    if (json->overflow || len >= json->size - json->len) {
        json->overflow = true;
        return;
    }
    memcpy(json->data + json->len, data, len);
    json->len += len;
    json->data[json->len] = '\0';
}

void json_writer_raw(struct json_writer *json, const char *text)
{
    append(json, text, strlen(text));
}

static void append_escaped_control(struct json_writer *json, uint16_t code)
{
    char escaped[8];

    switch (code) {
    case '\n':
        append(json, "\\n", 2);
        break;
    case '\r':
        append(json, "\\r", 2);
        break;
    case '\t':
        append(json, "\\t", 2);
        break;
    default:
        snprintf(escaped, sizeof escaped, "\\u%04x", code);
        append(json, escaped, 6);
    }
}

/* As printable_control_len, of the characters that this writer escapes. */
static size_t escaped_len(const struct json_writer *json, struct bytes in, uint16_t *ret_code)
{
    return json->printable || in.data[0] < 0x20 ? printable_control_len(in, ret_code) : 0;
}

/* A whole character, or a byte that is none. */
static size_t append_utf8(struct json_writer *json, struct bytes in)
{
    size_t len = utf8_sequence_len(in);

    if (len == 0) {
        append(json, "\xef\xbf\xbd", 3);
        return 1;
    }
    append(json, in.data, len);
    return len;
}

void json_writer_raw_printable(struct json_writer *json, const char *text)
{
    struct bytes in = bytes_of_text(text);

    while (in.len > 0) {
        uint16_t code;
        size_t len = printable_control_len(in, &code);

        if (len > 0) {
            append_escaped_control(json, code);
        } else {
            len = append_utf8(json, in);
        }
        in = bytes_skip(in, len);
    }
}

void json_writer_bytes(struct json_writer *json, struct bytes in)
{
    append(json, "\"", 1);
    while (in.len > 0) {
        uint16_t code;
        size_t len = escaped_len(json, in, &code);

        if (len > 0) {
            append_escaped_control(json, code);
        } else {
            if (in.data[0] == '"' || in.data[0] == '\\') {
                append(json, "\\", 1);
            }
            len = append_utf8(json, in);
        }
        in = bytes_skip(in, len);
    }
    append(json, "\"", 1);
}

void json_writer_text(struct json_writer *json, const char *text)
{
    json_writer_bytes(json, bytes_of_text(text));
}

void json_writer_html_safe(struct json_writer *json, struct bytes text)
{
    static const struct {
        const char *plain, *escaped;
    } escapes[] = {{"<", "\\u003c"},
                   {">", "\\u003e"},
                   {"&", "\\u0026"},
                   {"\xe2\x80\xa8", "\\u2028"},
                   {"\xe2\x80\xa9", "\\u2029"}};

    while (text.len > 0) {
        size_t len = 1;
        const char *escaped = NULL;

        for (size_t i = 0; i < ARRAY_LENGTH(escapes) && escaped == NULL; i++) {
            struct bytes plain = bytes_of_text(escapes[i].plain);

            if (plain.len <= text.len && memcmp(text.data, plain.data, plain.len) == 0) {
                escaped = escapes[i].escaped;
                len = plain.len;
            }
        }
        if (escaped != NULL) {
            json_writer_raw(json, escaped);
        } else {
            append(json, text.data, len);
        }
        text = bytes_skip(text, len);
    }
}

void json_writer_integer(struct json_writer *json, int64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)value);
    json_writer_raw(json, text);
}

void json_writer_boolean(struct json_writer *json, bool value)
{
    json_writer_raw(json, value ? "true" : "false");
}
