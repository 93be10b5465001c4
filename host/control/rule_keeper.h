/* Keeps the rules: reads those of the file or folder that the operator names, at start and on
 * SIGHUP, and those posted before a restart, which it writes down as they change. Host's thread
 * only; blocks on the disk. */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "base/attributes.h"
#include "host/control/control.h"
#include "host/device/device_set.h"

struct rule_keeper {
    struct control *control;
    struct device_set *devices;
    const char *rules;         /* a file or a folder; NULL: none. Borrowed */
    char state_path[PATH_MAX]; /* empty: posted rules are not kept */
};

/* state_dir: NULL or empty: none. False: the path is too long. */
MUST_USE bool rule_keeper_init(struct rule_keeper *keeper, struct control *control,
                               struct device_set *devices, const char *rules,
                               const char *state_dir);

/* The posted rules, then the operator's, which win. Faults are logged; what can be read counts. */
void rule_keeper_start(struct rule_keeper *keeper);

/* The operator's again: those that are gone are deleted, those that are the same stay connected. */
void rule_keeper_reload(struct rule_keeper *keeper);

/* Writes down the posted rules. */
void rule_keeper_save(const struct rule_keeper *keeper);
