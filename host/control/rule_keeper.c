#include "host/control/rule_keeper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "host/rules/rule_file.h"

/* One reading of rules, with the names that it found. */
struct reading {
    struct control *control;
    struct device_set *devices; /* NULL: rules of devices are refused */
    bool is_listed;
    char **ids, **streams;
    size_t ids_count, streams_count;
};

bool rule_keeper_init(struct rule_keeper *keeper, struct control *control,
                      struct device_set *devices, const char *rules, const char *state_dir)
{
    *keeper = (struct rule_keeper){.control = control, .devices = devices, .rules = rules};
    if (state_dir == NULL || state_dir[0] == '\0') {
        return true;
    }
    return snprintf(keeper->state_path, sizeof keeper->state_path, "%s/rules.json", state_dir) <
           (int)sizeof keeper->state_path;
}

/* Names that do not fit are forgotten, and their rules deleted by the next reload. */
static void note(char **names, size_t *count, size_t max, const char *name)
{
    if (names != NULL && *count < max && (names[*count] = strdup(name)) != NULL) {
        (*count)++;
    }
}

static void on_rule(void *context, struct rule *rule)
{
    struct reading *reading = context;

    rule->is_listed = reading->is_listed;
    note(reading->ids, &reading->ids_count, DESTINATIONS_MAX, rule->id);
    if (!destinations_put(reading->control->destinations, rule)) {
        log_warn("no room for a rule");
    }
}

static void on_stream(void *context, struct stream_rule *rule)
{
    struct reading *reading = context;

    rule->is_listed = reading->is_listed;
    note(reading->streams, &reading->streams_count, STREAMS_RULES_MAX, rule->stream);
    if (!streams_put(reading->control->streams, rule)) {
        log_warn("no room for a rule");
    }
}

/* A rule that runs programs is none of those that can be posted. */
static bool on_device(void *context, struct json_value value, char *error)
{
    struct reading *reading = context;
    struct device_rule rule;

    if (reading->devices == NULL || !device_rule_read(value, &rule, error)) {
        return false;
    }
    if (!device_set_put(reading->devices, &rule)) {
        log_warn("no room for a device");
    }
    return true;
}

static bool read(struct reading *reading, const char *path)
{
    struct rule_file_reader reader = {
        .on_rule = on_rule, .on_stream = on_stream, .on_device = on_device, .context = reading};
    char error[RULE_FILE_ERROR_SIZE];

    if (!rule_file_read(path, &reader, error)) {
        log_error("rules cannot be read", LOG_TEXT("reason", error));
        return false;
    }
    return true;
}

static bool has(char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool keeps_id(const void *context, const char *id)
{
    const struct reading *reading = context;

    return has(reading->ids, reading->ids_count, id);
}

static bool keeps_stream(const void *context, const char *name)
{
    const struct reading *reading = context;

    return has(reading->streams, reading->streams_count, name);
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

void rule_keeper_reload(struct rule_keeper *keeper)
{
    struct reading reading = {.control = keeper->control,
                              .devices = keeper->devices,
                              .is_listed = true,
                              .ids = calloc(DESTINATIONS_MAX, sizeof(char *)),
                              .streams = calloc(STREAMS_RULES_MAX, sizeof(char *))};

    device_set_begin(keeper->devices);
    /* Rules of a file that cannot be read stay as they are. */
    if (keeper->rules != NULL && reading.ids != NULL && reading.streams != NULL &&
        read(&reading, keeper->rules)) {
        destinations_remove_listed(keeper->control->destinations, keeps_id, &reading);
        streams_remove_listed(keeper->control->streams, keeps_stream, &reading);
        device_set_end(keeper->devices);
        log_info("rules read", LOG_INT("destinations", reading.ids_count),
                 LOG_INT("streams", reading.streams_count));
    }
    free_names(reading.ids, reading.ids_count);
    free_names(reading.streams, reading.streams_count);
}

static bool is_missing(const char *path)
{
    FILE *file = fopen(path, "re");

    if (file != NULL) {
        fclose(file);
    }
    return file == NULL && errno == ENOENT;
}

void rule_keeper_start(struct rule_keeper *keeper)
{
    struct reading posted = {.control = keeper->control};

    if (keeper->state_path[0] != '\0' && !is_missing(keeper->state_path)) {
        (void)read(&posted, keeper->state_path);
    }
    rule_keeper_reload(keeper);
}

static void write_rules(struct json_writer *json, const void *context)
{
    const struct control *control = context;
    const char *separator = "[\n";

    for (size_t i = 0; i < control->destinations->count; i++) {
        const struct rule *rule = &control->destinations->all[i]->rule;

        if (!rule->is_listed && strcmp(rule->id, DESTINATIONS_API_RULE) != 0) {
            json_writer_raw(json, separator);
            rule_write(json, rule, false);
            separator = ",\n";
        }
    }
    for (size_t i = 0; i < control->streams->count; i++) {
        if (!control->streams->rules[i].is_listed) {
            json_writer_raw(json, separator);
            stream_rule_write(json, &control->streams->rules[i]);
            separator = ",\n";
        }
    }
    json_writer_raw(json, separator[0] == '[' ? "[]\n" : "\n]\n");
}

void rule_keeper_save(const struct rule_keeper *keeper)
{
    if (keeper->state_path[0] == '\0') {
        return;
    }
    char *text = json_answer_make(write_rules, keeper->control);
    int failed = text == NULL ? -ENOMEM : rule_file_write(keeper->state_path, text);

    json_answer_free(text);
    if (failed != 0) {
        log_warn("posted rules cannot be written down", LOG_TEXT("reason", strerror(-failed)));
    }
}
