/* Goal: each reason has its row: a text, one counter or none, and a code that may be on the wire.
 */
#include "server/stats/close_reason.h"

#include <criterion/criterion.h>
#include <string.h>

static uint64_t sum(const struct counters *counters)
{
    uint64_t total = 0;

#define ADD(name, ...) total += atomic_load(&counters->name);
    COUNTERS_TABLE(ADD)
#undef ADD
    return total;
}

Test(close_reason, each_has_a_text_of_its_own)
{
    for (unsigned i = 0; i < CLOSE_REASON_COUNT; i++) {
        cr_assert_gt(strlen(close_reason_text((enum close_reason)i)), 0);
        for (unsigned j = 0; j < i; j++) {
            cr_assert_str_neq(close_reason_text((enum close_reason)i),
                              close_reason_text((enum close_reason)j));
        }
    }
}

Test(close_reason, each_is_counted_once_or_where_it_was_found)
{
    for (unsigned i = 0; i < CLOSE_REASON_COUNT; i++) {
        struct counters counters = {0};
        enum close_reason reason = (enum close_reason)i;
        bool elsewhere = reason == CLOSE_HTTP_DONE || reason == CLOSE_HTTP_REFUSED ||
                         reason == CLOSE_TLS_FAILED || reason == CLOSE_EVICTED;

        close_reason_count(reason, &counters);
        cr_assert_eq(sum(&counters), elsewhere ? 0 : 1, "%s", close_reason_text(reason));
    }
    struct counters counters = {0};

    close_reason_count(CLOSE_EXPIRED, &counters);
    cr_assert_eq(atomic_load(&counters.closed_expired), 1);
}

Test(close_reason, codes_are_those_of_the_protocol)
{
    static const struct {
        enum close_reason reason;
        uint16_t code;
    } cases[] = {
        {CLOSE_BY_PEER, 0},           {CLOSE_NO_PONG, 0},         {CLOSE_DRAIN, 1001},
        {CLOSE_PROTOCOL_ERROR, 1002}, {CLOSE_INVALID_TEXT, 1007}, {CLOSE_ASSEMBLY_TIMEOUT, 1008},
        {CLOSE_TOO_BIG, 1009},        {CLOSE_TOO_FAST, 1008},     {CLOSE_EXPIRED, 4401},
        {CLOSE_DENIED, 4403},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(close_reason_code(cases[i].reason), cases[i].code);
    }
}
