/* The end of each report for programs. Any thread. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/attributes.h"

/* Prints and releases the report, a line of its own at the end. -ENOMEM, with nothing printed, when
 * it is NULL or not whole; -EIO. */
MUST_USE int json_report_print(json_t *report, bool is_whole, FILE *out);
