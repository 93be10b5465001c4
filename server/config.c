#include "server/config.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/options/secret_file.h"
#include "server/limits.h"
#include "server/public_url.h"

#define OFFSET(member) .offset = offsetof(struct server_config, member)

enum {
    BUFFER_SIZE_MAX = 512,
    BUFFER_SIZE_REPLACEMENT = 256,
    SECOND_MS = 1000,
    HOUR_MS = 3600 * 1000
};

static const struct option_spec specs[] = {
    {.env = "RELAY_AUDIENCE",
     .flag = "audience",
     .type = OPTION_TEXT,
     OFFSET(audience),
     .required = true,
     .help = "Public URL of the access API, http:// or https://; the aud claim of every token must "
             "contain it exactly."},
    {.env = "RELAY_URL",
     .flag = "url",
     .type = OPTION_TEXT,
     OFFSET(url),
     .required = true,
     .help = "Public WebSocket URL of the relay, ws:// or wss://, without a slash at its end; "
             "clients get URIs that start with it."},
    {.env = "RELAY_SECRET",
     .flag = "secret",
     .type = OPTION_SECRET,
     OFFSET(secret),
     .help = "Shared secret that signs the tokens (HS256). Required, unless keys come from files; "
             "prefer "
             "the file: command lines and environments are visible to others."},
    {.env = "RELAY_SECRET_FILE",
     .flag = "secret-file",
     .type = OPTION_TEXT,
     OFFSET(secret_file),
     .help =
         "File that holds the secret; trailing newlines are ignored, blanks around it and a byte "
         "order mark are refused. Wins over RELAY_SECRET."},
    {.env = "RELAY_SECRETS_FILE",
     .flag = "secrets-file",
     .type = OPTION_TEXT,
     OFFSET(secrets_file),
     .default_text = "",
     .help = "File with several secrets, for changing them without a break: a line each, \"kid "
             "secret\" or "
             "\"secret\". Read again on SIGHUP, as are the other keys."},
    {.env = "RELAY_PUBLIC_KEYS",
     .flag = "public-keys",
     .type = OPTION_TEXT,
     OFFSET(public_keys),
     .default_text = "",
     .help = "PEM files with public keys, and folders of them, separated by commas: Ed25519 "
             "verifies EdDSA, "
             "P-256 ES256, RSA RS256 tokens. The file name without .pem is the kid."},
    {.env = "RELAY_HMAC_ALGORITHMS",
     .flag = "hmac-algorithms",
     .type = OPTION_TEXT,
     OFFSET(hmac_algorithms),
     .default_text = "HS256",
     .help =
         "What shared secrets verify, separated by commas: HS256, HS384, HS512. practable/relay "
         "takes all three; relay token signs with HS256."},
    {.env = "RELAY_ALLOW_NO_BOOKING_ID",
     .flag = "allow-no-booking-id",
     .type = OPTION_GO_BOOLEAN,
     OFFSET(allow_no_booking_id),
     .default_text = "false",
     .help = "Accept tokens without a booking_id, which cannot be cancelled one by one."},
    {.env = "RELAY_BIND_ADDRESS",
     .flag = "bind-address",
     .type = OPTION_TEXT,
     OFFSET(bind_address),
     .default_text = "",
     .help = "Address to listen on, IPv4 or IPv6; empty: all of both."},
    {.env = "RELAY_PORT_ACCESS",
     .flag = "port-access",
     .type = OPTION_INTEGER,
     OFFSET(port_access),
     .default_text = "3000",
     .min = 0,
     .max = 65535,
     .help = "TCP port of the access API; 0 takes a free one and logs it."},
    {.env = "RELAY_PORT_RELAY",
     .flag = "port-relay",
     .type = OPTION_INTEGER,
     OFFSET(port_relay),
     .default_text = "3001",
     .min = 0,
     .max = 65535,
     .help = "TCP port of the WebSockets; 0 takes a free one and logs it."},
    {.env = "RELAY_TLS_CERT",
     .flag = "tls-cert",
     .type = OPTION_TEXT,
     OFFSET(tls_cert),
     .default_text = "",
     .help = "PEM file with the certificate and its chain: both ports then speak TLS. Several, "
             "separated by "
             "commas, are chosen by server name (SNI), the first for unknown names. A name without "
             "a slash "
             "is looked for among the systemd credentials first. Read again on SIGHUP and when it "
             "changes."},
    {.env = "RELAY_TLS_KEY",
     .flag = "tls-key",
     .type = OPTION_TEXT,
     OFFSET(tls_key),
     .default_text = "",
     .help = "PEM file with the private key of the certificate; as many as certificates."},
    {.env = "RELAY_TLS_MIN",
     .flag = "tls-min",
     .type = OPTION_TEXT,
     OFFSET(tls_min),
     .default_text = "1.2",
     .help = "Oldest TLS version that is accepted: 1.2 or 1.3."},
    {.env = "RELAY_TLS_TICKETS",
     .flag = "tls-tickets",
     .type = OPTION_INTEGER,
     OFFSET(tls_tickets),
     .default_text = "2",
     .min = 0,
     .max = 8,
     .help = "Session tickets for each handshake, which make the next one cheaper; 0: none."},
    {.env = "RELAY_KTLS",
     .flag = "ktls",
     .type = OPTION_TEXT,
     OFFSET(ktls),
     .default_text = "auto",
     .help = "TLS records in the kernel: auto (where kernel and client allow), off, or require "
             "(refuse to "
             "start, and refuse clients, where it is not possible)."},
    {.env = "RELAY_WORKERS",
     .flag = "workers",
     .type = OPTION_INTEGER,
     OFFSET(workers),
     .default_text = "0",
     .min = 0,
     .max = WORKERS_MAX,
     .help = "Threads that serve connections; 0: one for each usable CPU."},
    {.env = "RELAY_CONNECTIONS_MAX",
     .flag = "connections-max",
     .type = OPTION_INTEGER,
     OFFSET(connections_max),
     .default_text = "65536",
     .min = 1,
     .max = 1000000,
     .help = "Connections at a time over all workers; more are closed at once and counted."},
    {.env = "RELAY_BUFFER_SIZE",
     .flag = "buffer-size",
     .type = OPTION_INTEGER,
     OFFSET(buffer_size),
     .default_text = "128",
     .min = INT32_MIN,
     .max = INT32_MAX,
     .help = "Messages that may wait for one slow viewer, 1 to 512; then its oldest are dropped. "
             "Another "
             "number becomes 256, with a warning."},
    {.env = "RELAY_QUEUE_BYTES",
     .flag = "queue-bytes",
     .type = OPTION_INTEGER,
     OFFSET(queue_bytes),
     .default_text = "16777216",
     .min = 65536,
     .max = 1073741824,
     .help = "Bytes that may wait for one slow viewer; then its oldest messages are dropped."},
    {.env = "RELAY_QUEUE_AGE",
     .flag = "queue-age",
     .type = OPTION_DURATION,
     OFFSET(queue_age_ms),
     .default_text = "5s",
     .min = 0,
     .max = HOUR_MS,
     .help = "Messages that waited longer for a slow viewer are dropped; 0: no limit."},
    {.env = "RELAY_MESSAGE_MEMORY",
     .flag = "message-memory",
     .type = OPTION_INTEGER,
     OFFSET(message_memory_mib),
     .default_text = "512",
     .min = 16,
     .max = 1048576,
     .help =
         "Memory for messages of all workers together, MiB; when it is used up, new messages are "
         "dropped and counted. Each worker has an equal part, at least 32 MiB."},
    {.env = "RELAY_TEXT_UTF8",
     .flag = "text-utf8",
     .type = OPTION_TEXT,
     OFFSET(text_utf8),
     .default_text = "check",
     .help =
         "Text messages that are not UTF-8: check closes their sender (1007), because they would "
         "disconnect every browser on the topic; pass relays them, as practable/relay does."},
    {.env = "RELAY_CODES_MAX",
     .flag = "codes-max",
     .type = OPTION_INTEGER,
     OFFSET(codes_max),
     .default_text = "65536",
     .min = 1,
     .max = 1048576,
     .help = "Unused one-time codes at a time, of one booking and topic a quarter of them; at the "
             "bound the access API answers 503."},
    {.env = "RELAY_CODE_TTL",
     .flag = "code-ttl",
     .type = OPTION_DURATION,
     OFFSET(code_ttl_ms),
     .default_text = "30s",
     .min = 100,
     .max = HOUR_MS,
     .help = "How long a one-time code may be used after it was given out."},
    {.env = "RELAY_STORE",
     .flag = "store",
     .type = OPTION_TEXT,
     OFFSET(store),
     .default_text = "",
     .help = "SQLite file that keeps denied and allowed bookings over restarts, or memory: they "
             "are forgotten. "
             "Empty: relay.db in $STATE_DIRECTORY (systemd) or /var/lib/relay. Where it cannot be "
             "written, denials are answered 503."},
    {.env = "RELAY_BOOKINGS_MAX",
     .flag = "bookings-max",
     .type = OPTION_INTEGER,
     OFFSET(bookings_max),
     .default_text = "65536",
     .min = 16,
     .max = 4194304,
     .help = "Denied, and allowed, bookings that are remembered at a time, until they expire."},
    {.env = "RELAY_TRUSTED_PROXIES",
     .flag = "trusted-proxies",
     .type = OPTION_TEXT,
     OFFSET(trusted_proxies),
     .default_text = "loopback",
     .help = "Addresses and networks (10.0.0.0/8, separated by commas) whose X-Forwarded-For is "
             "believed; none: nobody's."},
    {.env = "RELAY_CORS_ORIGINS",
     .flag = "cors-origins",
     .type = OPTION_TEXT,
     OFFSET(cors_origins),
     .default_text = "",
     .help = "Origins whose pages may use the access API (https://a.example, separated by commas), "
             "or *. Leave "
             "it empty behind a proxy that adds the headers itself."},
    {.env = "RELAY_SUBPROTOCOLS",
     .flag = "subprotocols",
     .type = OPTION_TEXT,
     OFFSET(subprotocols),
     .default_text = "null",
     .help = "Subprotocol that a WebSocket gets: null (that one, where it is offered, as with "
             "practable/relay), first (the first that is offered; for clients that insist on one), "
             "or none."},
    {.env = "RELAY_PRIVACY",
     .flag = "privacy",
     .type = OPTION_BOOLEAN,
     OFFSET(privacy),
     .default_text = "false",
     .help = "Leave addresses of clients out of the log and of reports."},
    {.env = "RELAY_HANDSHAKE_TIMEOUT",
     .flag = "handshake-timeout",
     .type = OPTION_DURATION,
     OFFSET(handshake_timeout_ms),
     .default_text = "10s",
     .min = 100,
     .max = HOUR_MS,
     .help = "A connection that has not sent a whole request by then is closed."},
    {.env = "RELAY_WRITE_TIMEOUT",
     .flag = "write-timeout",
     .type = OPTION_DURATION,
     OFFSET(write_timeout_ms),
     .default_text = "10s",
     .min = 100,
     .max = HOUR_MS,
     .help = "A viewer that takes no byte for so long while something is being sent is closed."},
    {.env = "RELAY_PING_INTERVAL",
     .flag = "ping-interval",
     .type = OPTION_DURATION,
     OFFSET(ping_interval_ms),
     .default_text = "25s",
     .min = 100,
     .max = HOUR_MS,
     .help = "Time between pings; a connection whose pong does not come within 10/9 of it is "
             "closed. Keep it below the idle timeout of proxies in front (HAProxy 50 s, nginx "
             "60 s) and of carriers (30 s)."},
    {.env = "RELAY_STATS_EVERY",
     .flag = "stats-every",
     .type = OPTION_DURATION,
     OFFSET(stats_every_ms),
     .default_text = "5s",
     .min = SECOND_MS,
     .max = 24 * (int64_t)HOUR_MS,
     .help = "Period of the reports on the stats topic."},
    {.env = "RELAY_TIDY_EVERY",
     .flag = "tidy-every",
     .type = OPTION_DURATION,
     OFFSET(tidy_every_ms),
     .default_text = "5m",
     .min = SECOND_MS,
     .max = 24 * (int64_t)HOUR_MS,
     .help = "Period in which expired entries of the booking lists are removed."},
    {.env = "RELAY_LOG_FILE",
     .flag = "log-file",
     .type = OPTION_TEXT,
     OFFSET(log_file),
     .default_text = "/var/log/relay/relay.log",
     .help = "Where log lines go: a file (opened again on SIGHUP), stdout or stderr. A file that "
             "cannot be "
             "opened: stderr."},
    {.env = "RELAY_LOG_FORMAT",
     .flag = "log-format",
     .type = OPTION_TEXT,
     OFFSET(log_format),
     .default_text = "json",
     .help = "json or text."},
    {.env = "RELAY_LOG_LEVEL",
     .flag = "log-level",
     .type = OPTION_TEXT,
     OFFSET(log_level),
     .default_text = "warn",
     .help = "trace, debug, info, warn, error, fatal or panic."},
};

const struct option_table serve_option_table = {
    .command = "relay serve",
    .synopsis = "Runs the relay: clients POST a token to the access API, get a one-time code, and "
                "join a topic\n"
                "over a WebSocket. SIGTERM and SIGINT end it after closing every connection "
                "(1001); SIGHUP opens\n"
                "the log file again; SIGUSR1 logs all counters.",
    .specs = specs,
    .specs_count = ARRAY_LENGTH(specs),
};

static int read_secret_file(struct server_config *config, char *error)
{
    char *secret;

    if (config->secret_file == NULL || config->secret_file[0] == '\0') {
        return 0;
    }
    int failed = secret_file_read_one(config->secret_file, &secret);

    if (failed != 0) {
        snprintf(error, OPTIONS_ERROR_SIZE, "cannot read RELAY_SECRET_FILE=%s: %s",
                 config->secret_file, secret_file_reason(failed));
        return failed;
    }
    if (config->secret != NULL) {
        bytes_wipe(config->secret, strlen(config->secret));
        free(config->secret);
    }
    config->secret = secret;
    return 0;
}

static bool is_one_of(const char *text, const char *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, values[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int check_tls(const struct server_config *config, char *error)
{
    static const char *const versions[] = {"1.2", "1.3"};
    static const char *const modes[] = {"auto", "off", "require"};

    if (!is_one_of(config->tls_min, versions, ARRAY_LENGTH(versions))) {
        snprintf(error, OPTIONS_ERROR_SIZE, "RELAY_TLS_MIN can be 1.2 or 1.3 but not %s",
                 config->tls_min);
        return -EINVAL;
    }
    if (!is_one_of(config->ktls, modes, ARRAY_LENGTH(modes))) {
        snprintf(error, OPTIONS_ERROR_SIZE, "RELAY_KTLS can be auto, off or require but not %s",
                 config->ktls);
        return -EINVAL;
    }
    if ((config->tls_cert[0] == '\0') != (config->tls_key[0] == '\0')) {
        snprintf(error, OPTIONS_ERROR_SIZE,
                 "RELAY_TLS_CERT and RELAY_TLS_KEY belong together: set both");
        return -EINVAL;
    }
    if (config->tls_cert[0] == '\0' && strcmp(config->ktls, "require") == 0) {
        snprintf(error, OPTIONS_ERROR_SIZE,
                 "RELAY_KTLS=require needs RELAY_TLS_CERT and RELAY_TLS_KEY");
        return -EINVAL;
    }
    return 0;
}

static int check_text(struct server_config *config, char *error)
{
    static const char *const modes[] = {"check", "pass"};

    if (!is_one_of(config->text_utf8, modes, ARRAY_LENGTH(modes))) {
        snprintf(error, OPTIONS_ERROR_SIZE, "RELAY_TEXT_UTF8 must be check or pass, not %s",
                 config->text_utf8);
        return -EINVAL;
    }
    config->text_is_checked = strcmp(config->text_utf8, "check") == 0;
    return 0;
}

static int check_subprotocols(const struct server_config *config, char *error)
{
    static const char *const values[] = {"null", "first", "none"};

    if (!is_one_of(config->subprotocols, values, ARRAY_LENGTH(values))) {
        snprintf(error, OPTIONS_ERROR_SIZE,
                 "RELAY_SUBPROTOCOLS must be null, first or none, not %s", config->subprotocols);
        return -EINVAL;
    }
    return 0;
}

static int check_url(const char *name, const char *text, enum public_url_kind kind, char *error)
{
    if (text == NULL || text[0] == '\0') {
        return 0; /* options_report_missing names it */
    }
    enum public_url_fault fault = public_url_check(text, kind);

    /* Tokens of today may name the audience with its slash: only the server's own URL is continued.
     */
    if (fault == PUBLIC_URL_OK || (fault == PUBLIC_URL_SLASH && kind == PUBLIC_URL_HTTP)) {
        return 0;
    }
    /* A blank would break the line or hide in it, and a password may stand behind the user. */
    bool is_shown = fault != PUBLIC_URL_BLANK && fault != PUBLIC_URL_USER;

    snprintf(error, OPTIONS_ERROR_SIZE, "%s%s%.300s %s", name, is_shown ? "=" : "",
             is_shown ? text : "", public_url_fault_text(fault, kind));
    return -EINVAL;
}

static int check_urls(const struct server_config *config, char *error)
{
    int failed = check_url("RELAY_AUDIENCE", config->audience, PUBLIC_URL_HTTP, error);

    return failed != 0 ? failed : check_url("RELAY_URL", config->url, PUBLIC_URL_WEBSOCKET, error);
}

static int check_names(const struct server_config *config, char *error)
{
    enum log_level level;

    if (log_level_parse(config->log_level, &level) != 0) {
        snprintf(
            error, OPTIONS_ERROR_SIZE,
            "RELAY_LOG_LEVEL can be trace, debug, info, warn, error, fatal or panic but not %s",
            config->log_level);
        return -EINVAL;
    }
    if (strcmp(config->log_format, "json") != 0 && strcmp(config->log_format, "text") != 0) {
        snprintf(error, OPTIONS_ERROR_SIZE, "RELAY_LOG_FORMAT can be json or text but not %s",
                 config->log_format);
        return -EINVAL;
    }
    return check_tls(config, error);
}

static int64_t usable_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    int count = CPU_COUNT(&set);

    return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : count;
}

int config_complete(struct server_config *config, char error[static OPTIONS_ERROR_SIZE])
{
    int failed = read_secret_file(config, error);

    if (config->buffer_size < 1 || config->buffer_size > BUFFER_SIZE_MAX) {
        config->buffer_size_replaced = true;
        config->buffer_size_asked = config->buffer_size;
        config->buffer_size = BUFFER_SIZE_REPLACEMENT;
    }

    if (failed == 0) {
        failed = check_urls(config, error);
    }
    if (failed == 0) {
        failed = check_names(config, error);
    }
    if (failed == 0) {
        failed = check_subprotocols(config, error);
    }
    if (failed == 0) {
        failed = check_text(config, error);
    }
    if (failed == 0 && config->workers == 0) {
        config->workers = usable_cpus();
    }
    return failed;
}
