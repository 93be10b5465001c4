/* Assertions against programmer errors, kept in release builds. Never used on data from a peer. */
#pragma once

#include "base/attributes.h"

NORETURN void check_failed(const char *condition, const char *file, int line);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            check_failed(#condition, __FILE__, __LINE__);                                          \
        }                                                                                          \
    } while (0)

#define UNREACHABLE() check_failed("unreachable", __FILE__, __LINE__)
