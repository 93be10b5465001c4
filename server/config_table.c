#include "server/config_table.h"

#include <stddef.h>
#include <string.h>

#include "base/attributes.h"
#include "base/check.h"
#include "base/options/log_choices.h"
#include "server/access/access.h"
#include "server/loop/worker.h"
#include "server/placement/placement.h"
#include "server/stats/topic_counts.h"

#define OFFSET(member) .offset = offsetof(struct server_config, member)

enum { SECOND_MS = 1000, HOUR_MS = 3600 * 1000 };

#define CHOICES(of)                                                                                \
    {                                                                                              \
        .list = (of), .count = ARRAY_LENGTH(of)                                                    \
    }

static const struct option_choice tls_mins[] = {
    {.name = "1.2", .value = CONFIG_TLS_1_2},
    {.name = "1.3", .value = CONFIG_TLS_1_3},
};
static const struct option_choices tls_min_choices = CHOICES(tls_mins);

static const struct option_choice ktls_modes[] = {
    {.name = "auto", .value = CONFIG_KTLS_AUTO},
    {.name = "off", .value = CONFIG_KTLS_OFF},
    {.name = "require", .value = CONFIG_KTLS_REQUIRE},
};
static const struct option_choices ktls_choices = CHOICES(ktls_modes);

static const struct option_choice placements[] = {
    {.name = "accept", .value = PLACEMENT_ACCEPT},
    {.name = "topic", .value = PLACEMENT_TOPIC},
};
static const struct option_choices placement_choices = CHOICES(placements);

static const struct option_choice text_utf8_modes[] = {
    {.name = "check", .value = CONFIG_TEXT_UTF8_CHECK},
    {.name = "pass", .value = CONFIG_TEXT_UTF8_PASS},
};
static const struct option_choices text_utf8_choices = CHOICES(text_utf8_modes);

static const struct option_choice subprotocols[] = {
    {.name = "null", .value = ACCESS_SUBPROTOCOLS_NULL},
    {.name = "first", .value = ACCESS_SUBPROTOCOLS_FIRST},
    {.name = "none", .value = ACCESS_SUBPROTOCOLS_NONE},
};
static const struct option_choices subprotocol_choices = CHOICES(subprotocols);

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
    {.env = "RELAY_ADMIN_LISTEN",
     .flag = "admin-listen",
     .type = OPTION_TEXT,
     OFFSET(admin_listen),
     .default_text = "127.0.0.1:3002",
     .help = "Where metrics, health and the page for operators are served, without a password: "
             "address:port, or the path of a Unix socket (/run/relay/admin.sock); off: nowhere. "
             "Where the default is taken, the relay warns and goes on without."},
    {.env = "RELAY_ADMIN_HOSTS",
     .flag = "admin-hosts",
     .type = OPTION_TEXT,
     OFFSET(admin_hosts),
     .default_text = "",
     .help = "Names, separated by commas, by which the admin listener may be addressed, besides "
             "numeric addresses, localhost and names without a dot; others are refused, because "
             "any web site could make its name lead here."},
    {.env = "RELAY_METRICS_TOPICS",
     .flag = "metrics-topics",
     .type = OPTION_INTEGER,
     OFFSET(metrics_topics),
     .default_text = "100",
     .min = 0,
     .max = TOPIC_COUNTS_NAMED_MAX - 1, /* and the topic stats */
     .help = "Topics that have metrics of their own, the first ones; further ones are counted "
             "together, as other."},
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
     .type = OPTION_CHOICE,
     OFFSET(tls_min),
     .default_text = "1.2",
     .choices = &tls_min_choices,
     .help = "Oldest TLS version that is accepted."},
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
     .type = OPTION_CHOICE,
     OFFSET(ktls),
     .default_text = "auto",
     .choices = &ktls_choices,
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
    {.env = "RELAY_PLACEMENT",
     .flag = "placement",
     .type = OPTION_CHOICE,
     OFFSET(placement),
     .default_text = "topic",
     .choices = &placement_choices,
     .help =
         "Worker that serves a WebSocket: accept (the one that accepted it, by chance) or topic "
         "(small topics stay on one worker each, large ones are spread evenly; a WebSocket moves "
         "there when it is admitted)."},
    {.env = "RELAY_CONNECTIONS_MAX",
     .flag = "connections-max",
     .type = OPTION_INTEGER,
     OFFSET(connections_max),
     .default_text = "65536",
     .min = 1,
     .max = 1000000,
     .help =
         "Connections at a time over all workers. For more, the oldest that is no WebSocket makes "
         "room; without one the new one is closed at once. Both are counted."},
    {.env = "RELAY_BUFFER_SIZE",
     .flag = "buffer-size",
     .type = OPTION_INTEGER,
     OFFSET(buffer_size),
     .default_text = "128",
     .min = INT32_MIN,
     .max = INT32_MAX,
     .help =
         "Messages that may wait for one slow viewer, 1 to 512; then its oldest are dropped. Of "
         "a transport stream its age and bytes count instead. Another number becomes 256, with "
         "a warning."},
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
     .help = "Data that waited longer for a slow viewer is dropped; 0: no limit. Viewers may ask "
             "for less (max-age)."},
    {.env = "RELAY_MAX_AGE",
     .flag = "max-age",
     .type = OPTION_DURATION,
     OFFSET(max_age_ms),
     .default_text = "1s",
     .min = 0,
     .max = HOUR_MS,
     .help =
         "Pictures that waited longer for a slow viewer are skipped: it goes on at the next key "
         "picture of a transport stream, or with the newest JPEG; 0: no limit. Viewers may ask "
         "for less (max-age)."},
    {.env = "RELAY_DATA_LOSSES",
     .flag = "data-losses",
     .type = OPTION_INTEGER,
     OFFSET(data_losses_max),
     .default_text = "0",
     .min = 0,
     .max = 1000000000,
     .help = "Messages of data that a slow viewer may lose in a minute; one that loses more is "
             "closed with 1008. 0: any number."},
    {.env = "RELAY_TOPIC_POLICY",
     .flag = "topic-policy",
     .type = OPTION_TEXT,
     OFFSET(topic_policy),
     .default_text = "",
     .help = "What slow viewers lose and joining ones get, by topic: pattern=policy, separated by "
             "commas; * and ? in a pattern as in the shell; the first that fits counts. Policies: "
             "auto (by what the messages are), video (the same, however late video begins), latest "
             "(only the last message is of use), data (oldest messages first). The reports on the "
             "topic stats are data always. With +exclusive behind the policy, or exclusive for "
             "auto+exclusive, one booking at a time may publish: the first that sends, until it "
             "goes, is silent or gives it back."},
    {.env = "RELAY_EXCLUSIVE_IDLE",
     .flag = "exclusive-idle",
     .type = OPTION_DURATION,
     OFFSET(exclusive_idle_ms),
     .default_text = "30s",
     .min = 0,
     .max = HOUR_MS,
     .help = "Silence after which a booking that has control of an exclusive topic loses it; 0: "
             "never."},
    {.env = "RELAY_GOP_CACHE_BYTES",
     .flag = "gop-cache-bytes",
     .type = OPTION_INTEGER,
     OFFSET(gop_cache_bytes),
     .default_text = "4194304",
     .min = 0,
     .max = 1073741824,
     .help = "Bytes of each topic's video, from the newest key picture on, that are kept for "
             "viewers that join; more: that picture alone. 0: nothing is kept."},
    {.env = "RELAY_GOP_CACHE_TIME",
     .flag = "gop-cache-time",
     .type = OPTION_DURATION,
     OFFSET(gop_cache_time_ms),
     .default_text = "10s",
     .min = 0,
     .max = HOUR_MS,
     .help = "Video that is kept for viewers that join; where the newest key picture is older: "
             "that picture alone."},
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
    {.env = "RELAY_PUBLISH_RATE",
     .flag = "publish-rate",
     .type = OPTION_TEXT,
     OFFSET(publish_rate),
     .default_text = "",
     .help =
         "What each connection may publish on average, as bytes,messages,burst: 4M,200,10s is 4 "
         "million bytes and 200 messages a second, and what these allow in 10 s may come at "
         "once (k, M, G are powers of 1000; 0: no bound; the burst may be left out, and the "
         "messages). Faster ones are closed with 1008. Empty: no bound."},
    {.env = "RELAY_TEXT_UTF8",
     .flag = "text-utf8",
     .type = OPTION_CHOICE,
     OFFSET(text_utf8),
     .default_text = "check",
     .choices = &text_utf8_choices,
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
             "believed; none: of no address."},
    {.env = "RELAY_CORS_ORIGINS",
     .flag = "cors-origins",
     .type = OPTION_TEXT,
     OFFSET(cors_origins),
     .default_text = "",
     .help = "Origins whose pages may use the access API (https://a.example, separated by commas), "
             "or *. Leave "
             "it empty behind a proxy that adds the headers itself."},
    {.env = "RELAY_WATCH_PAGE",
     .flag = "watch-page",
     .type = OPTION_BOOLEAN,
     OFFSET(watch_page),
     .default_text = "false",
     .help =
         "Offer a page at /watch of the access API that shows a topic in a browser; relay token "
         "--watch prints links to it. Topic and token stand behind the # of the address, so "
         "that no log has them."},
    {.env = "RELAY_SUBPROTOCOLS",
     .flag = "subprotocols",
     .type = OPTION_CHOICE,
     OFFSET(subprotocols),
     .default_text = "null",
     .choices = &subprotocol_choices,
     .help = "Subprotocol that a WebSocket gets: null (that one, where it is offered, as with "
             "practable/relay), first (the first that is offered; for clients that insist on one), "
             "or none. With null and first, clients that offer relay.v1 get that."},
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
    {.env = "RELAY_DRAIN_TIME",
     .flag = "drain-time",
     .type = OPTION_DURATION,
     OFFSET(drain_time_ms),
     .default_text = "0s",
     .min = 0,
     .max = HOUR_MS,
     .help = "After SIGTERM no client is let in any more, and viewers are closed (1001) one after "
             "another over this time, publishers at its end; 0: all at once. A second signal ends "
             "the wait. The service manager must allow more (TimeoutStopSec)."},
    {.env = "RELAY_HANDOVER_DRAIN",
     .flag = "handover-drain",
     .type = OPTION_DURATION,
     OFFSET(handover_drain_ms),
     .default_text = "30s",
     .min = 0,
     .max = HOUR_MS,
     .help =
         "After a hand-over, time that the old program has for what it could not hand over: it "
         "closes WebSockets (1001) within a tenth of it, and answers requests until its end; 0: "
         "it ends at once."},
    {.env = "RELAY_CONFIG",
     .flag = "config",
     .type = OPTION_TEXT,
     OFFSET(config_file),
     .default_text = "",
     .help = "File of these options, NAME=value lines as systemd's EnvironmentFile has them; the "
             "environment and flags win over it. Read again on SIGHUP."},
    {.env = "RELAY_CHECK_CONFIG",
     .flag = "check-config",
     .type = OPTION_BOOLEAN,
     OFFSET(check_config),
     .default_text = "false",
     .help = "Checks the options with the keys and certificates that they name, says whether they "
             "are valid, and ends."},
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
     .type = OPTION_CHOICE,
     OFFSET(log_format),
     .default_text = "json",
     .choices = &log_format_choices_old,
     .help = "Form of the log lines."},
    {.env = "RELAY_LOG_LEVEL",
     .flag = "log-level",
     .type = OPTION_CHOICE,
     OFFSET(log_level),
     .default_text = "warn",
     .choices = &log_level_choices_old,
     .help = "Log lines of this level and of more severe ones are written."},
};

_Static_assert(ARRAY_LENGTH(specs) <= CONFIG_OPTIONS_MAX, "each has its origin");

const struct option_table serve_option_table = {
    .command = "relay serve",
    .summary = "run the relay: access API and WebSocket listeners",
    .synopsis = "Runs the relay: clients POST a token to the access API, get a one-time code, and "
                "join a topic\n"
                "over a WebSocket. SIGTERM and SIGINT end it after closing every connection "
                "(1001); SIGHUP opens\n"
                "the log file again; SIGUSR1 logs all counters; SIGUSR2 starts the program file as "
                "it is now\n"
                "and hands over to it.",
    .specs = specs,
    .specs_count = ARRAY_LENGTH(specs),
};

const struct option_spec *config_table_spec(const char *env)
{
    size_t i = 0;

    while (i < ARRAY_LENGTH(specs) && strcmp(specs[i].env, env) != 0) {
        i++;
    }
    CHECK(i < ARRAY_LENGTH(specs));
    return &specs[i];
}

bool config_table_is_default(const struct server_config *config, const char *env)
{
    return config->origins[config_table_spec(env) - specs] == OPTION_ORIGIN_DEFAULT;
}
