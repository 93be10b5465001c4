#include "host/http/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_TYPE  "application/json"
#define PLAIN_TYPE "text/plain; charset=utf-8"

struct api_answer api_answer_plain(unsigned status, const char *text)
{
    return (struct api_answer){.status = status,
                               .content_type = text[0] == '\0' ? NULL : PLAIN_TYPE,
                               .text = text,
                               .no_sniff = status >= 400 && text[0] != '\0'};
}

static struct api_answer json(char *body)
{
    if (body == NULL) {
        return api_answer_plain(500, "no memory\n");
    }
    return (struct api_answer){
        .status = 200, .content_type = JSON_TYPE, .text = body, .body = body};
}

/* The echo of a rule, or what is wrong with it. */
static struct api_answer put(char *echo, const char *error)
{
    char *line;

    if (echo != NULL) {
        return json(echo);
    }
    if (asprintf(&line, "%s\n", error) < 0) {
        return api_answer_plain(500, "no memory\n");
    }
    struct api_answer answer = api_answer_plain(500, line);

    answer.body = line;
    return answer;
}

static void write_feeds(struct json_writer *writer, const void *context)
{
    stream_rule_write_feeds(writer, context);
}

static struct api_answer get_stream(const struct control *control, const char *name)
{
    const struct stream_rule *rule = streams_find(control->streams, name);

    if (rule == NULL) {
        return api_answer_plain(404, "Stream not found\n");
    }
    return json(json_answer_make(write_feeds, rule));
}

static struct api_answer destinations_answer(struct control *control, const struct route *route,
                                             struct bytes body)
{
    char error[JSON_ANSWER_ERROR_SIZE];

    switch (route->kind) {
    case ROUTE_DESTINATION_PUT:
        return put(control_put_destination(control, body, error), error);
    case ROUTE_DESTINATION_LIST:
        return json(control_list_destinations(control));
    case ROUTE_DESTINATION_GET:
        return json(control_destination(control, route->name));
    case ROUTE_DESTINATION_DELETE_ALL:
        control_delete_all_destinations(control, false);
        return json(json_answer_of_text(route->name));
    default: /* ROUTE_DESTINATION_DELETE */
        control_delete_destination(control, route->name);
        return json(json_answer_of_text(route->name));
    }
}

static struct api_answer streams_answer(struct control *control, const struct route *route,
                                        struct bytes body)
{
    char error[JSON_ANSWER_ERROR_SIZE];

    switch (route->kind) {
    case ROUTE_STREAM_PUT:
        return put(control_put_stream(control, body, error), error);
    case ROUTE_STREAM_LIST:
        return json(control_list_streams(control));
    case ROUTE_STREAM_GET:
        return get_stream(control, route->name);
    case ROUTE_STREAM_DELETE_ALL:
        control_delete_all_streams(control);
        return json(json_answer_of_text(route->name));
    default: /* ROUTE_STREAM_DELETE */
        control_delete_stream(control, route->name);
        return json(json_answer_of_text(route->name));
    }
}

struct api_answer api_answer(struct control *control, const struct route *route, struct bytes body)
{
    if (route->kind >= ROUTE_STREAM_PUT && route->kind <= ROUTE_STREAM_DELETE_ALL) {
        return streams_answer(control, route, body);
    }
    if (route->kind >= ROUTE_DESTINATION_PUT && route->kind <= ROUTE_DESTINATION_DELETE_ALL) {
        return destinations_answer(control, route, body);
    }
    switch (route->kind) {
    case ROUTE_BAD_REQUEST:
        return api_answer_plain(400, "400 Bad Request");
    case ROUTE_WRONG_METHOD:
        return api_answer_plain(405, "");
    case ROUTE_REDIRECT:
        return api_answer_plain(301, "");
    case ROUTE_HEALTH:
        return api_answer_plain(200, "\"ok\"\n");
    case ROUTE_API:
        return api_answer_plain(200, "");
    default:
        return api_answer_plain(404, "404 page not found\n");
    }
}
