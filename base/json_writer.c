#include "base/json_writer.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
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
