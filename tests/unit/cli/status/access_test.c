/* Goal: relay status --access asks the right URL with a token, and each answer becomes a report or
 * one line with the reason. Method: the request is the test's; output is compared. */
#include "cli/status/access.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "client/net/http_get.h"
#include "client/relay_status.h"

static struct status_settings settings;

/* In place of client/net/http_get.c. */
static struct http_get asked;
static char asked_token[64];
static unsigned requests;
static int answer_status = 200;
static const char *answer_body; /* NULL: there is no answer */

enum progress http_get(const struct http_get *get, struct http_get_answer *ret_answer,
                       struct fault *fault)
{
    requests++;
    asked = *get;
    snprintf(asked_token, sizeof asked_token, "%s", get->token);
    if (answer_body == NULL) {
        fault_set(fault, RELAY_CLIENT_FAULT_CONNECT, "connection refused");
        return PROGRESS_FAILED;
    }
    *ret_answer = (struct http_get_answer){
        .status = answer_status, .body = strdup(answer_body), .body_len = strlen(answer_body)};
    return PROGRESS_DONE;
}

void http_get_answer_release(struct http_get_answer *answer)
{
    free(answer->body);
}

static void start(void)
{
    static char access[] = "https://relay.example/access";
    static char token[] = "eyJ.a.b";

    cr_redirect_stdout();
    cr_redirect_stderr();
    settings = (struct status_settings){
        .access = access, .token = token, .json = true, .timeout_ms = 15000};
    answer_body = "[]";
}

TestSuite(status_access, .init = start);

static int run(void)
{
    int status = access_run(&settings);

    fflush(stdout);
    fflush(stderr);
    return status;
}

static void run_and_fail(const char *reason)
{
    cr_expect_eq(run(), 1);
    cr_expect_stderr_eq_str(reason);
}

Test(status_access, asks_for_status_below_the_audience)
{
    cr_assert_eq(run(), 0);
    cr_expect_stdout_eq_str("[]\n");
    cr_expect_eq(requests, 1);
    cr_expect_str_eq(asked.url.host, "relay.example");
    cr_expect_str_eq(asked.url.target, "/access/status");
    cr_expect(asked.url.tls);
    cr_expect_str_eq(asked_token, "eyJ.a.b");
    cr_expect_eq(asked.timeout_ms, 15000);
    cr_expect_eq(asked.body_bytes_max, RELAY_STATUS_BYTES_MAX);
    cr_expect_null(asked.ca_file);
}

Test(status_access, takes_an_audience_with_slashes_behind_it)
{
    settings.access = (char[]){"https://relay.example:8443//"};
    settings.ca_file = (char[]){"ca.pem"};
    cr_assert_eq(run(), 0);
    cr_expect_str_eq(asked.url.target, "/status");
    cr_expect_str_eq(asked.ca_file, "ca.pem");
}

Test(status_access, refuses_other_schemes)
{
    settings.access = (char[]){"wss://relay.example"};
    cr_expect_eq(run(), 1);
    cr_expect_eq(requests, 0);
    settings.access = (char[]){"relay.example"};
    cr_expect_eq(run(), 1);
    cr_expect_eq(requests, 0);
}

/* A token that crosses the network in the clear is anybody's. */
Test(status_access, is_encrypted_unless_loopback_or_told)
{
    static const struct {
        const char *access;
        bool insecure;
        unsigned requests;
    } cases[] = {
        {"http://relay.example", false, 0}, {"http://127.0.0.1:3000", false, 1},
        {"http://[::1]:3000", false, 1},    {"http://localhost:3000", false, 1},
        {"http://relay.example", true, 1},  {"https://relay.example", false, 1},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char access[64];

        snprintf(access, sizeof access, "%s", cases[i].access);
        settings.access = access;
        settings.insecure = cases[i].insecure;
        requests = 0;
        cr_expect_eq(run(), cases[i].requests > 0 ? 0 : 1, "%s", access);
        cr_expect_eq(requests, cases[i].requests, "%s", access);
    }
}

Test(status_access, refuses_what_is_no_token_before_asking)
{
    settings.token = (char[]){"a\nb"};
    run_and_fail("relay status: no report: RELAY_STATUS_TOKEN is not a token\n");
    cr_expect_eq(requests, 0);
}

Test(status_access, takes_the_token_from_a_file)
{
    char path[] = "/tmp/relay-status-test-XXXXXX";
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, "eyJ.c.d\n", 8), 8);
    close(fd);
    settings.token = NULL;
    settings.token_file = path;
    cr_expect_eq(run(), 0);
    cr_expect_str_eq(asked_token, "eyJ.c.d");
    unlink(path);
    cr_expect_eq(run(), 1);
    cr_expect_eq(requests, 1, "without a token nothing is asked");
}

Test(status_access, says_why_there_is_no_answer)
{
    answer_body = NULL;
    run_and_fail("relay status: no report: connection refused\n");
}

Test(status_access, shows_the_first_line_of_a_refusal_harmlessly)
{
    answer_status = 401;
    answer_body = "token \033[2Jexpired\nmore";
    cr_expect_eq(run(), 1);
    char text[256] = "";
    size_t len = fread(text, 1, sizeof text - 1, cr_get_redirected_stderr());

    cr_assert_gt(len, 0);
    cr_expect_null(memchr(text, '\033', len));
    cr_expect_null(strstr(text, "more"));
    cr_expect_eq(strncmp(text, "relay status: no report: HTTP 401: token ", 41), 0, "%s", text);
}

Test(status_access, says_that_an_answer_is_no_report)
{
    answer_body = "{}";
    run_and_fail("relay status: no report: the response contains none\n");
}

Test(status_access, fails_on_malformed_reports)
{
    answer_body = "[1";
    cr_expect_eq(run(), 1);
    char text[256] = "";

    cr_expect_gt(fread(text, 1, sizeof text - 1, cr_get_redirected_stderr()), 0);
    cr_expect_eq(strncmp(text, "relay status: no report: ", 25), 0, "%s", text);
}
