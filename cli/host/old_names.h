/* The environment of practable/relay's host: names that begin with VW_, and those that its help
 * promised. Main thread, before the options are parsed. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"

/* Gives their values to our own variables, where these are not set. False: a number is none, which
 * was said on standard error. */
MUST_USE bool old_names_adopt(void);
