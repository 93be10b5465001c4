#include "perf/scale/share.h"

#include "base/check.h"

enum {
    FIRST_DELIVERIES_PER_S = 4000,
    LATE_KEEPS_PERCENT = 85, /* of the rate, where it was not kept */
};

static unsigned clamp(double rate)
{
    return rate < 1 ? 1 : rate > SCENARIO_RATE_MAX ? SCENARIO_RATE_MAX : (unsigned)rate;
}

unsigned share_rate_first(const struct scenario *scenario)
{
    CHECK(scenario->topics > 0 && scenario->viewers > 0);
    return clamp((double)FIRST_DELIVERIES_PER_S / scenario->topics / scenario->viewers);
}

bool share_is_near(double percent, double wanted_percent)
{
    double difference =
        percent > wanted_percent ? percent - wanted_percent : wanted_percent - percent;

    return difference <= SHARE_NEAR_PERCENT;
}

unsigned share_rate_next(unsigned rate, double percent, double wanted_percent, bool is_late)
{
    double growth = percent > 0 ? wanted_percent / percent : SHARE_GROWTH_MAX;

    if (is_late) {
        growth = LATE_KEEPS_PERCENT / 100.0;
    }
    unsigned next = clamp(rate * (growth > SHARE_GROWTH_MAX ? SHARE_GROWTH_MAX : growth));

    if (next != rate) {
        return next;
    }
    return growth > 1 ? clamp(rate + 1.0) : clamp(rate - 1.0);
}
