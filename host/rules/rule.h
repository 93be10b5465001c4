/* The configuration of a destination, and its JSON. Plain value; its owner releases it. Any
 * thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/json_writer.h"
#include "host/rules/json_answer.h"

enum rule_limits {
    RULE_BYTES_MAX = 64 * 1024, /* of a rule's JSON */
    RULE_TOKEN_SHOWN = 8,       /* characters of a token in reports */
};

/* Texts are malloc'ed and not NULL. */
struct rule {
    char *id;
    char *stream;      /* the feed, or a stream that begins "stream/" */
    char *destination; /* with a token an access URL, otherwise a WebSocket's */
    char *token;
    char *file;
    char *token_file; /* in place of the token; not in practable/relay */
    bool is_listed;   /* it comes from a file of rules */
};

/* Reads a rule as Go would; names of members in any case, unknown ones ignored, one leading slash
 * of the stream taken away. False: error says why not. */
MUST_USE bool rule_read(struct json_value value, struct rule *ret_rule,
                        char error[static JSON_ANSWER_ERROR_SIZE]);

/* Empty texts. False: no memory. */
MUST_USE bool rule_init(struct rule *rule);

/* Wipes the token. A zeroed rule is fine. */
void rule_release(struct rule *rule);
bool rule_equals(const struct rule *a, const struct rule *b);

/* The object with its five keys; token_file only when there is one. */
void rule_write(struct json_writer *json, const struct rule *rule, bool masks_token);
