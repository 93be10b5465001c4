/* The value of one option: from text into its member of the values struct. Main thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/options/option_table.h"

/* In place of a choice that was refused. */
enum option_value_unknown { OPTION_VALUE_UNKNOWN = -1 };

/* name: what the option is called in error, by environment or flag. 0 or -errno, then with one line
 * in error and the value as it was, or without a text. -ENOENT: no such choice, and the value is
 * OPTION_VALUE_UNKNOWN; the line names the environment then, as scripts know it. */
MUST_USE int option_value_set(const struct option_spec *spec, const char *name, const char *text,
                              void *values, char error[static OPTIONS_ERROR_SIZE]);

/* True for a choice that was refused. */
bool option_value_is_unknown(const struct option_spec *spec, const void *values);

/* True when the flag may stand alone, without a value. */
bool option_value_is_boolean(const struct option_spec *spec);

/* A text without characters, a number of zero. */
bool option_value_is_empty(const struct option_spec *spec, const void *values);

/* The value as text: what option_value_set would make the same value of. Of a secret only whether
 * there is one. */
void option_value_write(const struct option_spec *spec, const void *values, char *text,
                        size_t text_size);

/* Frees a text, wipes a secret; the member is NULL afterwards. */
void option_value_release(const struct option_spec *spec, void *values);
