#include "base/json_writer.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

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

/* Length of the valid UTF-8 sequence at the start, or 0 (RFC 3629 §4). */
static size_t utf8_sequence_len(struct bytes in)
{
    uint8_t first = in.data[0];
    size_t len = first < 0x80   ? 1
                 : first < 0xc2 ? 0
                 : first < 0xe0 ? 2
                 : first < 0xf0 ? 3
                 : first < 0xf5 ? 4
                                : 0;

    if (len == 0 || len > in.len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((in.data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((first == 0xe0 && in.data[1] < 0xa0) || (first == 0xed && in.data[1] > 0x9f) ||
        (first == 0xf0 && in.data[1] < 0x90) || (first == 0xf4 && in.data[1] > 0x8f)) {
        return 0;
    }
    return len;
}

static void append_escaped_control(struct json_writer *json, uint8_t c)
{
    char escaped[8];

    switch (c) {
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
        snprintf(escaped, sizeof escaped, "\\u%04x", c);
        append(json, escaped, 6);
    }
}

void json_writer_bytes(struct json_writer *json, struct bytes in)
{
    append(json, "\"", 1);
    while (in.len > 0) {
        size_t len = utf8_sequence_len(in);
        uint8_t c = in.data[0];

        if (len == 0) {
            append(json, "\xef\xbf\xbd", 3);
            len = 1;
        } else if (c == '"' || c == '\\') {
            append(json, "\\", 1);
            append(json, &c, 1);
        } else if (c < 0x20) {
            append_escaped_control(json, c);
        } else {
            append(json, in.data, len);
        }
        in = bytes_skip(in, len);
    }
    append(json, "\"", 1);
}

void json_writer_text(struct json_writer *json, const char *text)
{
    json_writer_bytes(json, bytes_of_text(text));
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
