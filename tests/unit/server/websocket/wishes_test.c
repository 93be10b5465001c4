/* Goal: a viewer gets what it asks for by a name that is known; all else changes nothing. */
#include "server/websocket/wishes.h"

#include <criterion/criterion.h>

#include "base/attributes.h"

Test(wishes, are_what_the_query_says_where_it_is_understood)
{
    static const struct {
        const char *query;
        enum lag_recovery recovery;
        uint32_t age_ms_max;
    } cases[] = {
        {"", LAG_RECOVER_KEYFRAME, 0},
        {"code=1", LAG_RECOVER_KEYFRAME, 0},
        {"recover=keyframe", LAG_RECOVER_KEYFRAME, 0},
        {"code=1&recover=latest", LAG_RECOVER_LATEST, 0},
        {"recover=none&code=1&max-age=250", LAG_RECOVER_NONE, 250},
        {"recover=none&recover=latest", LAG_RECOVER_NONE, 0},
        {"recover=Latest", LAG_RECOVER_KEYFRAME, 0},
        {"recover=", LAG_RECOVER_KEYFRAME, 0},
        {"recover=a-name-that-is-much-too-long-for-it", LAG_RECOVER_KEYFRAME, 0},
        {"xrecover=none", LAG_RECOVER_KEYFRAME, 0},
        {"max-age=0", LAG_RECOVER_KEYFRAME, 0},
        {"max-age=%35%30", LAG_RECOVER_KEYFRAME, 50},
        {"max-age=-1", LAG_RECOVER_KEYFRAME, 0},
        {"max-age=1s", LAG_RECOVER_KEYFRAME, 0},
        {"max-age=3600001", LAG_RECOVER_KEYFRAME, WISHES_AGE_MS_MAX},
        {"max-age=999999999999999", LAG_RECOVER_KEYFRAME, WISHES_AGE_MS_MAX},
        {"max-age=99999999999999999999999999999999", LAG_RECOVER_KEYFRAME, 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct wishes wishes = wishes_of(bytes_of_text(cases[i].query));

        cr_assert_eq(wishes.recovery, cases[i].recovery, "%s", cases[i].query);
        cr_assert_eq(wishes.age_ms_max, cases[i].age_ms_max, "%s", cases[i].query);
    }
}

Test(wishes, say_where_a_viewer_begins)
{
    static const struct {
        const char *query;
        enum stream_join_mode join;
    } cases[] = {
        {"", JOIN_LATEST_KEYFRAME},
        {"code=x&join=latest-keyframe", JOIN_LATEST_KEYFRAME},
        {"code=x&join=next-keyframe", JOIN_NEXT_KEYFRAME},
        {"join=latest&code=x", JOIN_LATEST},
        {"join=%6catest", JOIN_LATEST},
        {"join=latest&join=next-keyframe", JOIN_LATEST},
        {"join=", JOIN_LATEST_KEYFRAME},
        {"join=LATEST", JOIN_LATEST_KEYFRAME},
        {"join=latest-keyframe-of-a-name-that-is-too-long", JOIN_LATEST_KEYFRAME},
        {"joint=latest", JOIN_LATEST_KEYFRAME},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_assert_eq(wishes_of(bytes_of_text(cases[i].query)).join, cases[i].join, "%s",
                     cases[i].query);
    }
}
