#include "server/loop/alarm.h"

#include <stddef.h>

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
    [ALARM_MAILBOX] = {LOG_LEVEL_WARN,
                       "messages are dropped: a worker is too far behind; give it more CPUs and "
                       "raise RELAY_WORKERS",
                       "RELAY_WORKERS"},
    [ALARM_REQUEST_MEMORY] = {LOG_LEVEL_WARN,
                              "connections are closed: the request memory is exhausted; lower "
                              "RELAY_HANDSHAKE_TIMEOUT or RELAY_CONNECTIONS_MAX",
                              "RELAY_HANDSHAKE_TIMEOUT"},
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

void alarms_raise(struct alarms *alarms, enum alarm_kind kind, uint64_t now_ms, const char *error)
{
    uint32_t suppressed;

    alarms->limits[kind].lines_max = 1; /* the next one repeats it */
    if (!log_limit_allow(&alarms->limits[kind], now_ms, &suppressed)) {
        return;
    }
    if (error == NULL) {
        LOG_EVENT(lines[kind].level, lines[kind].text, LOG_TEXT("option", lines[kind].option),
                  LOG_INT("suppressed", suppressed));
    } else {
        LOG_EVENT(lines[kind].level, lines[kind].text, LOG_TEXT("option", lines[kind].option),
                  LOG_TEXT("error", error), LOG_INT("suppressed", suppressed));
    }
}
