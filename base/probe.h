/* Static probes (USDT): places where bpftrace, perf or SystemTap may look on, listed with examples
 * in docs/tuning.md. A probe is one nop and a note in the program where sys/sdt.h was there at
 * build time (Debian: systemtap-sdt-dev), and nothing otherwise; without it arguments are not
 * evaluated, so they must have no effects. Any thread. */
#pragma once

#if defined(RELAY_PROBES)

#include <sys/sdt.h>

#define PROBE2(name, a, b)       STAP_PROBE2(relay, name, a, b)
#define PROBE3(name, a, b, c)    STAP_PROBE3(relay, name, a, b, c)
#define PROBE4(name, a, b, c, d) STAP_PROBE4(relay, name, a, b, c, d)

#else

#define PROBE2(name, a, b)       ((void)sizeof(a), (void)sizeof(b))
#define PROBE3(name, a, b, c)    (PROBE2(name, a, b), (void)sizeof(c))
#define PROBE4(name, a, b, c, d) (PROBE3(name, a, b, c), (void)sizeof(d))

#endif
