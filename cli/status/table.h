/* Reports of relay_status as a table for people. Any thread. */
#pragma once

#include <stdio.h>

#include "client/relay_status.h"

/* A head line and one line for each connection, by topic, then by age. Whatever names clients
 * choose, only printable ASCII is written, and long texts are cut. */
void table_print(const struct relay_status_reports *reports, FILE *out);
