/* Goal: both connections carry tokens that a relay accepts, a refusal is told from silence, and
 * renewal replaces both. Method: a fake client library; its tokens are verified for real. */
#include "cli/monitor/connections.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/cli/fake_client.h"

static struct monitor_settings settings;
static struct connections connections;
static struct bytes received;
static unsigned received_count;
static int send_result;

int relay_client_send(struct relay_client *client, enum relay_client_type type, const void *data,
                      size_t len, unsigned flags)
{
    fake_keep(client, type, data, len);
    return send_result;
}

static void on_message(struct bytes message, void *context)
{
    cr_expect_eq(context, &settings);
    received = message;
    received_count++;
}

static void start(void)
{
    static char audience[] = "https://relay.example/access//";
    static char secret[] = "a-secret";
    static char topic[] = "canary-st-data";
    static char ca_file[] = "ca.pem";

    cr_redirect_stderr();
    settings = (struct monitor_settings){.audience = audience,
                                         .secret = secret,
                                         .topic = topic,
                                         .ca_file = ca_file,
                                         .reconnect_every_ms = 3600500};
}

static void stop(void)
{
    connections_deinit(&connections);
}

TestSuite(connections, .init = start, .fini = stop);

static void init(void)
{
    cr_assert(connections_init(&connections, &settings, on_message, &settings));
}

static void tx_says(const struct relay_client_event *event)
{
    fake_say(connections.tx, event);
}

static void rx_says(const struct relay_client_event *event)
{
    fake_say(connections.rx, event);
}

static void expect_token(const struct relay_client *client)
{
    struct token_keys *keys = token_keys_create("a-secret");
    struct token_claims claims = {0};
    int64_t now_s = clock_wall_s();

    cr_assert_eq(token_verify(keys, bytes_of_text(client->token), now_s, &claims), TOKEN_OK);
    token_keys_destroy(keys);
    cr_expect_str_eq(claims.booking_id, "relay-monitor");
    cr_expect_str_eq(claims.topic, "canary-st-data");
    cr_expect_str_eq(claims.prefix, "session");
    cr_expect(token_claims_have_audience(&claims, "https://relay.example/access//"),
              "exactly as the relay has it");
    cr_expect(token_claims_have_scope(&claims, "read"));
    cr_expect(token_claims_have_scope(&claims, "write"));
    cr_expect_lt(claims.nbf_s, now_s);
    /* 3600.5 s, rounded up, from a moment ago. */
    cr_expect(claims.exp_s <= now_s + 3601 && claims.exp_s >= now_s + 3599);
}

Test(connections, ask_for_access_with_tokens_of_their_own)
{
    init();
    cr_assert_eq(fake_clients_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        cr_expect_str_eq(fake_clients[i].location,
                         "https://relay.example/access/session/canary-st-data");
        cr_expect_eq(fake_clients[i].options.reconnect_delay_max_ms, 5000);
        cr_expect_not(fake_clients[i].options.insecure);
        expect_token(&fake_clients[i]);
    }
    cr_expect_null(connections.tx->callbacks.on_message, "the sender listens to nothing");
}

Test(connections, are_not_made_for_a_topic_that_no_token_holds)
{
    char topic[TOKEN_TEXT_SIZE + 1];

    memset(topic, 't', sizeof topic - 1);
    topic[sizeof topic - 1] = '\0';
    settings.topic = topic;
    cr_expect_not(connections_init(&connections, &settings, on_message, &settings));
    fflush(stderr);
    cr_expect_stderr_eq_str("relay monitor: cannot make a token: topic or audience is too long\n");
}

Test(connections, pass_the_reason_on_when_the_client_refuses)
{
    fake_create_error = "the location is invalid";
    cr_expect_not(connections_init(&connections, &settings, on_message, &settings));
    fflush(stderr);
    cr_expect_stderr_eq_str("relay monitor: the location is invalid\n");
}

Test(connections, listen_before_they_send)
{
    init();
    fake_start_result = -EAGAIN;
    cr_expect_eq(connections_start(&connections), -EAGAIN);
    fake_start_result = 0;
    cr_expect_eq(connections_start(&connections), 0);
    cr_expect(connections.rx->running && connections.tx->running);
    connections_stop(&connections);
    cr_expect_not(connections.rx->running || connections.tx->running);
}

Test(connections, send_binary_messages_on_one_of_them)
{
    init();
    cr_expect_eq(connections_send(&connections, bytes_of_text("probe")), 0);
    cr_expect_str_eq(connections.tx->sent, "[probe]");
    cr_expect_str_eq(connections.rx->sent, "");
    cr_expect_eq(connections.tx->sent_type, RELAY_CLIENT_BINARY);
    send_result = -EAGAIN;
    cr_expect_eq(connections_send(&connections, bytes_of_text("probe")), -EAGAIN);
}

Test(connections, hand_binary_messages_over_and_say_only_that_text_came)
{
    init();
    fake_deliver(connections.rx, RELAY_CLIENT_BINARY, "probe");
    cr_expect(bytes_equal_text(received, "probe"));
    fake_deliver(connections.rx, RELAY_CLIENT_TEXT, "hello");
    cr_expect_eq(received.len, 0);
    cr_expect_eq(received_count, 2);
}

/* A relay that answers is up, whatever it answers; a proxy's 503 does not prove one. */
Test(connections, are_refused_by_a_relay_that_answers)
{
    static const struct {
        int http_status;
        uint64_t retry_after_ms;
        bool refused;
    } cases[] = {
        {0, 0, false},   {399, 0, false}, {400, 0, true},  {401, 0, true},
        {404, 0, true},  {499, 0, true},  {500, 0, false}, {502, 0, false},
        {503, 0, false}, {503, 1, true},  {504, 1, false},
    };

    init();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct relay_client_event event = {.state = RELAY_CLIENT_WAITING,
                                                 .fault = RELAY_CLIENT_FAULT_HTTP,
                                                 .http_status = cases[i].http_status,
                                                 .retry_after_ms = cases[i].retry_after_ms};

        tx_says(&event);
        cr_expect_eq(connections_are_refused(&connections), cases[i].refused, "tx, case %zu", i);
        tx_says(&(struct relay_client_event){.state = RELAY_CLIENT_CONNECTED});
        rx_says(&event);
        cr_expect_eq(connections_are_refused(&connections), cases[i].refused, "rx, case %zu", i);
        rx_says(&(struct relay_client_event){.state = RELAY_CLIENT_CONNECTED});
        cr_expect_not(connections_are_refused(&connections));
    }
}

Test(connections, stay_refused_until_the_next_attempt_has_a_result)
{
    init();
    tx_says(&(struct relay_client_event){
        .state = RELAY_CLIENT_WAITING, .fault = RELAY_CLIENT_FAULT_HTTP, .http_status = 403});
    tx_says(&(struct relay_client_event){.state = RELAY_CLIENT_ACCESSING});
    cr_expect(connections_are_refused(&connections));
    tx_says(&(struct relay_client_event){.state = RELAY_CLIENT_WAITING,
                                         .fault = RELAY_CLIENT_FAULT_CONNECT});
    cr_expect_not(connections_are_refused(&connections));
}

Test(connections, get_a_new_token_when_theirs_is_refused)
{
    init();
    rx_says(&(struct relay_client_event){
        .state = RELAY_CLIENT_WAITING, .fault = RELAY_CLIENT_FAULT_REFUSED, .http_status = 401});
    cr_expect_eq(connections.rx->tokens_set, 1);
    cr_expect_eq(connections.tx->tokens_set, 0);
    expect_token(connections.rx);
    rx_says(&(struct relay_client_event){.state = RELAY_CLIENT_WAITING,
                                         .fault = RELAY_CLIENT_FAULT_CONNECT});
    cr_expect_eq(connections.rx->tokens_set, 1, "another fault is not the token's");
}

Test(connections, are_renewed_with_new_tokens)
{
    init();
    cr_assert_eq(connections_start(&connections), 0);
    cr_expect(connections_renew(&connections));
    for (unsigned i = 0; i < 2; i++) {
        cr_expect_eq(fake_clients[i].stopped, 1);
        cr_expect_eq(fake_clients[i].started, 2);
        cr_expect_eq(fake_clients[i].tokens_set, 1);
        expect_token(&fake_clients[i]);
    }
    fake_start_result = -EAGAIN;
    cr_expect_not(connections_renew(&connections));
}
