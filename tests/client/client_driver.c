/* Drives one relay_client from a script: options as key=value arguments, commands as lines on
 * stdin, answers, events and messages as JSON lines on stdout. For tests/client/test_*.py. */
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "base/check.h"
#include "base/clock.h"
#include "client/relay_client.h"

struct driver {
    struct relay_client *client;
    bool echo; /* each message is sent back, and not told on stdout */
    pthread_mutex_t output_mutex;
};

static void output(struct driver *driver, json_t *line)
{
    pthread_mutex_lock(&driver->output_mutex);
    json_dumpf(line, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    fputc('\n', stdout);
    fflush(stdout);
    pthread_mutex_unlock(&driver->output_mutex);
    json_decref(line);
}

static void on_event(const struct relay_client_event *event, void *context)
{
    output(context, json_pack("{s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:s, s:I}", "event",
                              relay_client_state_text(event->state), "previous",
                              relay_client_state_text(event->previous_state), "fault",
                              relay_client_fault_text(event->fault), "status", event->http_status,
                              "close", event->close_code, "attempt", (json_int_t)event->attempt,
                              "retry_ms", (json_int_t)event->retry_in_ms, "text", event->message,
                              "at_ms", (json_int_t)clock_monotonic_ms()));
}

static uint32_t checksum(const uint8_t *data, size_t len)
{
    uint32_t sum = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < len; i++) {
        sum = (sum ^ data[i]) * 16777619u;
    }
    return sum;
}

static void on_message(enum relay_client_type type, const void *data, size_t len, void *context)
{
    struct driver *driver = context;

    if (driver->echo) {
        CHECK(relay_client_send(driver->client, type, data, len, 0) == 0);
        return;
    }
    output(driver,
           json_pack("{s:s, s:I, s:I}", "message", type == RELAY_CLIENT_TEXT ? "text" : "binary",
                     "len", (json_int_t)len, "sum", (json_int_t)checksum(data, len)));
}

static void on_keyframe_wanted(void *context)
{
    output(context, json_pack("{s:b}", "keyframe_wanted", 1));
}

static enum relay_client_drop drop_parse(const char *name)
{
    static const char *const names[] = {"none", "oldest", "newest", "keyframe"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return (enum relay_client_drop)i;
        }
    }
    fprintf(stderr, "unknown drop policy %s\n", name);
    exit(2);
}

static void option_set(struct relay_client_options *options, const char *key, const char *value)
{
    const struct {
        const char *key;
        const char **target;
    } texts[] = {{"location", &options->location},     {"token", &options->token},
                 {"token_file", &options->token_file}, {"ca_file", &options->ca_file},
                 {"proxy", &options->proxy},           {"user_agent", &options->user_agent}};
    const struct {
        const char *key;
        uint32_t *target;
    } numbers[] = {{"reconnect_delay_ms", &options->reconnect_delay_ms},
                   {"reconnect_delay_max_ms", &options->reconnect_delay_max_ms},
                   {"connect_timeout_ms", &options->connect_timeout_ms},
                   {"stall_timeout_ms", &options->stall_timeout_ms},
                   {"ping_interval_ms", &options->ping_interval_ms},
                   {"queue_messages_max", &options->queue_messages_max}};
    const struct {
        const char *key;
        bool *target;
    } flags[] = {{"insecure", &options->insecure},
                 {"no_reconnect", &options->no_reconnect},
                 {"no_pings", &options->no_pings},
                 {"queue_while_disconnected", &options->queue_while_disconnected}};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        if (strcmp(texts[i].key, key) == 0) {
            *texts[i].target = value;
            return;
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        if (strcmp(numbers[i].key, key) == 0) {
            *numbers[i].target = (uint32_t)strtoul(value, NULL, 10);
            return;
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
        if (strcmp(flags[i].key, key) == 0) {
            *flags[i].target = strcmp(value, "1") == 0;
            return;
        }
    }
    if (strcmp(key, "retries_max") == 0) {
        options->retries_max = (int)strtol(value, NULL, 10);
    } else if (strcmp(key, "queue_bytes_max") == 0) {
        options->queue_bytes_max = strtoull(value, NULL, 10);
    } else if (strcmp(key, "queue_age_max_ms") == 0) {
        options->queue_age_max_ms = strtoull(value, NULL, 10);
    } else if (strcmp(key, "receive_queue_bytes_max") == 0) {
        options->receive_queue_bytes_max = strtoull(value, NULL, 10);
    } else if (strcmp(key, "receive_age_max_ms") == 0) {
        options->receive_age_max_ms = strtoull(value, NULL, 10);
    } else if (strcmp(key, "drop") == 0) {
        options->drop = drop_parse(value);
    } else {
        fprintf(stderr, "unknown option %s\n", key);
        exit(2);
    }
}

/* COUNT messages of SIZE bytes: eight digits of their number, then bytes made from it. */
static void send_many(struct driver *driver, const char *arguments)
{
    char type[16] = "", mark[16] = "";
    unsigned first = 0, count = 0, size = 0, accepted = 0;
    int last = 0;

    sscanf(arguments, "%15s %u %u %u %15s", type, &first, &count, &size, mark);
    uint8_t *data = malloc(size + 9);

    for (unsigned i = first; i < first + count; i++) {
        int head = snprintf((char *)data, 9, "%08u", i);

        for (unsigned j = (unsigned)head; j < size; j++) {
            data[j] = (uint8_t)('a' + (i + j) % 26);
        }
        last = relay_client_send(
            driver->client, strcmp(type, "text") == 0 ? RELAY_CLIENT_TEXT : RELAY_CLIENT_BINARY,
            data, size, mark[0] == 'r' ? RELAY_CLIENT_RANDOM_ACCESS : 0);
        accepted += last == 0;
    }
    free(data);
    output(driver, json_pack("{s:i, s:i}", "accepted", (int)accepted, "result", last));
}

/* TYPE HEX: one message of just these bytes. */
static void send_bytes(struct driver *driver, const char *arguments)
{
    char type[16] = "";
    int used = 0;

    sscanf(arguments, "%15s %n", type, &used);
    const char *hex = arguments + used;
    size_t len = strlen(hex) / 2;
    uint8_t *data = malloc(len + 1);

    for (size_t i = 0; i < len; i++) {
        unsigned byte = 0;

        sscanf(hex + 2 * i, "%2x", &byte);
        data[i] = (uint8_t)byte;
    }
    int result = relay_client_send(
        driver->client, strcmp(type, "text") == 0 ? RELAY_CLIENT_TEXT : RELAY_CLIENT_BINARY, data,
        len, 0);

    free(data);
    output(driver, json_pack("{s:i, s:i}", "accepted", result == 0, "result", result));
}

static void show_statistics(struct driver *driver)
{
    struct relay_client_statistics s;

    relay_client_statistics(driver->client, &s);
    output(driver,
           json_pack(
               "{s:s, s:I, s:I, s:s, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
               "s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
               "state", relay_client_state_text(s.state), "connects", (json_int_t)s.connects,
               "connect_failures", (json_int_t)s.connect_failures, "last_fault",
               relay_client_fault_text(s.last_fault), "last_http_status", s.last_http_status,
               "last_error", s.last_error, "messages_sent", (json_int_t)s.messages_sent,
               "bytes_sent", (json_int_t)s.bytes_sent, "messages_received",
               (json_int_t)s.messages_received, "messages_dropped", (json_int_t)s.messages_dropped,
               "drops_disconnected", (json_int_t)s.drops_disconnected, "drops_overflow",
               (json_int_t)s.drops_overflow, "drops_age", (json_int_t)s.drops_age, "queue_messages",
               (json_int_t)s.queue_messages, "queue_bytes", (json_int_t)s.queue_bytes,
               "kernel_unsent_bytes", (json_int_t)s.kernel_unsent_bytes, "rtt_ns",
               (json_int_t)s.rtt_ns, "connected_ns", (json_int_t)s.connected_ns,
               "send_latency_max_ns", (json_int_t)s.send_latency_max_ns, "receive_queue_messages",
               (json_int_t)s.receive_queue_messages, "receive_drops_age",
               (json_int_t)s.receive_drops_age, "receive_drops_overflow",
               (json_int_t)s.receive_drops_overflow));
}

/* MS: the next message, as text, or the result of waiting for it that long. */
static void receive(struct driver *driver, const char *arguments)
{
    struct relay_client_message *message = NULL;
    int result =
        relay_client_receive(driver->client, (uint32_t)strtoul(arguments, NULL, 10), &message);

    if (result != 0) {
        output(driver, json_pack("{s:i}", "received", result));
        return;
    }
    output(driver, json_pack("{s:i, s:s, s:s%, s:b, s:I}", "received", 0, "type",
                             message->type == RELAY_CLIENT_TEXT ? "text" : "binary", "text",
                             message->data, message->len, "gap", message->gap, "age_us",
                             (json_int_t)((clock_monotonic_ns() - message->received_ns) / 1000)));
    relay_client_message_destroy(message);
}

/* Runs a call that may wait and tells its result and time. */
static void timed(struct driver *driver, const char *command, const char *arguments)
{
    uint64_t begin_ns = clock_monotonic_ns();
    unsigned a = 0, b = 0, c = 0;
    int result = 0;

    sscanf(arguments, "%u %u %u", &a, &b, &c);
    if (strcmp(command, "start") == 0) {
        result = relay_client_start(driver->client);
    } else if (strcmp(command, "stop") == 0) {
        relay_client_stop(driver->client, a);
    } else if (strcmp(command, "drain") == 0) {
        result = relay_client_drain(driver->client, a);
    } else if (strcmp(command, "wait_room") == 0) {
        result = relay_client_wait_room(driver->client, a, b != 0, c);
    } else if (strcmp(command, "flush") == 0) {
        relay_client_flush(driver->client);
    } else if (strcmp(command, "cancel") == 0) {
        relay_client_cancel_waits(driver->client, a != 0);
    } else if (strcmp(command, "set_receive_queue") == 0) {
        relay_client_set_receive_queue(driver->client, a, b);
    } else if (strcmp(command, "token") == 0) {
        result = relay_client_set_token(driver->client, arguments);
    } else if (strcmp(command, "destroy") == 0) {
        relay_client_destroy(driver->client);
        driver->client = NULL;
    } else {
        result = -999;
    }
    output(driver, json_pack("{s:s, s:i, s:I}", "done", command, "result", result, "us",
                             (json_int_t)((clock_monotonic_ns() - begin_ns) / 1000)));
}

static void command_run(struct driver *driver, char *line)
{
    char *arguments = line + strcspn(line, " ");

    if (*arguments != '\0') {
        *arguments++ = '\0';
    }
    if (strcmp(line, "send") == 0) {
        send_many(driver, arguments);
    } else if (strcmp(line, "send_bytes") == 0) {
        send_bytes(driver, arguments);
    } else if (strcmp(line, "stats") == 0) {
        show_statistics(driver);
    } else if (strcmp(line, "receive") == 0) {
        receive(driver, arguments);
    } else {
        timed(driver, line, arguments);
    }
}

int main(int argc, char **argv)
{
    struct driver driver = {.output_mutex = PTHREAD_MUTEX_INITIALIZER};
    struct relay_client_options options = {0};
    struct relay_client_callbacks callbacks = {.on_event = on_event,
                                               .on_message = on_message,
                                               .on_keyframe_wanted = on_keyframe_wanted,
                                               .context = &driver};
    char error[RELAY_CLIENT_ERROR_SIZE];
    char line[16384];

    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');

        if (equals == NULL) {
            return 2;
        }
        *equals = '\0';
        if (strcmp(argv[i], "echo") == 0) {
            driver.echo = strcmp(equals + 1, "1") == 0;
            continue;
        }
        option_set(&options, argv[i], equals + 1);
    }
    driver.client = relay_client_create(&options, &callbacks, error);
    if (driver.client == NULL) {
        output(&driver, json_pack("{s:s}", "error", error));
        return 1;
    }
    while (driver.client != NULL && fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        command_run(&driver, line);
    }
    relay_client_destroy(driver.client);
    return 0;
}
