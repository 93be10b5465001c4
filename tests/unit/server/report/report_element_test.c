/* Goal: an element says of a connection what clients know, in both shapes, byte for byte; whatever
 * a stranger sent, it is JSON and fits. Method: connections that are only filled in, with times
 * that are known. */
#include "server/report/report_element.h"

#include "server/conn/tls/transport_kernel.h"
#include "server/conn/tls/transport_user.h"
#include "tests/unit/server/conn/conn_fixture.h"

static char written[REPORT_ELEMENT_SIZE];
static struct conn *conn;
static struct phase_websocket *ws;

static void start(void)
{
    open_scene(1);
    conn = add_websocket(0, 0, "t0");
    ws = phase_websocket_of(conn);
}

TestSuite(report_element, .init = start, .fini = close_scene);

static const char *element(enum report_shape shape)
{
    struct json_writer json;

    json_writer_init(&json, written, sizeof written);
    report_element_write_conn(&json, shape, conn);
    cr_assert(!json.overflow);
    return written;
}

Test(report_element, of_the_status_leaves_out_what_is_false_or_empty)
{
    cr_assert_str_eq(element(REPORT_STATUS),
                     "{\"can_read\":true,\"connected_at\":\"2023-11-14T22:13:25Z\","
                     "\"expires_at\":\"2023-11-14T22:14:25Z\",\"remote_addr\":\"203.0.113.7\","
                     "\"scopes\":[\"read\"],\"topic\":\"t0\",\"user_agent\":\"ua/1\"},");
    ws->can_read = false;
    ws->can_write = true;
    ws->identity = (struct identity){.scopes_json = "[]", .user_agent = "", .reported_address = ""};
    conn->transport = &transport_user;
    cr_assert_str_eq(element(REPORT_STATUS),
                     "{\"can_write\":true,\"connected_at\":\"2023-11-14T22:13:25Z\","
                     "\"expires_at\":\"2023-11-14T22:14:25Z\",\"scopes\":[],\"tls\":\"user\","
                     "\"topic\":\"t0\"},");
}

/* Behind all keys that clients know, and only of hops that are known. */
Test(report_element, has_latencies_of_one_that_speaks_relay_v1)
{
    struct exchange exchange = {0};

    ws->exchange = &exchange;
    cr_assert_null(strstr(element(REPORT_STATUS), "latency"));
    latency_add(&exchange.publish, 1);
    for (unsigned i = 0; i < 200; i++) {
        latency_add(&exchange.deliver, i < 190 ? 2 : 6);
    }
    cr_assert_not_null(strstr(element(REPORT_STATUS),
                              ",\"latency\":{\"publish_p50\":0.001,\"publish_p99\":0.001,"
                              "\"deliver_p50\":0.002,\"deliver_p99\":0.006}},"),
                       "%s", written);
    cr_assert_not_null(strstr(element(REPORT_TOPIC), "\"deliver_p99\":0.006}},"));
    ws->exchange = NULL;
}

Test(report_element, of_the_topic_has_all_keys_and_statistics)
{
    ws->messages_received = 25;
    ws->bytes_received = 25000;
    ws->first_received_ms = NOW_MS - 2200;
    ws->last_received_ms = NOW_MS - 1200;
    conn->messages_sent = 1;
    conn->subscriber.queue.payload_sent = 77;
    conn->first_sent_ms = conn->last_sent_ms = NOW_MS;
    conn->transport = &transport_kernel;
    cr_assert_str_eq(element(REPORT_TOPIC),
                     "{\"canRead\":true,\"canWrite\":false,\"connected\":\"2023-11-14T22:13:25Z\","
                     "\"expiresAt\":\"2023-11-14T22:14:25Z\",\"remoteAddr\":\"203.0.113.7\","
                     "\"scopes\":[\"read\"],"
                     "\"stats\":{\"tx\":{\"last\":\"1.2s\",\"size\":1000,\"fps\":24.000},"
                     "\"rx\":{\"last\":\"0s\",\"size\":77,\"fps\":0.000}},"
                     "\"topic\":\"t0\",\"userAgent\":\"ua/1\",\"tls\":\"kernel\"},");
}

Test(report_element, says_what_a_slow_viewer_lost)
{
    uint64_t *dropped = conn->subscriber.lag.dropped;

    cr_assert_null(strstr(element(REPORT_TOPIC), "dropped"));
    dropped[LAG_POLICY_LATEST] = 7;
    cr_assert_not_null(strstr(element(REPORT_TOPIC), ",\"dropped\":{\"latest\":7}},"));
    dropped[LAG_POLICY_DATA] = 1;
    dropped[LAG_POLICY_VIDEO] = UINT64_MAX;
    cr_assert_not_null(strstr(element(REPORT_STATUS),
                              ",\"dropped\":{\"data\":1,\"video\":18446744073709551615,"
                              "\"latest\":7}},"),
                       "%s", written);
}

Test(report_element, hides_the_address_where_privacy_is_asked_for)
{
    scene.config.privacy = true;
    cr_assert_not_null(strstr(element(REPORT_TOPIC), "\"remoteAddr\":\"\","), "%s", written);
    cr_assert_null(strstr(element(REPORT_STATUS), "remote_addr"), "%s", written);
}

Test(report_element, tells_durations_as_go_does)
{
    static const struct {
        uint64_t ago_ms;
        const char *text;
    } cases[] = {
        {0, "0s"},           {1, "1ms"},          {999, "999ms"},           {1000, "1s"},
        {1050, "1.05s"},     {59999, "59.999s"},  {60000, "1m0s"},          {61500, "1m1.5s"},
        {3599000, "59m59s"}, {3600000, "1h0m0s"}, {90061001, "25h1m1.001s"}};

    ws->messages_received = 1;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char expected[64];

        ws->first_received_ms = ws->last_received_ms = NOW_MS - cases[i].ago_ms;
        snprintf(expected, sizeof expected, "\"tx\":{\"last\":\"%s\",", cases[i].text);
        cr_assert_not_null(strstr(element(REPORT_TOPIC), expected), "%s in %s", expected, written);
    }
}

Test(report_element, is_json_whatever_a_stranger_sent)
{
    topic_unref(ws->topic);
    ws->topic = topic_find_or_create(&scene.topics, "t\"\\\n");
    ws->identity.user_agent = "</script>\x01\xff\"},{\"";
    ws->identity.reported_address = "\"]\xc3";
    element(REPORT_STATUS);
    cr_assert_not_null(strstr(written, "\"topic\":\"t\\\"\\\\\\n\""), "%s", written);
    cr_assert_not_null(
        strstr(written, "\"user_agent\":\"</script>\\u0001\xef\xbf\xbd\\\"},{\\\"\""), "%s",
        written);
    cr_assert_not_null(strstr(written, "\"remote_addr\":\"\\\"]\xef\xbf\xbd\""), "%s", written);
}

Test(report_element, fits_with_the_longest_texts)
{
    char name[TOPIC_NAME_SIZE] = "", user_agent[USER_AGENT_SIZE] = "";
    char address[REPORTED_ADDRESS_SIZE] = "", scopes[PERMISSION_SCOPES_SIZE] = "";

    memset(name, 1, sizeof name - 1);
    memset(user_agent, 1, sizeof user_agent - 1);
    memset(address, 1, sizeof address - 1);
    memset(scopes, '7', sizeof scopes - 1);
    topic_unref(ws->topic);
    ws->topic = topic_find_or_create(&scene.topics, name);
    ws->identity = (struct identity){
        .scopes_json = scopes, .user_agent = user_agent, .reported_address = address};
    ws->messages_received = conn->messages_sent = UINT64_MAX;
    ws->bytes_received = conn->subscriber.queue.payload_sent = UINT64_MAX;
    ws->first_received_ms = conn->first_sent_ms = 1;
    ws->last_received_ms = conn->last_sent_ms = 2;
    conn->transport = &transport_kernel;
    ws->can_write = true;
    element(REPORT_TOPIC);
    element(REPORT_STATUS);
}

Test(report_element, of_the_relay_itself_is_as_clients_know_it)
{
    static const struct {
        enum report_shape shape;
        const char *text;
    } cases[] = {
        {REPORT_STATUS,
         "{\"can_read\":true,\"can_write\":true,\"connected_at\":\"2023-11-14T22:13:20Z\","
         "\"expires_at\":\"1970-01-01T00:00:00Z\",\"remote_addr\":\"internal\","
         "\"scopes\":[\"read\",\"stats\",\"write\"],\"topic\":\"stats\","
         "\"user_agent\":\"crossbar\"},"},
        {REPORT_TOPIC, "{\"canRead\":true,\"canWrite\":true,\"connected\":\"2023-11-14T22:13:20Z\","
                       "\"expiresAt\":\"1970-01-01T00:00:00Z\",\"remoteAddr\":\"internal\","
                       "\"scopes\":[\"read\",\"stats\",\"write\"],"
                       "\"stats\":{\"tx\":{\"last\":\"Never\",\"size\":0,\"fps\":0},"
                       "\"rx\":{\"last\":\"Never\",\"size\":0,\"fps\":0}},"
                       "\"topic\":\"stats\",\"userAgent\":\"crossbar\"},"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct json_writer json;

        json_writer_init(&json, written, sizeof written);
        report_element_write_self(&json, cases[i].shape, &scene.shared);
        cr_assert_str_eq(written, cases[i].text);
    }
}
