/* A received message as a line of the log file: "[time] text\n". Pure, apart from the time zone. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

enum client_line_sizes { CLIENT_LINE_TIME_SIZE = 48 };

/* Local time as RFC 3339 with nanoseconds, without trailing zeros: 2022-03-13T19:15:32.015Z. */
void client_line_time(uint64_t wall_ns, char text[static CLIENT_LINE_TIME_SIZE]);

/* Text as it is, anything else as standard base64. *ret_line is malloc'ed. 0 or -ENOMEM. */
MUST_USE int client_line_make(uint64_t wall_ns, struct bytes message, bool is_text, char **ret_line,
                              size_t *ret_len);
