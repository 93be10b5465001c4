/* A member of a feed that notes what it hears, for the tests of the host. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "host/feed/feed.h"

struct hearer {
    struct feed_member member;
    char heard[256]; /* the texts, each with a comma after it */
};

static inline void hearer_on_message(struct feed_member *member, const struct feed_member *sender,
                                     struct parcel *parcel)
{
    struct hearer *hearer = container_of(member, struct hearer, member);
    size_t len = strlen(hearer->heard);

    snprintf(hearer->heard + len, sizeof hearer->heard - len, "%.*s,", (int)parcel->len,
             (const char *)parcel->data);
}

static inline int hearer_join(struct hearer *hearer, struct feed_table *feeds, const char *feed)
{
    *hearer = (struct hearer){.member = {.on_message = hearer_on_message}};
    return feed_join(feeds, feed, &hearer->member);
}

static inline void hearer_say(struct hearer *hearer, struct feed_table *feeds, const char *text)
{
    struct parcel *parcel = parcel_create(PARCEL_TEXT, bytes_of_text(text), 0);

    feed_publish(feeds, &hearer->member, parcel);
    parcel_unref(parcel);
}
