#include "server/hub/budget.h"

#include "base/check.h"

bool budget_may_take(const struct budget *budget, size_t bytes, size_t left)
{
    size_t after = budget->bytes + bytes;

    return bytes > left || after <= BUDGET_FLOOR_BYTES || after <= BUDGET_SHARE * (left - bytes);
}

void budget_charge(struct budget *budget, size_t bytes)
{
    CHECK(bytes > 0);
    budget->bytes += bytes;
}

void budget_credit(struct budget *budget, size_t bytes)
{
    CHECK(bytes > 0 && bytes <= budget->bytes);
    budget->bytes -= bytes;
}
