#include "host/rules/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static const struct rule_member {
    const char *name, *member;
    size_t offset;
} members[] = {
    {"id", "Rule.id", offsetof(struct rule, id)},
    {"stream", "Rule.stream", offsetof(struct rule, stream)},
    {"destination", "Rule.destination", offsetof(struct rule, destination)},
    {"token", "Rule.token", offsetof(struct rule, token)},
    {"file", "Rule.file", offsetof(struct rule, file)},
    {"token_file", "Rule.token_file", offsetof(struct rule, token_file)},
};

enum { MEMBERS_OF_PRACTABLE = 5 };

static char **text_of(struct rule *rule, const struct rule_member *member)
{
    return (char **)(void *)((char *)rule + member->offset);
}

static const char *text_in(const struct rule *rule, const struct rule_member *member)
{
    return *(char *const *)(const void *)((const char *)rule + member->offset);
}

bool rule_init(struct rule *rule)
{
    bool is_good = true;

    *rule = (struct rule){0};
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        char **text = text_of(rule, &members[i]);

        *text = calloc(1, 1);
        is_good = is_good && *text != NULL;
    }
    if (!is_good) {
        rule_release(rule);
    }
    return is_good;
}

void rule_release(struct rule *rule)
{
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        char **text = text_of(rule, &members[i]);

        json_answer_free(*text);
        *text = NULL;
    }
}

bool rule_equals(const struct rule *a, const struct rule *b)
{
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        if (strcmp(text_in(a, &members[i]), text_in(b, &members[i])) != 0) {
            return false;
        }
    }
    return true;
}

static bool read_member(struct rule *rule, struct json_value name, struct json_value value,
                        char *error)
{
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        if (json_reader_text_is(name, members[i].name)) {
            return json_answer_take_text(value, members[i].member, text_of(rule, &members[i]),
                                         error);
        }
    }
    return true;
}

static bool read_members(struct rule *rule, struct json_value object, char *error)
{
    struct json_value name, value;
    struct bytes rest = object.text;

    while (object.kind == JSON_OBJECT && json_reader_next_member(&rest, &name, &value)) {
        if (!read_member(rule, name, value, error)) {
            return false;
        }
    }
    return true;
}

bool rule_read(struct json_value value, struct rule *ret_rule,
               char error[static JSON_ANSWER_ERROR_SIZE])
{
    struct rule rule;

    if (!json_answer_check_struct(value, "rwc.Rule", error)) {
        return false;
    }
    if (!rule_init(&rule)) {
        snprintf(error, JSON_ANSWER_ERROR_SIZE, "no memory");
        return false;
    }
    if (!read_members(&rule, value, error)) {
        rule_release(&rule);
        return false;
    }
    if (rule.stream[0] == '/') {
        memmove(rule.stream, rule.stream + 1, strlen(rule.stream));
    }
    *ret_rule = rule;
    return true;
}

static void write_token(struct json_writer *json, const char *token)
{
    char shown[RULE_TOKEN_SHOWN + sizeof "…"];
    int shown_len = strlen(token) > RULE_TOKEN_SHOWN ? RULE_TOKEN_SHOWN : 0;

    snprintf(shown, sizeof shown, "%.*s…", shown_len, token);
    json_writer_text(json, shown);
}

void rule_write(struct json_writer *json, const struct rule *rule, bool masks_token)
{
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        const char *text = text_in(rule, &members[i]);

        if (i >= MEMBERS_OF_PRACTABLE && text[0] == '\0') {
            continue;
        }
        json_writer_raw(json, i == 0 ? "{\"" : ",\"");
        json_writer_raw(json, members[i].name);
        json_writer_raw(json, "\":");
        if (masks_token && text == rule->token && text[0] != '\0') {
            write_token(json, text);
        } else {
            json_writer_text(json, text);
        }
    }
    json_writer_raw(json, "}");
}
