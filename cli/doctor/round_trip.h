/* A token's way: signed here, exchanged for a code by the access API at its public URL, and a
 * WebSocket opened with it, as clients do. Blocks for up to SERVICE_WAIT_MS. Main thread only. */
#pragma once

#include "cli/doctor/findings.h"
#include "token/token_keys.h"

#define ROUND_TRIP_TOPIC "relay-doctor"

void round_trip_check(struct findings *findings, const char *audience,
                      const struct token_keys *keys, const char *ca_file);
