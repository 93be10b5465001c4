#include "host/http/control_guard.h"

#include <limits.h>
#include <unistd.h>

#include "wire/address/origin.h"

/* A name that an attacker's name server leads to the loopback makes a page one of the same origin:
 * only the name itself gives it away. */
static bool is_rebound(struct bytes host)
{
    char machine[HOST_NAME_MAX + 1] = "";

    if (gethostname(machine, sizeof machine - 1) != 0) {
        machine[0] = '\0';
    }
    return host.len > 0 && !origin_host_is_own(host, machine);
}

const char *control_guard_refusal(const struct control_guard *guard,
                                  const struct http_request *request)
{
    struct bytes origin = {0}, host = {0};

    if (!guard->is_loopback && !guard->is_remote) {
        return "forbidden: rules are changed from this machine only, unless "
               "RELAY_HOST_API_REMOTE is true\n";
    }
    http_request_field(request, "Host", &host);
    if (http_request_field(request, "Origin", &origin) && !origin_is_same(origin, host)) {
        return "forbidden: a web page of another origin may not change rules; send no Origin\n";
    }
    if (!guard->is_remote && is_rebound(host)) {
        return "forbidden: rules are changed at localhost, an address, or the machine's own name, "
               "unless RELAY_HOST_API_REMOTE is true\n";
    }
    return NULL;
}
