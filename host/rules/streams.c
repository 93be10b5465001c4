#include "host/rules/streams.h"

#include <stdlib.h>
#include <string.h>

static void on_published(struct feed_table *feeds, const char *name,
                         const struct feed_member *sender, struct parcel *message)
{
    const struct streams *streams = container_of(feeds, struct streams, feeds);

    for (size_t i = 0; i < streams->count; i++) {
        const struct stream_rule *rule = &streams->rules[i];

        for (size_t j = 0; j < rule->feeds_count && feed_is_stream(rule->stream); j++) {
            if (strcmp(rule->feeds[j], name) == 0) {
                feed_deliver(feeds, rule->stream, sender, message);
            }
        }
    }
}

void streams_init(struct streams *streams)
{
    *streams = (struct streams){0};
    feed_table_init(&streams->feeds);
    streams->feeds.on_published = on_published;
}

void streams_deinit(struct streams *streams)
{
    streams_remove_all(streams);
    free(streams->rules);
    streams->rules = NULL;
    feed_table_deinit(&streams->feeds);
}

/* The place of a name: where it is, or belongs. */
static size_t place_of(const struct streams *streams, const char *name, bool *ret_found)
{
    size_t place = 0;

    while (place < streams->count && strcmp(streams->rules[place].stream, name) < 0) {
        place++;
    }
    *ret_found = place < streams->count && strcmp(streams->rules[place].stream, name) == 0;
    return place;
}

static bool make_place(struct streams *streams, size_t place)
{
    if (streams->rules == NULL) {
        streams->rules = calloc(STREAMS_RULES_MAX, sizeof *streams->rules);
    }
    if (streams->rules == NULL || streams->count == STREAMS_RULES_MAX) {
        return false;
    }
    memmove(&streams->rules[place + 1], &streams->rules[place],
            (streams->count - place) * sizeof *streams->rules);
    streams->count++;
    return true;
}

bool streams_put(struct streams *streams, struct stream_rule *rule)
{
    bool found;
    size_t place = place_of(streams, rule->stream, &found);

    if (found) {
        stream_rule_release(&streams->rules[place]);
    } else if (!make_place(streams, place)) {
        stream_rule_release(rule);
        return false;
    }
    streams->rules[place] = *rule;
    *rule = (struct stream_rule){0};
    return true;
}

const struct stream_rule *streams_find(const struct streams *streams, const char *name)
{
    bool found;
    size_t place = place_of(streams, name, &found);

    return found ? &streams->rules[place] : NULL;
}

static void remove_at(struct streams *streams, size_t place)
{
    stream_rule_release(&streams->rules[place]);
    streams->count--;
    memmove(&streams->rules[place], &streams->rules[place + 1],
            (streams->count - place) * sizeof *streams->rules);
}

void streams_remove(struct streams *streams, const char *name)
{
    bool found;
    size_t place = place_of(streams, name, &found);

    if (found) {
        remove_at(streams, place);
    }
}

void streams_remove_all(struct streams *streams)
{
    while (streams->count > 0) {
        remove_at(streams, streams->count - 1);
    }
}

void streams_remove_listed(struct streams *streams,
                           bool (*keeps)(const void *context, const char *name),
                           const void *context)
{
    for (size_t i = streams->count; i > 0; i--) {
        const struct stream_rule *rule = &streams->rules[i - 1];

        if (rule->is_listed && !keeps(context, rule->stream)) {
            remove_at(streams, i - 1);
        }
    }
}
