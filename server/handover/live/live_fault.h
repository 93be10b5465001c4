/* The first fault of a part that is being read, as a word for the operator. */
#pragma once

#include <stdbool.h>

/* Always false. */
static inline bool live_fault_set(const char **fault, const char *text)
{
    *fault = text;
    return false;
}
