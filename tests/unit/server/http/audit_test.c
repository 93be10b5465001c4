/* Goal: each refusal is one line that tells an operator who was refused and why, holds nothing that
 * a stranger wrote but what may be logged, and is one of a bounded number.
 * Method: the log goes into a file and is read back as JSON. */
#include "server/http/audit.h"

#include <jansson.h>
#include <unistd.h>

#include "server/access/routes.h"
#include "tests/unit/server/access/access_fixture.h"

static char path[] = "/tmp/relay-audit-test-XXXXXX";
static struct counters counters;
static struct log_limit limit;
static const struct audit audit = {
    .limit = &limit,
    .counters = &counters,
    .now_ms = NOW_MS,
    .client = {.address = "192.0.2.1", .user_agent = "test/1"},
};

static void start(void)
{
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(log_open(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON), 0);
}

static void stop(void)
{
    log_close();
    unlink(path);
}

TestSuite(audit, .init = start, .fini = stop);

/* The only line, or NULL when there is none. Empties the file. */
static json_t *line_take(void)
{
    static char text[LOG_LINE_BYTES_MAX + 1];
    json_error_t error;
    FILE *file = fopen(path, "r");

    cr_assert_not_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);

    fclose(file);
    cr_assert_eq(truncate(path, 0), 0);
    text[len] = '\0';
    if (len == 0) {
        return NULL;
    }
    cr_assert_eq(strchr(text, '\n'), text + len - 1, "%s", text);
    json_t *line = json_loads(text, 0, &error);

    cr_assert_not_null(line, "%s: %s", error.text, text);
    return line;
}

static void expect_text(const json_t *line, const char *key, const char *value)
{
    const char *found = json_string_value(json_object_get(line, key));

    cr_assert_not_null(found, "%s", key);
    cr_expect_str_eq(found, value, "%s", key);
}

static void expect_number(const json_t *line, const char *key, json_int_t value)
{
    cr_expect_eq(json_integer_value(json_object_get(line, key)), value, "%s", key);
}

static void expect_client(const json_t *line)
{
    expect_text(line, "remote_addr", "192.0.2.1");
    expect_text(line, "user_agent", "test/1");
}

Test(audit, bytes_that_are_no_request)
{
    audit_malformed(&audit, 400, "malformed request line");
    json_t *line = line_take();

    expect_text(line, "msg", "request refused");
    expect_text(line, "request", "");
    expect_text(line, "reason", "malformed request line");
    expect_text(line, "topic", "");
    expect_number(line, "status", 400);
    expect_number(line, "suppressed", 0);
    expect_client(line);
    json_decref(line);
}

Test(audit, a_request_is_told_by_its_route_not_by_its_path)
{
    struct route_match match;
    struct access_reply reply = {.status = 401, .reason = "token expired"};

    cr_assert_eq(routes_find("POST", "/session/secret", &match), ROUTE_FOUND);
    struct access_call call = {.route = match.route,
                               .claims = {.topic = "t0", .booking_id = "bid0"}};

    audit_request_refused(&audit, &call, &reply);
    json_t *line = line_take();

    expect_text(line, "request", "POST /session/*");
    expect_text(line, "reason", "token expired");
    expect_text(line, "topic", "t0");
    expect_text(line, "booking_id", "bid0");
    expect_number(line, "status", 401);
    expect_client(line);
    json_decref(line);
}

Test(audit, an_unknown_path_is_left_out)
{
    struct access_reply reply = {.status = 404, .reason = "unknown path"};
    struct access_call call = {0};

    audit_request_refused(&audit, &call, &reply);
    json_t *line = line_take();

    expect_text(line, "request", "");
    expect_text(line, "reason", "unknown path");
    json_decref(line);
}

Test(audit, a_refused_upgrade_tells_what_its_code_stood_for)
{
    struct admission admission = {
        .status = 403,
        .reason = "no scope",
        .has_permission = true,
        .permission = {.topic = "t0", .booking_id = "bid0", .scopes_json = "[\"read\"]"}};

    audit_upgrade_refused(&audit, &admission);
    json_t *line = line_take();
    const json_t *scopes = json_object_get(line, "scopes");

    expect_text(line, "msg", "new connection rejected");
    expect_text(line, "reason", "no scope");
    expect_text(line, "topic", "t0");
    expect_text(line, "booking_id", "bid0");
    cr_expect_eq(json_array_size(scopes), 1);
    cr_expect_str_eq(json_string_value(json_array_get(scopes, 0)), "read");
    expect_number(line, "status", 403);
    expect_client(line);
    json_decref(line);
}

Test(audit, a_refused_upgrade_without_a_code_has_no_scopes)
{
    struct admission admission = {.status = 401, .reason = "no code"};

    audit_upgrade_refused(&audit, &admission);
    json_t *line = line_take();

    cr_expect(json_is_array(json_object_get(line, "scopes")));
    cr_expect_eq(json_array_size(json_object_get(line, "scopes")), 0);
    json_decref(line);
}

Test(audit, lines_are_bounded_and_those_left_out_counted)
{
    struct audit later = audit;

    limit.lines_max = 2;
    for (int i = 0; i < 2; i++) {
        audit_malformed(&audit, 400, "x");
        json_decref(line_take());
    }
    for (int i = 0; i < 3; i++) {
        audit_malformed(&audit, 400, "x");
        cr_expect_null(line_take());
    }
    cr_expect_eq(counters.refusals_unlogged, 3);
    later.now_ms += LOG_LIMIT_PERIOD_MS;
    audit_malformed(&later, 400, "x");
    json_t *line = line_take();

    expect_number(line, "suppressed", 3);
    json_decref(line);
}

Test(audit, a_log_that_is_quieter_counts_nothing)
{
    cr_assert_eq(log_open(path, LOG_LEVEL_WARN, LOG_FORMAT_JSON), 0);
    audit_malformed(&audit, 400, "x");
    cr_expect_null(line_take());
    cr_expect_eq(counters.refusals_unlogged, 0);
    cr_expect_eq(limit.lines, 0);
}
