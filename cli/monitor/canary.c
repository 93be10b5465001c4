#include "cli/monitor/canary.h"

#include <string.h>

#include "base/check.h"

void canary_init(struct canary *canary, const struct canary_settings *settings, uint64_t now_ns)
{
    CHECK(settings->misses_max > 0);
    CHECK(settings->silence_ns > 0);
    *canary = (struct canary){.settings = *settings, .quiet_since_ns = now_ns};
}

size_t canary_probe(struct canary *canary, uint64_t wall_ns, uint64_t now_ns,
                    uint8_t probe[static CANARY_PROBE_SIZE])
{
    size_t len = 0;

    canary->probes[canary->next] = (struct canary_probe){.stamp = wall_ns, .sent_ns = now_ns};
    canary->next = (canary->next + 1) % CANARY_PROBES_MAX;
    canary->sent++;
    for (int shift = 56; shift >= 0; shift -= 8) {
        uint8_t byte = (uint8_t)(wall_ns >> shift);

        if (len > 0 || byte != 0) {
            probe[len++] = byte;
        }
    }
    return len;
}

static struct canary_probe *find(struct canary *canary, struct bytes message)
{
    uint64_t stamp = 0;

    if (message.len == 0 || message.len > CANARY_PROBE_SIZE) {
        return NULL;
    }
    for (size_t i = 0; i < message.len; i++) {
        stamp = stamp << 8 | message.data[i];
    }
    for (unsigned i = 0; i < CANARY_PROBES_MAX; i++) {
        if (canary->probes[i].stamp == stamp && stamp != 0) {
            return &canary->probes[i];
        }
    }
    return NULL;
}

enum canary_verdict canary_on_message(struct canary *canary, struct bytes message, uint64_t now_ns,
                                      uint64_t *ret_latency_ns)
{
    struct canary_probe *probe = find(canary, message);

    if (probe == NULL) {
        canary->strange++;
        return CANARY_STRANGE;
    }
    *ret_latency_ns = now_ns > probe->sent_ns ? now_ns - probe->sent_ns : 0;
    latency_histogram_record(&canary->latency, *ret_latency_ns);
    *probe = (struct canary_probe){0};
    canary->quiet_since_ns = now_ns;
    if (*ret_latency_ns > canary->settings.threshold_ns) {
        canary->late++;
        canary->misses++;
        return CANARY_LATE;
    }
    canary->good++;
    canary->misses = 0;
    return CANARY_GOOD;
}

uint64_t canary_wake_ns(const struct canary *canary)
{
    return canary->quiet_since_ns + canary->settings.silence_ns;
}

bool canary_on_time(struct canary *canary, uint64_t now_ns)
{
    if (now_ns < canary_wake_ns(canary)) {
        return false;
    }
    canary->quiet_since_ns = now_ns;
    canary->silences++;
    canary->misses++;
    return true;
}

void canary_excuse(struct canary *canary, uint64_t now_ns)
{
    canary->quiet_since_ns = now_ns;
}

bool canary_is_dead(const struct canary *canary)
{
    return canary->misses >= canary->settings.misses_max;
}

void canary_forgive(struct canary *canary, uint64_t now_ns)
{
    memset(canary->probes, 0, sizeof canary->probes);
    canary_restart(canary, now_ns);
}

void canary_restart(struct canary *canary, uint64_t now_ns)
{
    canary->misses = 0;
    canary->quiet_since_ns = now_ns;
}
