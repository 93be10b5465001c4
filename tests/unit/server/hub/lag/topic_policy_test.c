/* Goal: a topic has the policy of the first pattern that fits, and a text with a fault has none. */
#include "server/hub/lag/topic_policy.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/attributes.h"

static struct topic_policies policies;

Test(topic_policy, is_that_of_the_first_pattern_that_fits)
{
    static const struct {
        const char *topic;
        enum topic_policy policy;
    } topics[] = {
        {"pend00-video", TOPIC_POLICY_VIDEO},
        {"pend00-video2", TOPIC_POLICY_AUTO},
        {"lab/a/video", TOPIC_POLICY_LATEST},
        {"lab/", TOPIC_POLICY_LATEST},
        {"state-1", TOPIC_POLICY_DATA},
        {"state-12", TOPIC_POLICY_AUTO},
        {"a=b", TOPIC_POLICY_LATEST},
        {"raw", TOPIC_POLICY_AUTO},
        {"", TOPIC_POLICY_AUTO},
    };

    cr_assert_eq(topic_policy_parse("pend*-video=video,lab/*=latest,lab/*=data,state-?=data,"
                                    "a=b=latest,raw=auto,ra*=data",
                                    &policies),
                 0);
    cr_assert_eq(policies.count, 7);
    for (size_t i = 0; i < ARRAY_LENGTH(topics); i++) {
        cr_assert_eq(topic_policy_find(&policies, topics[i].topic), topics[i].policy, "%s",
                     topics[i].topic);
    }
}

Test(topic_policy, may_be_exclusive_beside_what_it_is)
{
    static const struct {
        const char *topic;
        enum topic_policy policy;
        bool is_exclusive;
    } topics[] = {
        {"arm", TOPIC_POLICY_AUTO, true},     {"arm+exclusive", TOPIC_POLICY_VIDEO, true},
        {"state", TOPIC_POLICY_LATEST, true}, {"raw", TOPIC_POLICY_DATA, false},
        {"other", TOPIC_POLICY_AUTO, false},
    };

    cr_assert_eq(topic_policy_parse("arm=exclusive,arm+exclusive=video+exclusive,"
                                    "state=latest+exclusive,raw=data",
                                    &policies),
                 0);
    for (size_t i = 0; i < ARRAY_LENGTH(topics); i++) {
        cr_assert_eq(topic_policy_find(&policies, topics[i].topic), topics[i].policy, "%s",
                     topics[i].topic);
        cr_assert_eq(topic_policy_is_exclusive(&policies, topics[i].topic), topics[i].is_exclusive,
                     "%s", topics[i].topic);
    }
    cr_assert_not(topic_policy_is_exclusive(NULL, "arm"));
}

Test(topic_policy, is_auto_where_there_are_none)
{
    cr_assert_eq(topic_policy_find(NULL, "t"), TOPIC_POLICY_AUTO);
    cr_assert_eq(topic_policy_parse("", &policies), 0);
    cr_assert_eq(policies.count, 0);
    cr_assert_eq(topic_policy_find(&policies, "t"), TOPIC_POLICY_AUTO);
}

Test(topic_policy, with_a_fault_changes_nothing)
{
    static const char *const texts[] = {"video",
                                        "=video",
                                        "a=",
                                        "a=Video",
                                        "a=video,",
                                        ",a=video",
                                        "a=video,,b=data",
                                        "a=+exclusive",
                                        "a=video+",
                                        "a=exclusive+video",
                                        "a=data+exclusive+exclusive"};

    policies.count = 3;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        cr_assert_eq(topic_policy_parse(texts[i], &policies), -EINVAL, "%s", texts[i]);
        cr_assert_eq(policies.count, 3);
    }
}

Test(topic_policy, has_bounds)
{
    char text[TOPIC_POLICIES_MAX * 16] = "a=data";
    char pattern[TOPIC_PATTERN_SIZE + 8];

    for (unsigned i = 1; i < TOPIC_POLICIES_MAX; i++) {
        snprintf(text + strlen(text), 16, ",b=latest");
    }
    cr_assert_eq(topic_policy_parse(text, &policies), 0);
    cr_assert_eq(policies.count, TOPIC_POLICIES_MAX);
    snprintf(text + strlen(text), 16, ",c=auto");
    cr_assert_eq(topic_policy_parse(text, &policies), -EINVAL);
    memset(pattern, 'x', sizeof pattern);
    snprintf(pattern + TOPIC_PATTERN_SIZE - 1, 8, "=data");
    cr_assert_eq(topic_policy_parse(pattern, &policies), 0);
    memset(pattern, 'x', sizeof pattern);
    snprintf(pattern + TOPIC_PATTERN_SIZE, 8, "=data");
    cr_assert_eq(topic_policy_parse(pattern, &policies), -EINVAL);
}
