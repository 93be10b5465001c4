/* The service of tests/unit/server/http with an admin listener: requests go in as text, answers
 * come out as text. */
#pragma once

#include <stdlib.h>

#include "server/config_table.h"
#include "tests/unit/server/http/service.h"
#include "token/token_keys_slot.h"

#define ADMIN_HOST "Host: 127.0.0.1:3002\r\n"

static struct token_keys_slot admin_keys;
static struct conn *admin_conn;

UNUSED static void admin_open(void)
{
    static char hosts[] = "relay.lab.example";

    service_open();
    topic_unref(stage.shared.stats_topic);
    stage.topics.counts = topic_counts_create(3, 1);
    stage.shared.stats_topic = topic_find_or_create(&stage.topics, STATS_TOPIC);
    CHECK(stage.shared.stats_topic != NULL);
    token_keys_slot_init(&admin_keys, token_keys_create("a secret that nobody may see"));
    stage.shared.access.keys = &admin_keys;
    stage.shared.options = &serve_option_table;
    stage.config.admin_hosts = hosts;
    atomic_store(&stage.shared.is_ready, true);
    atomic_store(&stage.worker.turned_ms, stage.worker.now_ms);
    admin_conn = stage_connect(LISTENER_ADMIN);
}

UNUSED static void admin_close(void)
{
    service_close();
    topic_counts_destroy(stage.topics.counts);
    token_keys_slot_deinit(&admin_keys);
}

/* The whole answer, until nothing more is sent. */
UNUSED static const char *admin_ask(const char *method, const char *target, const char *fields)
{
    char request[1024];

    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\n%s\r\n", method, target, fields);
    say_text(admin_conn, request);
    return (const char *)sent_by(admin_conn).data;
}

UNUSED static const char *admin_get(const char *target)
{
    return admin_ask("GET", target, ADMIN_HOST);
}

UNUSED static int admin_status(const char *answer)
{
    cr_assert_eq(strncmp(answer, "HTTP/1.1 ", 9), 0, "%s", answer);
    return (int)strtol(answer + 9, NULL, 10);
}

UNUSED static const char *admin_body(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");

    cr_assert_not_null(end, "%s", answer);
    return end + 4;
}

#define expect_in(answer, part) cr_assert_not_null(strstr(answer, part), "%s", answer)
