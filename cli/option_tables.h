/* The option tables of the subcommands, for the generated docs/operations.md. Each is defined next
 * to its command. Immutable, so any thread. */
#pragma once

#include "base/options/option_table.h"

extern const struct option_table token_option_table;
extern const struct option_table token_inspect_option_table;
extern const struct option_table client_file_option_table;
extern const struct option_table client_pipe_option_table;
extern const struct option_table client_record_option_table;
extern const struct option_table host_option_table;
extern const struct option_table monitor_option_table;
extern const struct option_table status_option_table;
extern const struct option_table doctor_option_table;
extern const struct option_table top_option_table;
