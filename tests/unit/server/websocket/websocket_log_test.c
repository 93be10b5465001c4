/* Goal: each WebSocket has a line when it opens and one when it closes, slow ones share some, with
 * its booking, its topic and what it did; with RELAY_PRIVACY no address. Method: the log goes into
 * a file and is read back as JSON. */
#include "server/websocket/websocket_log.h"

#include <jansson.h>

#include "tests/unit/server/http/service.h"

static char path[] = "/tmp/relay-websocket-log-test-XXXXXX";
static FILE *file;

static void start(void)
{
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    file = fdopen(fd, "r");
    cr_assert_not_null(file);
    cr_assert_eq(log_open(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON), 0);
    service_open();
}

static void stop(void)
{
    service_close();
    log_close();
    fclose(file);
    unlink(path);
}

TestSuite(websocket_log, .init = start, .fini = stop);

static json_t *next_line(void)
{
    char text[LOG_LINE_BYTES_MAX + 1];

    cr_assert_not_null(fgets(text, sizeof text, file));
    json_t *line = json_loads(text, 0, NULL);

    cr_assert_not_null(line, "%s", text);
    return line;
}

static void expect_text(const json_t *line, const char *key, const char *value)
{
    const char *text = json_string_value(json_object_get(line, key));

    cr_assert_not_null(text, "%s", key);
    cr_assert_str_eq(text, value);
}

static void expect_number(const json_t *line, const char *key, json_int_t value)
{
    const json_t *number = json_object_get(line, key);

    cr_assert(json_is_integer(number), "%s", key);
    cr_assert_eq(json_integer_value(number), value, "%s", key);
}

Test(websocket_log, names_booking_topic_and_address_of_one_that_opens)
{
    join("t0", true, false);
    json_t *line = next_line();

    expect_text(line, "msg", "new connection");
    expect_text(line, "topic", "t0");
    expect_text(line, "booking_id", "b0");
    expect_text(line, "remote_addr", "127.0.0.1");
    cr_assert(json_is_true(json_object_get(line, "can_read")));
    cr_assert(json_is_false(json_object_get(line, "can_write")));
    json_decref(line);
}

Test(websocket_log, says_why_one_closes_and_what_it_did)
{
    struct conn *conn = join("t0", true, true);

    json_decref(next_line());
    say(conn, bytes_of("\x82\x85\0\0\0\0hello", 11));
    stage.worker.now_ms += 1500;
    conn_close_now(conn, CLOSE_NO_PONG);
    json_t *line = next_line();

    expect_text(line, "msg", "connection closed");
    expect_text(line, "reason", close_reason_text(CLOSE_NO_PONG));
    expect_text(line, "topic", "t0");
    expect_number(line, "duration_ms", 1500);
    expect_number(line, "messages_received", 1);
    expect_number(line, "bytes_received", 5);
    expect_number(line, "messages_sent", 0);
    json_decref(line);
}

Test(websocket_log, tells_of_slow_viewers_once_a_second_at_most)
{
    struct conn *conn = join("t0", true, false);
    uint64_t *dropped = conn->subscriber.lag.dropped;

    json_decref(next_line());
    dropped[LAG_POLICY_VIDEO] = 1;
    conn->subscriber.on_dropped(&conn->subscriber);
    dropped[LAG_POLICY_DATA] = 2;
    conn->subscriber.on_dropped(&conn->subscriber);
    stage.worker.now_ms += LAG_LOG_MS - 1;
    conn->subscriber.on_dropped(&conn->subscriber);
    stage.worker.now_ms++;
    dropped[LAG_POLICY_VIDEO] = 40;
    conn->subscriber.on_dropped(&conn->subscriber);
    for (json_int_t video = 1; video <= 40; video += 39) {
        json_t *line = next_line();

        expect_text(line, "msg", "slow viewer");
        expect_text(line, "topic", "t0");
        expect_text(line, "booking_id", "b0");
        expect_text(line, "remote_addr", "127.0.0.1");
        expect_number(line, "dropped_video", video);
        expect_number(line, "dropped_data", video == 1 ? 0 : 2);
        json_decref(line);
    }
}

Test(websocket_log, shows_no_address_where_that_is_private)
{
    stage.config.privacy = true;
    join("t0", true, false);
    json_t *line = next_line();

    expect_text(line, "remote_addr", "");
    json_decref(line);
}
