/* The options of relay serve: the only place that names them, with bounds, defaults and help. Their
 * values are a struct server_config. Constant data. */
#pragma once

#include <stdbool.h>

#include "base/options/option_table.h"
#include "server/config.h"

extern const struct option_table serve_option_table;

/* The row of that name, which must be there. */
const struct option_spec *config_table_spec(const char *env);

/* True for an option of that name that was not given. */
bool config_table_is_default(const struct server_config *config, const char *env);
