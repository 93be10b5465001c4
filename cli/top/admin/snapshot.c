#include "cli/top/admin/snapshot.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void text(const json_t *object, const char *key, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(object, key));

    snprintf(text, size, "%s", value == NULL ? "" : value);
}

static void read_topic(const json_t *object, struct snapshot_topic *topic)
{
    const json_t *age_ms = json_object_get(object, "age_ms");

    text(object, "topic", topic->name, sizeof topic->name);
    topic->publishers = number(object, "publishers");
    topic->viewers = number(object, "viewers");
    topic->age_ms = age_ms == NULL ? -1 : json_integer_value(age_ms);
    topic->messages_received = number(object, "messages_received");
    topic->bytes_received = number(object, "bytes_received");
    topic->bytes_sent = number(object, "bytes_sent");
    topic->lost = number(object, "dropped_data") + number(object, "dropped_video") +
                  number(object, "dropped_latest");
}

static bool read_root(const json_t *root, struct snapshot *snapshot)
{
    const json_t *topics = json_object_get(root, "topics");
    size_t count = json_array_size(topics);

    if (!json_is_array(topics)) {
        return false;
    }
    snapshot->topics = calloc(count + 1, sizeof *snapshot->topics);
    if (snapshot->topics == NULL) {
        return false;
    }
    text(root, "version", snapshot->version, sizeof snapshot->version);
    snapshot->now_ms = number(root, "now_ms");
    snapshot->started_s = number(root, "started_s");
    snapshot->connections = number(root, "connections");
    snapshot->websockets = number(root, "websockets");
    snapshot->workers = number(root, "workers");
    snapshot->count = count;
    for (size_t i = 0; i < count; i++) {
        read_topic(json_array_get(topics, i), &snapshot->topics[i]);
    }
    return true;
}

bool snapshot_read(struct bytes json, struct snapshot *ret_snapshot)
{
    json_t *root = json_loadb((const char *)json.data, json.len, 0, NULL);

    *ret_snapshot = (struct snapshot){0};
    bool ok = root != NULL && read_root(root, ret_snapshot);

    json_decref(root);
    return ok;
}

void snapshot_release(struct snapshot *snapshot)
{
    free(snapshot->topics);
    *snapshot = (struct snapshot){0};
}
