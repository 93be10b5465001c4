#include "host/control/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void changed(struct control *control)
{
    if (control->on_changed != NULL) {
        control->on_changed(control);
    }
}

static bool check(struct bytes text, char *error)
{
    char cause[JSON_READER_ERROR_SIZE];

    if (!json_reader_check(text, cause)) {
        snprintf(error, JSON_ANSWER_ERROR_SIZE, "%s", cause);
        return false;
    }
    return true;
}

static void write_rule(struct json_writer *json, const void *context)
{
    rule_write(json, context, false);
}

char *control_put_destination(struct control *control, struct bytes text,
                              char error[static JSON_ANSWER_ERROR_SIZE])
{
    struct rule rule;

    if (!check(text, error) || !rule_read(json_reader_value(text), &rule, error)) {
        return NULL;
    }
    char *echo = json_answer_make(write_rule, &rule);

    snprintf(error, JSON_ANSWER_ERROR_SIZE, "no room for another rule");
    if (echo == NULL || strcmp(rule.id, CONTROL_DELETE_ALL) == 0) {
        rule_release(&rule);
    } else if (destinations_put(control->destinations, &rule)) {
        changed(control);
    } else {
        json_answer_free(echo);
        echo = NULL;
    }
    return echo;
}

static void write_stream(struct json_writer *json, const void *context)
{
    stream_rule_write(json, context);
}

char *control_put_stream(struct control *control, struct bytes text,
                         char error[static JSON_ANSWER_ERROR_SIZE])
{
    struct stream_rule rule;

    if (!check(text, error) || !stream_rule_read(json_reader_value(text), &rule, error)) {
        return NULL;
    }
    char *echo = json_answer_make(write_stream, &rule);

    snprintf(error, JSON_ANSWER_ERROR_SIZE, "no room for another rule");
    if (echo == NULL || strcmp(rule.stream, CONTROL_DELETE_ALL) == 0) {
        stream_rule_release(&rule);
    } else if (streams_put(control->streams, &rule)) {
        changed(control);
    } else {
        json_answer_free(echo);
        echo = NULL;
    }
    return echo;
}

static void write_destinations(struct json_writer *json, const void *context)
{
    const struct destinations *destinations = context;

    json_writer_raw(json, "{");
    for (size_t i = 0; i < destinations->count; i++) {
        json_writer_raw(json, i == 0 ? "" : ",");
        json_writer_text(json, destinations->all[i]->rule.id);
        json_writer_raw(json, ":");
        rule_write(json, &destinations->all[i]->rule, true);
    }
    json_writer_raw(json, "}");
}

char *control_list_destinations(const struct control *control)
{
    return json_answer_make(write_destinations, control->destinations);
}

static void write_streams(struct json_writer *json, const void *context)
{
    const struct streams *streams = context;

    json_writer_raw(json, "{");
    for (size_t i = 0; i < streams->count; i++) {
        json_writer_raw(json, i == 0 ? "" : ",");
        json_writer_text(json, streams->rules[i].stream);
        json_writer_raw(json, ":");
        stream_rule_write_feeds(json, &streams->rules[i]);
    }
    json_writer_raw(json, "}");
}

char *control_list_streams(const struct control *control)
{
    return json_answer_make(write_streams, control->streams);
}

static void write_masked(struct json_writer *json, const void *context)
{
    rule_write(json, context, true);
}

char *control_destination(const struct control *control, const char *id)
{
    const struct destination *destination = destinations_find(control->destinations, id);
    struct rule empty;

    if (destination != NULL) {
        return json_answer_make(write_masked, &destination->rule);
    }
    if (!rule_init(&empty)) {
        return NULL;
    }
    char *answer = json_answer_make(write_masked, &empty);

    rule_release(&empty);
    return answer;
}

void control_delete_destination(struct control *control, const char *id)
{
    destinations_remove(control->destinations, id);
    changed(control);
}

void control_delete_stream(struct control *control, const char *name)
{
    streams_remove(control->streams, name);
    changed(control);
}

void control_delete_all_streams(struct control *control)
{
    streams_remove_all(control->streams);
    changed(control);
}

void control_delete_all_destinations(struct control *control, bool keeps_api)
{
    struct destinations *destinations = control->destinations;

    for (size_t i = destinations->count; i > 0; i--) {
        const char *id = destinations->all[i - 1]->rule.id;

        if (!keeps_api || strcmp(id, DESTINATIONS_API_RULE) != 0) {
            destinations_remove(destinations, id);
        }
    }
    changed(control);
}
