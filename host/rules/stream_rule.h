/* The rule of a stream: the feeds that it aggregates, and its JSON. Plain value; its owner releases
 * it. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/json_writer.h"
#include "host/rules/json_answer.h"

enum stream_rule_limits { STREAM_RULE_FEEDS_MAX = 256 };

struct stream_rule {
    char *stream;
    char **feeds;
    size_t feeds_count;
    bool has_feeds; /* false: null in JSON, not an empty list */
    bool is_listed; /* it comes from a file of rules */
};

/* As rule_read; feeds are left as they are. */
MUST_USE bool stream_rule_read(struct json_value value, struct stream_rule *ret_rule,
                               char error[static JSON_ANSWER_ERROR_SIZE]);

/* A zeroed rule is fine. */
void stream_rule_release(struct stream_rule *rule);

/* {"stream":…,"feeds":…} and the list alone. */
void stream_rule_write(struct json_writer *json, const struct stream_rule *rule);
void stream_rule_write_feeds(struct json_writer *json, const struct stream_rule *rule);
