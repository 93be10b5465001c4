#include "host/feed/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { MS_PER_S = 1000 };

struct traffic {
    uint64_t messages, bytes;
};

struct feed {
    struct list node;
    struct list members;
    struct traffic all, now, before; /* of this second and of the one before it */
    uint64_t second;
    char name[];
};

void feed_table_init(struct feed_table *feeds)
{
    *feeds = (struct feed_table){0};
    list_init(&feeds->all);
}

void feed_table_deinit(struct feed_table *feeds)
{
    CHECK(list_empty(&feeds->all));
}

bool feed_is_stream(const char *name)
{
    return strncmp(name, "stream/", strlen("stream/")) == 0;
}

static struct feed *find(const struct feed_table *feeds, const char *name)
{
    list_for_each(node, &feeds->all)
    {
        struct feed *feed = container_of(node, struct feed, node);

        if (strcmp(feed->name, name) == 0) {
            return feed;
        }
    }
    return NULL;
}

static struct feed *create(struct feed_table *feeds, const char *name)
{
    size_t size = strlen(name) + 1;
    struct feed *feed = calloc(1, sizeof *feed + size);

    if (feed != NULL) {
        memcpy(feed->name, name, size);
        list_init(&feed->members);
        list_append(&feeds->all, &feed->node);
    }
    return feed;
}

int feed_join(struct feed_table *feeds, const char *name, struct feed_member *member)
{
    CHECK(member->feed == NULL);
    struct feed *feed = find(feeds, name);

    if (feed == NULL) {
        feed = create(feeds, name);
    }
    if (feed == NULL) {
        return -ENOMEM;
    }
    member->feed = feed;
    list_append(&feed->members, &member->node);
    return 0;
}

void feed_leave(struct feed_member *member)
{
    struct feed *feed = member->feed;

    if (feed == NULL) {
        return;
    }
    member->feed = NULL;
    list_remove(&member->node);
    if (list_empty(&feed->members)) {
        list_remove(&feed->node);
        free(feed);
    }
}

const char *feed_name(const struct feed_member *member)
{
    return member->feed == NULL ? "" : member->feed->name;
}

static bool hears(const struct feed_member *member, const struct feed_member *sender)
{
    if (member == sender || member->on_message == NULL) {
        return false;
    }
    return member->origin == NULL || sender->origin == NULL ||
           strcmp(member->origin, sender->origin) != 0;
}

static void deliver(struct feed *feed, const struct feed_member *sender, struct parcel *message)
{
    list_for_each(node, &feed->members)
    {
        struct feed_member *member = container_of(node, struct feed_member, node);

        if (hears(member, sender)) {
            member->on_message(member, sender, message);
        }
    }
}

void feed_deliver(struct feed_table *feeds, const char *name, const struct feed_member *sender,
                  struct parcel *message)
{
    struct feed *feed = find(feeds, name);

    if (feed != NULL) {
        deliver(feed, sender, message);
    }
}

static void turn_second(struct feed *feed, uint64_t second)
{
    if (second != feed->second) {
        feed->before = second == feed->second + 1 ? feed->now : (struct traffic){0};
        feed->now = (struct traffic){0};
        feed->second = second;
    }
}

static void count(struct feed *feed, const struct parcel *parcel)
{
    turn_second(feed, parcel->made_ms / MS_PER_S);
    feed->now.messages++;
    feed->now.bytes += parcel->len;
    feed->all.messages++;
    feed->all.bytes += parcel->len;
}

void feed_publish(struct feed_table *feeds, struct feed_member *sender, struct parcel *message)
{
    CHECK(sender->feed != NULL);
    if (feed_is_stream(sender->feed->name)) {
        return;
    }
    count(sender->feed, message);
    deliver(sender->feed, sender, message);
    if (feeds->on_published != NULL) {
        feeds->on_published(feeds, sender->feed->name, sender, message);
    }
}

void feed_table_each(const struct feed_table *feeds, uint64_t now_ms,
                     void (*on_feed)(void *context, const struct feed_report *report),
                     void *context)
{
    list_for_each(node, &feeds->all)
    {
        struct feed *feed = container_of(node, struct feed, node);
        struct feed_report report = {.name = feed->name};

        turn_second(feed, now_ms / MS_PER_S);
        report.messages = feed->all.messages;
        report.bytes = feed->all.bytes;
        report.second_messages = feed->before.messages;
        report.second_bytes = feed->before.bytes;
        list_for_each(member, &feed->members)
        {
            report.members++;
        }
        on_feed(context, &report);
    }
}
