#include "server/stats/alarms.h"

#include <stddef.h>

#include "base/check.h"

static const struct {
    enum log_level level;
    const char *text, *option;
} lines[ALARM_COUNT] = {
    [ALARM_CONNECTIONS] =
        {LOG_LEVEL_WARN,
         "connections are refused: the maximum number is reached; raise RELAY_CONNECTIONS_MAX",
         "RELAY_CONNECTIONS_MAX"},
    [ALARM_DESCRIPTORS] = {LOG_LEVEL_ERROR,
                           "cannot accept connections for now; raise the limit of open files "
                           "(LimitNOFILE)",
                           "LimitNOFILE"},
    [ALARM_MESSAGE_MEMORY] =
        {LOG_LEVEL_WARN,
         "messages are dropped: the message memory is exhausted; raise RELAY_MESSAGE_MEMORY",
         "RELAY_MESSAGE_MEMORY"},
    [ALARM_MESSAGE_SHARE] =
        {LOG_LEVEL_WARN,
         "messages are dropped: their topic holds its share of the message memory; raise "
         "RELAY_MESSAGE_MEMORY",
         "RELAY_MESSAGE_MEMORY"},
    [ALARM_MAILBOX] = {LOG_LEVEL_WARN,
                       "messages are dropped: a worker is too far behind; give it more CPUs and "
                       "raise RELAY_WORKERS",
                       "RELAY_WORKERS"},
    [ALARM_PUBLISH_RATE] = {LOG_LEVEL_WARN,
                            "publishers are closed: they send more than RELAY_PUBLISH_RATE allows; "
                            "raise it, or let them send less",
                            "RELAY_PUBLISH_RATE"},
    [ALARM_REQUEST_MEMORY] = {LOG_LEVEL_WARN,
                              "connections are closed: the request memory is exhausted; lower "
                              "RELAY_HANDSHAKE_TIMEOUT or RELAY_CONNECTIONS_MAX",
                              "RELAY_HANDSHAKE_TIMEOUT"},
    [ALARM_PLACES] = {LOG_LEVEL_WARN,
                      "WebSockets are refused: their places, or one booking's share of them, are "
                      "taken; raise RELAY_CONNECTIONS_MAX and LimitNOFILE",
                      "RELAY_CONNECTIONS_MAX"},
    [ALARM_CODES] = {LOG_LEVEL_WARN,
                     "sessions are refused: too many codes are unused; raise RELAY_CODES_MAX or "
                     "lower RELAY_CODE_TTL",
                     "RELAY_CODES_MAX"},
    [ALARM_BOOKINGS] = {LOG_LEVEL_WARN,
                        "denials are not remembered: the list is full; raise RELAY_BOOKINGS_MAX",
                        "RELAY_BOOKINGS_MAX"},
    [ALARM_STORE] = {LOG_LEVEL_WARN,
                     "booking changes are not stored: too many are waiting for the disk; put "
                     "RELAY_STORE on a faster one",
                     "RELAY_STORE"},
    [ALARM_REPORTS] = {LOG_LEVEL_WARN,
                       "requests for /status are refused: too many are pending; monitoring "
                       "programs should use the topic stats (RELAY_STATS_EVERY)",
                       "RELAY_STATS_EVERY"},
    [ALARM_REPORT_CUT] = {LOG_LEVEL_WARN,
                          "a report is incomplete: not all connections fit; lower "
                          "RELAY_CONNECTIONS_MAX and use several relays",
                          "RELAY_CONNECTIONS_MAX"},
};

void alarms_raise(struct alarms *alarms, enum alarm_kind kind, uint64_t now_ms)
{
    alarms_raise_about(alarms, kind, now_ms, NULL, NULL);
}

void alarms_raise_about(struct alarms *alarms, enum alarm_kind kind, uint64_t now_ms,
                        const char *key, const char *text)
{
    uint32_t suppressed;

    CHECK(kind < ALARM_COUNT);
    alarms->limits[kind].lines_max = 1; /* the next one repeats it */
    if (!log_limit_allow(&alarms->limits[kind], now_ms, &suppressed)) {
        return;
    }
    if (key == NULL) {
        LOG_EVENT(lines[kind].level, lines[kind].text, LOG_TEXT("option", lines[kind].option),
                  LOG_INT("suppressed", suppressed));
    } else {
        LOG_EVENT(lines[kind].level, lines[kind].text, LOG_TEXT("option", lines[kind].option),
                  LOG_TEXT(key, text), LOG_INT("suppressed", suppressed));
    }
}
