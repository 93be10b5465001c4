#include "host/rules/stream_rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static void release_feeds(struct stream_rule *rule)
{
    for (size_t i = 0; i < rule->feeds_count; i++) {
        free(rule->feeds[i]);
    }
    free(rule->feeds);
    rule->feeds = NULL;
    rule->feeds_count = 0;
    rule->has_feeds = false;
}

void stream_rule_release(struct stream_rule *rule)
{
    release_feeds(rule);
    free(rule->stream);
    rule->stream = NULL;
}

static bool read_feed(struct stream_rule *rule, struct json_value value, char *error)
{
    char *feed = NULL;

    if (rule->feeds_count == STREAM_RULE_FEEDS_MAX) {
        snprintf(error, JSON_ANSWER_ERROR_SIZE, "more than %d feeds", STREAM_RULE_FEEDS_MAX);
        return false;
    }
    if (!json_answer_take_text(value, "Rule.feeds", &feed, error)) {
        return false;
    }
    if (feed == NULL) { /* null stands for no text, as in Go */
        feed = calloc(1, 1);
    }
    rule->feeds[rule->feeds_count++] = feed;
    return feed != NULL;
}

static bool read_feeds(struct stream_rule *rule, struct json_value list, char *error)
{
    struct json_value element;
    struct bytes rest = list.text;

    release_feeds(rule);
    if (list.kind == JSON_NULL) {
        return true;
    }
    if (list.kind != JSON_ARRAY) {
        return json_answer_refuse(list, "Rule.feeds", "[]string", error);
    }
    snprintf(error, JSON_ANSWER_ERROR_SIZE, "no memory");
    rule->feeds = calloc(STREAM_RULE_FEEDS_MAX, sizeof *rule->feeds);
    rule->has_feeds = true;
    if (rule->feeds == NULL) {
        return false;
    }
    while (json_reader_next_element(&rest, &element)) {
        if (!read_feed(rule, element, error)) {
            return false;
        }
    }
    return true;
}

static bool read_members(struct stream_rule *rule, struct json_value object, char *error)
{
    struct json_value name, value;
    struct bytes rest = object.text;
    bool is_good = true;

    while (is_good && object.kind == JSON_OBJECT && json_reader_next_member(&rest, &name, &value)) {
        if (json_reader_text_is(name, "stream")) {
            is_good = json_answer_take_text(value, "Rule.stream", &rule->stream, error);
        } else if (json_reader_text_is(name, "feeds")) {
            is_good = read_feeds(rule, value, error);
        }
    }
    return is_good;
}

bool stream_rule_read(struct json_value value, struct stream_rule *ret_rule,
                      char error[static JSON_ANSWER_ERROR_SIZE])
{
    struct stream_rule rule = {.stream = calloc(1, 1)};

    if (!json_answer_check_struct(value, "agg.Rule", error)) {
        stream_rule_release(&rule);
        return false;
    }
    if (rule.stream == NULL || !read_members(&rule, value, error)) {
        stream_rule_release(&rule);
        return false;
    }
    if (rule.stream[0] == '/') {
        memmove(rule.stream, rule.stream + 1, strlen(rule.stream));
    }
    *ret_rule = rule;
    return true;
}

void stream_rule_write_feeds(struct json_writer *json, const struct stream_rule *rule)
{
    if (!rule->has_feeds) {
        json_writer_raw(json, "null");
        return;
    }
    json_writer_raw(json, "[");
    for (size_t i = 0; i < rule->feeds_count; i++) {
        json_writer_raw(json, i == 0 ? "" : ",");
        json_writer_text(json, rule->feeds[i]);
    }
    json_writer_raw(json, "]");
}

void stream_rule_write(struct json_writer *json, const struct stream_rule *rule)
{
    json_writer_raw(json, "{\"stream\":");
    json_writer_text(json, rule->stream);
    json_writer_raw(json, ",\"feeds\":");
    stream_rule_write_feeds(json, rule);
    json_writer_raw(json, "}");
}
