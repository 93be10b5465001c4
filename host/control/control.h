/* The rules as the HTTP API and the JSON commands see them: each operation takes texts and returns
 * JSON, malloc'ed; json_answer_free releases it. NULL: no memory, unless stated otherwise. Tokens
 * are shown in part, except in the echo of a rule. Host's thread only. */
#pragma once

#include "base/attributes.h"
#include "host/destination/destinations.h"
#include "host/rules/streams.h"

struct control {
    struct destinations *destinations;
    struct streams *streams;
    void (*on_changed)(struct control *control); /* rules were added or deleted */
};

/* An id that is answered like any other, but never recorded. */
#define CONTROL_DELETE_ALL "deleteAll"

/* The echo. NULL: error says why not. */
MUST_USE char *control_put_destination(struct control *control, struct bytes text,
                                       char error[static JSON_ANSWER_ERROR_SIZE]);
MUST_USE char *control_put_stream(struct control *control, struct bytes text,
                                  char error[static JSON_ANSWER_ERROR_SIZE]);

/* All, as an object. */
MUST_USE char *control_list_destinations(const struct control *control);
MUST_USE char *control_list_streams(const struct control *control);

/* The rule of this id, or one of empty texts. */
MUST_USE char *control_destination(const struct control *control, const char *id);

/* Harmless when there is no such rule. */
void control_delete_destination(struct control *control, const char *id);
void control_delete_stream(struct control *control, const char *name);
void control_delete_all_streams(struct control *control);

/* keeps_api: without the rule of VW_API. */
void control_delete_all_destinations(struct control *control, bool keeps_api);
