/* Lengths of time as people write them: 1h30m, 1.5s, 500ms. Pure functions, any thread. */
#pragma once

#include <stdint.h>

#include "base/attributes.h"

/* Go's time.ParseDuration for non-negative values, in ms. -EINVAL on anything else. */
MUST_USE int duration_parse(const char *text, int64_t *ret_ms);
MUST_USE int duration_parse_ns(const char *text, int64_t *ret_ns);
