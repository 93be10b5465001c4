/* Goal: what is fed arrives as reports of a relay do. Method: a client without options. The way
 * over the network is in tests/client/test_status.py. */
#include "client/relay_status.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "client/relay_client.h"

struct heard {
    unsigned reports, malformed;
    size_t connections;
    char topic[32];
    char json[128];
    char reason[RELAY_STATUS_ERROR_SIZE];
};

static void on_reports(const struct relay_status_reports *reports, void *context)
{
    struct heard *heard = context;

    heard->reports++;
    heard->connections += reports->count;
    snprintf(heard->json, sizeof heard->json, "%.*s", (int)reports->json_len, reports->json);
    if (reports->count > 0) {
        snprintf(heard->topic, sizeof heard->topic, "%s", reports->list[0].topic);
    }
}

static void on_malformed(const char *reason, void *context)
{
    struct heard *heard = context;

    heard->malformed++;
    snprintf(heard->reason, sizeof heard->reason, "%s", reason);
}

static struct relay_status *fed_only(struct heard *heard)
{
    const struct relay_status_callbacks callbacks = {
        .on_reports = on_reports, .on_malformed = on_malformed, .context = heard};
    char error[RELAY_STATUS_ERROR_SIZE] = "";
    struct relay_status *status;

    *heard = (struct heard){0};
    status = relay_status_create(NULL, &callbacks, error);
    cr_assert_not_null(status, "%s", error);
    return status;
}

Test(relay_status, delivers_what_it_is_fed)
{
    static const struct {
        const char *json;
        int result;
        unsigned reports, malformed;
        size_t connections;
    } cases[] = {
        {"[{\"topic\":\"t0\"},{\"topic\":\"t1\"}]", 0, 1, 0, 2},
        {"[]", 0, 1, 0, 0},
        {"", 0, 0, 0, 0},
        {"{\"cmd\":\"update\"}", 0, 0, 0, 0},
        {"{\"cmd\":\"update\"}[{\"topic\":\"t0\"}]\n[{\"topic\":\"t0\"}]", 0, 2, 0, 2},
        {"[{\"topic\":\"t0\"}]broken", -EBADMSG, 1, 1, 1},
        {"[{\"topic\":0}][{\"topic\":\"t0\"}]", -EBADMSG, 0, 1, 0},
        {"nonsense", -EBADMSG, 0, 1, 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct heard heard;
        struct relay_status *status = fed_only(&heard);

        cr_expect_eq(relay_status_feed(status, cases[i].json, strlen(cases[i].json)),
                     cases[i].result, "%s", cases[i].json);
        cr_expect_eq(heard.reports, cases[i].reports, "%s", cases[i].json);
        cr_expect_eq(heard.malformed, cases[i].malformed, "%s", cases[i].json);
        cr_expect_eq(heard.connections, cases[i].connections, "%s", cases[i].json);
        cr_expect_str_eq(heard.topic, cases[i].connections > 0 ? "t0" : "", "%s", cases[i].json);
        relay_status_destroy(status);
    }
}

Test(relay_status, refuses_what_holds_a_nul)
{
    static const char json[] = "[{\"canRead\":true,\"n\":false\0}]";
    struct heard heard;
    struct relay_status *status = fed_only(&heard);

    cr_assert_eq(relay_status_feed(status, json, sizeof json - 1), -EBADMSG);
    cr_assert_eq(heard.reports, 0);
    cr_assert_str_eq(heard.reason, "not JSON: it holds a NUL");
    relay_status_destroy(status);
}

Test(relay_status, hands_the_text_of_each_report_on)
{
    const char *json = "{} [{\"topic\":\"t0\",\"new\":1}] {}";
    struct heard heard;
    struct relay_status *status = fed_only(&heard);

    cr_assert_eq(relay_status_feed(status, json, strlen(json)), 0);
    cr_assert_str_eq(heard.json, " [{\"topic\":\"t0\",\"new\":1}]");
    relay_status_destroy(status);
}

Test(relay_status, refuses_messages_beyond_the_bound)
{
    size_t len = (size_t)RELAY_STATUS_BYTES_MAX + 1;
    char *json = malloc(len);
    struct heard heard;
    struct relay_status *status = fed_only(&heard);

    memset(json, ' ', len);
    cr_assert_eq(relay_status_feed(status, json, len), -EMSGSIZE);
    cr_assert_str_eq(heard.reason, "too large for a report");
    cr_assert_eq(relay_status_feed(status, json, len - 1), 0);
    free(json);
    relay_status_destroy(status);
}

Test(relay_status, needs_no_callbacks)
{
    const struct relay_status_callbacks none = {0};
    char error[RELAY_STATUS_ERROR_SIZE];
    struct relay_status *status = relay_status_create(NULL, &none, error);

    cr_assert_eq(relay_status_feed(status, "[{}]", 4), 0);
    cr_assert_eq(relay_status_feed(status, "x", 1), -EBADMSG);
    relay_status_destroy(status);
    relay_status_destroy(NULL);
}

Test(relay_status, connects_only_with_options)
{
    const struct relay_status_callbacks none = {0};
    const struct relay_client_options options = {.location = "ftp://relay.example/session/stats"};
    char error[RELAY_STATUS_ERROR_SIZE] = "";
    struct heard heard;
    struct relay_status *status = fed_only(&heard);

    cr_assert_eq(relay_status_start(status), -EINVAL);
    cr_assert_eq(relay_status_request(status), -ESHUTDOWN);
    relay_status_stop(status, 0);
    relay_status_destroy(status);
    cr_assert_null(relay_status_create(&options, &none, error));
    cr_assert_neq(error[0], '\0');
}
