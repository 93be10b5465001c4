/* Time. Any thread; never blocks. */
#pragma once

#include <stdint.h>

/* Since an arbitrary point; never steps. For deadlines, ages and intervals. */
uint64_t clock_monotonic_ns(void);
uint64_t clock_monotonic_ms(void);

/* Since 1970-01-01 UTC; may step. For token times and log stamps only. */
int64_t clock_wall_s(void);
uint64_t clock_wall_ns(void);
