/* Files of rules: a JSON list of destinations and streams, as they are posted, and of devices;
 * streams are those with feeds. Any thread; blocks on the disk. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "host/rules/rule.h"
#include "host/rules/stream_rule.h"

enum rule_file_limits { RULE_FILE_BYTES_MAX = 4 * 1024 * 1024, RULE_FILE_ERROR_SIZE = 512 };

/* Takes over what it gets. */
struct rule_file_reader {
    void (*on_rule)(void *context, struct rule *rule);
    void (*on_stream)(void *context, struct stream_rule *rule);

    /* A rule with the member serial or exec. False: error says what is wrong with it. NULL: such
     * rules are refused. */
    bool (*on_device)(void *context, struct json_value rule,
                      char error[static JSON_ANSWER_ERROR_SIZE]);
    void *context;
};

/* path: a file, or a folder with files whose names end in .json, read in the order of their names.
 * False: error has one line with the file and the fault; earlier rules were handed over. */
MUST_USE bool rule_file_read(const char *path, const struct rule_file_reader *reader,
                             char error[static RULE_FILE_ERROR_SIZE]);

/* Replaces the file as a whole, mode 0600: a crash leaves the old one or the new one. 0 or -errno.
 */
MUST_USE int rule_file_write(const char *path, const char *text);
