#include "server/websocket/publish/pace.h"

#include "base/check.h"

void pace_init(struct pace *pace, uint64_t now_ms)
{
    *pace = (struct pace){.credit = PACE_BURST, .credited_ms = now_ms};
}

bool pace_has_credit(struct pace *pace, uint64_t now_ms)
{
    CHECK(now_ms >= pace->credited_ms);
    uint64_t credit = pace->credit + (now_ms - pace->credited_ms) * PACE_PER_SECOND / 1000;

    pace->credit = credit < PACE_BURST ? (uint32_t)credit : PACE_BURST;
    pace->credited_ms = now_ms;
    return pace->credit > 0;
}

void pace_spend(struct pace *pace, uint32_t units)
{
    pace->credit -= units < pace->credit ? units : pace->credit;
}

bool pace_has_turn(uint32_t units, uint32_t burst_spent)
{
    return units < PACE_SLICE || burst_spent < PACE_TURN_BURST;
}

uint32_t pace_units(uint32_t viewers)
{
    return 1 + viewers / PACE_VIEWERS_PER_UNIT;
}
