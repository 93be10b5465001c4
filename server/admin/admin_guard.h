/* Protects the admin listener from pages that an operator's browser has open. A page of another
 * site can make requests to addresses of this machine: its own name may be made to lead here (DNS
 * rebinding), and a form may post. Pure; any thread. */
#pragma once

#include <stdbool.h>

#include "wire/http_request.h"

/* False for a Host that a stranger could have made to lead here: allowed are numeric addresses,
 * names without a dot, localhost, and those in the list, separated by commas. */
bool admin_guard_allows_host(const struct http_request *request, const char *hosts);

/* True for a request that no page of another origin can make: it has a field that browsers ask for
 * leave to send, and that leave is never given. */
bool admin_guard_allows_change(const struct http_request *request);
