/* The value of one option: from text into its member of the values struct. Main thread only. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "base/options/option_table.h"

/* name: what the option is called in error, by environment or flag. 0 or -errno, then with one line
 * in error and the value as it was, or without a text. */
MUST_USE int option_value_set(const struct option_spec *spec, const char *name, const char *text,
                              void *values, char error[static OPTIONS_ERROR_SIZE]);

/* True when the flag may stand alone, without a value. */
bool option_value_is_boolean(const struct option_spec *spec);

/* A text without characters, a number of zero. */
bool option_value_is_empty(const struct option_spec *spec, const void *values);

/* Frees a text, wipes a secret; the member is NULL afterwards. */
void option_value_release(const struct option_spec *spec, void *values);
