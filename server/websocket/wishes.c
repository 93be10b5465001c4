#include "server/websocket/wishes.h"

#include <string.h>

#include "base/attributes.h"
#include "wire/request_target.h"

enum { VALUE_SIZE = 16 };

static void take_recovery(struct bytes query, struct wishes *wishes)
{
    static const struct {
        const char *name;
        enum lag_recovery recovery;
    } recoveries[] = {{"keyframe", LAG_RECOVER_KEYFRAME},
                      {"latest", LAG_RECOVER_LATEST},
                      {"none", LAG_RECOVER_NONE}};
    char value[VALUE_SIZE];

    if (request_target_query_value(query, "recover", QUERY_FIRST, value, sizeof value) != 0) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(recoveries); i++) {
        if (strcmp(value, recoveries[i].name) == 0) {
            wishes->recovery = recoveries[i].recovery;
        }
    }
}

static void take_join(struct bytes query, struct wishes *wishes)
{
    static const struct {
        const char *name;
        enum stream_join_mode join;
    } joins[] = {{"latest-keyframe", JOIN_LATEST_KEYFRAME},
                 {"next-keyframe", JOIN_NEXT_KEYFRAME},
                 {"latest", JOIN_LATEST}};
    char value[VALUE_SIZE];

    if (request_target_query_value(query, "join", QUERY_FIRST, value, sizeof value) != 0) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(joins); i++) {
        if (strcmp(value, joins[i].name) == 0) {
            wishes->join = joins[i].join;
        }
    }
}

static void take_age(struct bytes query, struct wishes *wishes)
{
    char value[VALUE_SIZE];
    uint64_t age_ms = 0;

    if (request_target_query_value(query, "max-age", QUERY_FIRST, value, sizeof value) != 0) {
        return;
    }
    for (const char *digit = value; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9') {
            return;
        }
        age_ms = age_ms * 10 + (uint64_t)(*digit - '0'); /* fifteen digits at most */
    }
    wishes->age_ms_max = (uint32_t)(age_ms < WISHES_AGE_MS_MAX ? age_ms : WISHES_AGE_MS_MAX);
}

struct wishes wishes_of(struct bytes query)
{
    struct wishes wishes = {.join = JOIN_LATEST_KEYFRAME, .recovery = LAG_RECOVER_KEYFRAME};

    take_join(query, &wishes);
    take_recovery(query, &wishes);
    take_age(query, &wishes);
    return wishes;
}
