/* The rule of a serial device or a program that takes part in a feed: only from the operator's file
 * of rules, because such a rule runs programs. Plain value; its owner releases it. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "host/rules/json_answer.h"

enum device_rule_limits { DEVICE_RULE_WORDS_MAX = 64 };

enum { DEVICE_RULE_SPEED_DEFAULT = 9600 };

struct device_rule {
    char *stream;
    char *serial;                           /* the device's path; or empty, and: */
    char *words[DEVICE_RULE_WORDS_MAX + 1]; /* the command, NULL at its end */
    size_t words_count;
    uint64_t speed; /* baud */
    bool is_raw;    /* "framing":"raw": each read is a message; otherwise lines are */
};

/* False: error says why not. */
MUST_USE bool device_rule_read(struct json_value value, struct device_rule *ret_rule,
                               char error[static JSON_ANSWER_ERROR_SIZE]);

/* A zeroed rule is fine. */
void device_rule_release(struct device_rule *rule);
bool device_rule_equals(const struct device_rule *a, const struct device_rule *b);
