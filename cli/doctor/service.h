/* Checks of the service as it is configured: keys, certificates, ports, the public name, and a
 * token's way through the running relay. Main thread only; DNS and the round trip block for up to
 * SERVICE_WAIT_MS each. */
#pragma once

#include "cli/doctor/findings.h"
#include "server/config.h"

enum service_limits { SERVICE_WAIT_MS = 10000 };

void service_check(struct findings *findings, const struct server_config *config,
                   const char *ca_file);
