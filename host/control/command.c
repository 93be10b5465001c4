#include "host/control/command.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define UNRECOGNISED "unrecognised Command"

/* Texts are malloc'ed; NULL: not given. */
struct request {
    char *verb, *what, *which;
    struct bytes rule;
};

static void release(struct request *request)
{
    json_answer_free(request->verb);
    json_answer_free(request->what);
    json_answer_free(request->which);
}

static bool read_member(struct request *request, struct json_value name, struct json_value value)
{
    char ignored[JSON_ANSWER_ERROR_SIZE];

    if (json_reader_text_is(name, "verb")) {
        return json_answer_take_text(value, "Command.verb", &request->verb, ignored);
    }
    if (json_reader_text_is(name, "what")) {
        return json_answer_take_text(value, "Command.what", &request->what, ignored);
    }
    if (json_reader_text_is(name, "which")) {
        return json_answer_take_text(value, "Command.which", &request->which, ignored);
    }
    if (json_reader_text_is(name, "rule")) {
        request->rule = value.text;
    }
    return true;
}

static bool read(struct bytes text, struct request *request)
{
    char ignored[JSON_READER_ERROR_SIZE];
    struct json_value name, value;

    if (!json_reader_check(text, ignored) || json_reader_value(text).kind != JSON_OBJECT) {
        return false;
    }
    struct bytes rest = json_reader_value(text).text;

    while (json_reader_next_member(&rest, &name, &value)) {
        if (!read_member(request, name, value)) {
            return false;
        }
    }
    return true;
}

static bool is(const char *text, const char *wanted)
{
    return text != NULL && strcmp(text, wanted) == 0;
}

static void write_feeds(struct json_writer *json, const void *context)
{
    json_writer_raw(json, "{\"feeds\":");
    if (context == NULL) {
        json_writer_raw(json, "null");
    } else {
        stream_rule_write_feeds(json, context);
    }
    json_writer_raw(json, "}");
}

static char *answer_put(char *echo, const char *error)
{
    return echo != NULL ? echo : json_answer_of_pair("error", error);
}

static char *destination_command(struct control *control, const struct request *request)
{
    char error[JSON_ANSWER_ERROR_SIZE];
    const char *which = request->which;

    if (is(request->verb, "add")) {
        return answer_put(control_put_destination(control, request->rule, error), error);
    }
    if (is(request->verb, "list")) {
        return is(which, "all") ? control_list_destinations(control)
                                : control_destination(control, which == NULL ? "" : which);
    }
    if (!is(request->verb, "delete") || which == NULL) {
        return json_answer_of_pair("error", UNRECOGNISED);
    }
    if (is(which, DESTINATIONS_API_RULE)) {
        return json_answer_of_pair("error", "cannot delete " DESTINATIONS_API_RULE);
    }
    if (is(which, "all")) {
        control_delete_all_destinations(control, true);
        return json_answer_of_pair("deleted", CONTROL_DELETE_ALL);
    }
    control_delete_destination(control, which);
    return json_answer_of_pair("deleted", which);
}

static char *stream_command(struct control *control, const struct request *request)
{
    char error[JSON_ANSWER_ERROR_SIZE];
    const char *which = request->which;

    if (is(request->verb, "add")) {
        return answer_put(control_put_stream(control, request->rule, error), error);
    }
    if (is(request->verb, "list") && which != NULL) {
        return is(which, "all")
                   ? control_list_streams(control)
                   : json_answer_make(write_feeds, streams_find(control->streams, which));
    }
    if (!is(request->verb, "delete")) {
        return json_answer_of_pair("error", UNRECOGNISED);
    }
    if (is(which, "all")) {
        control_delete_all_streams(control);
        return json_answer_of_pair("deleted", CONTROL_DELETE_ALL);
    }
    control_delete_stream(control, which == NULL ? "" : which);
    return json_answer_of_pair("deleted", which == NULL ? "" : which);
}

char *command_carry_out(struct control *control, struct bytes text)
{
    struct request request = {0};
    bool is_read = text.len <= RULE_BYTES_MAX && read(text, &request);
    char *answer = NULL;

    if (is_read && is(request.verb, "healthcheck")) {
        answer = json_answer_of_pair("healthcheck", "ok");
    } else if (is_read && is(request.what, "destination")) {
        answer = destination_command(control, &request);
    } else if (is_read && is(request.what, "stream")) {
        answer = stream_command(control, &request);
    } else {
        answer = json_answer_of_pair("error", UNRECOGNISED);
    }
    release(&request);
    return answer;
}

/* The member. */

static void on_message(struct feed_member *member, const struct feed_member *sender,
                       struct parcel *message)
{
    struct command *command = container_of(member, struct command, member);

    if (sender->may_command) {
        parcel_queue_push(&command->pending, parcel_ref(message));
        loop_timer_arm(command->loop, &command->timer, 0);
    }
}

static void answer(struct command *command, const struct parcel *message)
{
    char *text = command_carry_out(command->control, bytes_of(message->data, message->len));

    if (text == NULL) {
        return;
    }
    struct parcel *reply = parcel_create(PARCEL_TEXT, bytes_of_text(text), command->loop->now_ms);

    if (reply != NULL) {
        feed_publish(command->feeds, &command->member, reply);
    }
    parcel_unref(reply);
    json_answer_free(text);
}

static void on_due(struct loop_timer *timer)
{
    struct command *command = container_of(timer, struct command, timer);
    struct parcel *message;

    while ((message = parcel_queue_pop(&command->pending, command->loop->now_ms)) != NULL) {
        answer(command, message);
        parcel_unref(message);
    }
}

int command_init(struct command *command, struct loop *loop, struct feed_table *feeds,
                 struct control *control)
{
    *command = (struct command){
        .control = control, .feeds = feeds, .loop = loop, .member = {.on_message = on_message}};
    parcel_queue_init(&command->pending, 0);
    loop_timer_init(&command->timer, on_due);
    return feed_join(feeds, COMMAND_FEED, &command->member);
}

void command_deinit(struct command *command)
{
    loop_timer_disarm(&command->timer);
    feed_leave(&command->member);
    parcel_queue_deinit(&command->pending);
}
