/* The choices of options that set the log: its level and format (base/log.h). Constant data. */
#pragma once

#include "base/options/option_choices.h"

extern const struct option_choices log_level_choices; /* enum log_level */

/* For variables that practable/relay has too: scripts match what it says of a wrong value. */
extern const struct option_choices log_level_choices_old;  /* enum log_level */
extern const struct option_choices log_format_choices_old; /* enum log_format */
