/* Goal: relay status prints the topic's reports, and says why there is none. Method: a fake client
 * of the topic whose events and reports come at its start, as if from its thread. */
#include "cli/status/topic.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "client/relay_client.h"
#include "client/relay_status.h"

static struct status_settings settings;

/* In place of client/relay_status.c. */
struct relay_status {
    struct relay_status_callbacks callbacks;
};

static struct relay_status fake;
static struct relay_client_options made_with;
static void (*story)(void); /* told once the client is started */
static unsigned requested, destroyed;
static int start_result;
static bool created;

struct relay_status *relay_status_create(const struct relay_client_options *options,
                                         const struct relay_status_callbacks *callbacks,
                                         char error[RELAY_STATUS_ERROR_SIZE])
{
    made_with = *options;
    fake.callbacks = *callbacks;
    snprintf(error, RELAY_STATUS_ERROR_SIZE, "the location is invalid");
    return created ? &fake : NULL;
}

int relay_status_start(struct relay_status *status)
{
    if (start_result == 0 && story != NULL) {
        story();
    }
    return start_result;
}

int relay_status_request(struct relay_status *status)
{
    cr_expect_eq(status, &fake);
    requested++;
    return 0;
}

void relay_status_destroy(struct relay_status *status)
{
    cr_expect_eq(status, &fake);
    destroyed++;
}

static void report(const char *json)
{
    const struct relay_status_reports reports = {.json = json, .json_len = strlen(json)};

    fake.callbacks.on_reports(&reports, fake.callbacks.context);
}

static void event(enum relay_client_state state, enum relay_client_fault fault, const char *message)
{
    const struct relay_client_event said = {.state = state, .fault = fault, .message = message};

    fake.callbacks.on_event(&said, fake.callbacks.context);
}

static void start(void)
{
    static char session[] = "https://relay.example/session/stats";
    static char token[] = "eyJ.a.b";

    cr_redirect_stdout();
    cr_redirect_stderr();
    created = true;
    settings = (struct status_settings){
        .session = session, .token = token, .json = true, .timeout_ms = 3600000};
}

TestSuite(status_topic, .init = start);

static int run(void)
{
    int status = topic_run(&settings);

    fflush(stdout);
    fflush(stderr);
    return status;
}

static void one_report(void)
{
    event(RELAY_CLIENT_ACCESSING, RELAY_CLIENT_FAULT_NONE, "asking");
    event(RELAY_CLIENT_CONNECTED, RELAY_CLIENT_FAULT_NONE, "connected");
    report("[]");
}

Test(status_topic, prints_the_first_report_and_asks_for_it)
{
    story = one_report;
    cr_expect_eq(run(), 0);
    cr_expect_stdout_eq_str("[]\n");
    cr_expect_eq(requested, 1);
    cr_expect_eq(destroyed, 1);
    cr_expect_str_eq(made_with.location, settings.session);
    cr_expect_str_eq(made_with.token, "eyJ.a.b");
    cr_expect_not(made_with.no_reconnect, "a relay may come back within the time");
}

static void two_reports(void)
{
    report("[1]");
    report("[2]");
}

Test(status_topic, prints_the_latest_report_to_a_late_reader)
{
    story = two_reports;
    cr_expect_eq(run(), 0);
    cr_expect_stdout_eq_str("[2]\n");
}

static void refusal(void)
{
    event(RELAY_CLIENT_WAITING, RELAY_CLIENT_FAULT_REFUSED, "HTTP 403: wrong topic");
}

Test(status_topic, does_not_wait_after_a_refusal)
{
    story = refusal;
    cr_expect_eq(run(), 1);
    cr_expect_stderr_eq_str("relay status: no report: HTTP 403: wrong topic\n");
    cr_expect_eq(requested, 0);
}

static void missing_file(void)
{
    event(RELAY_CLIENT_WAITING, RELAY_CLIENT_FAULT_TOKEN_FILE, "the token file is empty");
}

Test(status_topic, does_not_wait_without_a_token)
{
    story = missing_file;
    cr_expect_eq(run(), 1);
    cr_expect_stderr_eq_str("relay status: no report: the token file is empty\n");
}

static void network_fault(void)
{
    event(RELAY_CLIENT_WAITING, RELAY_CLIENT_FAULT_CONNECT, "connection refused");
}

Test(status_topic, waits_for_a_relay_that_comes_back_and_then_gives_the_last_reason)
{
    story = network_fault;
    settings.timeout_ms = 1;
    cr_expect_eq(run(), 1);
    cr_expect_stderr_eq_str("relay status: no report: connection refused\n");
}

static void report_after_fault(void)
{
    network_fault();
    one_report();
}

Test(status_topic, forgets_a_fault_once_there_is_a_report)
{
    story = report_after_fault;
    cr_expect_eq(run(), 0);
    cr_expect_stdout_eq_str("[]\n");
}

Test(status_topic, says_that_none_came_in_time)
{
    settings.timeout_ms = 1;
    cr_expect_eq(run(), 1);
    cr_expect_stderr_eq_str("relay status: no report: connected, but none came in time\n");
}

static void malformed(void)
{
    fake.callbacks.on_malformed("the message is not JSON", fake.callbacks.context);
}

Test(status_topic, names_a_malformed_report_when_none_follows)
{
    story = malformed;
    settings.timeout_ms = 1;
    cr_expect_eq(run(), 1);
    cr_expect_stderr_eq_str("relay status: no report: the message is not JSON\n");
}

Test(status_topic, passes_on_why_it_cannot_be_made)
{
    created = false;
    cr_expect_eq(run(), 1);
    cr_expect_stderr_eq_str("relay status: the location is invalid\n");
    cr_expect_eq(destroyed, 0);
}

Test(status_topic, says_that_it_cannot_start)
{
    start_result = -EAGAIN;
    cr_expect_eq(run(), 1);
    cr_expect_stderr_eq_str("relay status: cannot start: Resource temporarily unavailable\n");
    cr_expect_eq(destroyed, 1);
}

/* The reader closes the pipe after the second report, which ends the command. */
static int reader_fd;
static pthread_t reader;
static char read_text[64];

static void *reader_run(void *context)
{
    size_t len = 0;

    for (unsigned i = 1; i <= 2; i++) {
        char json[8];

        snprintf(json, sizeof json, "[%u]", i);
        report(json);
        while (strchr(read_text, '0' + (char)i) == NULL) {
            ssize_t got = read(reader_fd, read_text + len, sizeof read_text - 1 - len);

            if (got <= 0) {
                return NULL;
            }
            len += (size_t)got;
        }
    }
    close(reader_fd);
    report("[3]");
    return NULL;
}

static void reader_start(void)
{
    cr_assert_eq(pthread_create(&reader, NULL, reader_run, NULL), 0);
}

Test(status_topic, prints_every_report_until_the_reader_leaves)
{
    int fds[2];

    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(pipe(fds), 0);
    reader_fd = fds[0];
    cr_assert_geq(dup2(fds[1], STDOUT_FILENO), 0);
    close(fds[1]);
    settings.watch = true;
    story = reader_start;
    cr_expect_eq(topic_run(&settings), 1);
    cr_assert_eq(pthread_join(reader, NULL), 0);
    cr_expect_str_eq(read_text, "[1]\n[2]\n");
}
