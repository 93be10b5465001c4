#include "host/rules/json_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "client/credential.h"

enum { FIRST_SIZE = 1024, ESCAPED_MAX = 6 };

void json_answer_free(char *text)
{
    credential_release(text);
}

/* As json_answer_make, without Go's escapes. */
static char *make_plain(void (*write)(struct json_writer *json, const void *context),
                        const void *context, size_t *ret_len)
{
    for (size_t size = FIRST_SIZE;; size *= 2) {
        struct json_writer json;
        char *text = malloc(size);

        if (text == NULL) {
            return NULL;
        }
        json_writer_init(&json, text, size);
        write(&json, context);
        if (!json.overflow) {
            *ret_len = json.len;
            return text;
        }
        json_answer_free(text);
    }
}

char *json_answer_make(void (*write)(struct json_writer *json, const void *context),
                       const void *context)
{
    struct json_writer json;
    size_t len;
    char *plain = make_plain(write, context, &len);

    if (plain == NULL) {
        return NULL;
    }
    size_t size = ESCAPED_MAX * len + 1;
    char *text = malloc(size);

    if (text != NULL) {
        json_writer_init(&json, text, size);
        json_writer_html_safe(&json, bytes_of(plain, len));
    }
    json_answer_free(plain);
    return text;
}

static void write_text(struct json_writer *json, const void *context)
{
    json_writer_text(json, context);
}

char *json_answer_of_text(const char *text)
{
    return json_answer_make(write_text, text);
}

struct pair {
    const char *name, *text;
};

static void write_pair(struct json_writer *json, const void *context)
{
    const struct pair *pair = context;

    json_writer_raw(json, "{");
    json_writer_text(json, pair->name);
    json_writer_raw(json, ":");
    json_writer_text(json, pair->text);
    json_writer_raw(json, "}");
}

char *json_answer_of_pair(const char *name, const char *text)
{
    struct pair pair = {.name = name, .text = text};

    return json_answer_make(write_pair, &pair);
}

bool json_answer_check_struct(struct json_value value, const char *type,
                              char error[static JSON_ANSWER_ERROR_SIZE])
{
    if (value.kind == JSON_OBJECT || value.kind == JSON_NULL) {
        return true;
    }
    snprintf(error, JSON_ANSWER_ERROR_SIZE, "json: cannot unmarshal %s into Go value of type %s",
             json_reader_kind_text(value.kind), type);
    return false;
}

bool json_answer_refuse(struct json_value value, const char *member, const char *type,
                        char error[static JSON_ANSWER_ERROR_SIZE])
{
    snprintf(error, JSON_ANSWER_ERROR_SIZE,
             "json: cannot unmarshal %s into Go struct field %s of type %s",
             json_reader_kind_text(value.kind), member, type);
    return false;
}

bool json_answer_take_text(struct json_value value, const char *member, char **text,
                           char error[static JSON_ANSWER_ERROR_SIZE])
{
    if (value.kind == JSON_NULL) {
        return true;
    }
    if (value.kind != JSON_STRING) {
        return json_answer_refuse(value, member, "string", error);
    }
    size_t size = 3 * value.text.len + 1;
    char *copy = malloc(size);

    if (copy == NULL) {
        snprintf(error, JSON_ANSWER_ERROR_SIZE, "no memory");
        return false;
    }
    json_reader_text(value, copy, size);
    json_answer_free(*text);
    *text = copy;
    return true;
}
