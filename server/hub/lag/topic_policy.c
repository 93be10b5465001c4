#include "server/hub/lag/topic_policy.h"

#include <errno.h>
#include <fnmatch.h>
#include <stddef.h>
#include <string.h>

#include "base/bytes.h"

static const struct {
    const char *name;
    enum topic_policy policy;
} names[] = {
    {"auto", TOPIC_POLICY_AUTO},
    {"video", TOPIC_POLICY_VIDEO},
    {"latest", TOPIC_POLICY_LATEST},
    {"data", TOPIC_POLICY_DATA},
};

static int parse_name(struct bytes text, enum topic_policy *ret_policy)
{
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (bytes_equal_text(text, names[i].name)) {
            *ret_policy = names[i].policy;
            return 0;
        }
    }
    return -EINVAL;
}

/* "latest", "latest+exclusive", or "exclusive" as what is recognised. */
static int parse_value(struct bytes text, struct topic_policy_row *row)
{
    size_t plus = bytes_find(text, '+');

    row->is_exclusive = bytes_equal_text(text, "exclusive") ||
                        bytes_equal_text(bytes_skip(text, plus), "+exclusive");
    if (bytes_equal_text(text, "exclusive")) {
        row->policy = TOPIC_POLICY_AUTO;
        return 0;
    }
    return parse_name(row->is_exclusive ? bytes_of(text.data, plus) : text, &row->policy);
}

/* Up to the last '=': a pattern may have some of its own. */
static int parse_row(struct bytes text, struct topic_policy_row *row)
{
    size_t len = text.len;

    while (len > 0 && text.data[len - 1] != '=') {
        len--;
    }
    if (len < 2 || len > TOPIC_PATTERN_SIZE) {
        return -EINVAL;
    }
    memcpy(row->pattern, text.data, len - 1);
    row->pattern[len - 1] = '\0';
    return parse_value(bytes_skip(text, len), row);
}

int topic_policy_parse(const char *text, struct topic_policies *ret_policies)
{
    static const struct topic_policies none;
    struct topic_policies policies = none;

    while (*text != '\0') {
        size_t len = strcspn(text, ",");

        if (policies.count == TOPIC_POLICIES_MAX ||
            parse_row(bytes_of(text, len), &policies.rows[policies.count]) != 0) {
            return -EINVAL;
        }
        policies.count++;
        text += len;
        if (*text == ',' && *++text == '\0') {
            return -EINVAL;
        }
    }
    *ret_policies = policies;
    return 0;
}

static const struct topic_policy_row *find(const struct topic_policies *policies, const char *topic)
{
    for (unsigned i = 0; policies != NULL && i < policies->count; i++) {
        if (fnmatch(policies->rows[i].pattern, topic, FNM_NOESCAPE) == 0) {
            return &policies->rows[i];
        }
    }
    return NULL;
}

enum topic_policy topic_policy_find(const struct topic_policies *policies, const char *topic)
{
    const struct topic_policy_row *row = find(policies, topic);

    return row == NULL ? TOPIC_POLICY_AUTO : row->policy;
}

bool topic_policy_is_exclusive(const struct topic_policies *policies, const char *topic)
{
    const struct topic_policy_row *row = find(policies, topic);

    return row != NULL && row->is_exclusive;
}
