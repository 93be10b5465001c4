/* Goal: the access API answers each request with the status and, byte for byte, the body that
 * existing clients know; the checks are made in the known order.
 * Method: whole requests in, replies out; every refusal is provoked alone and against the next one
 * in the order. */
#include <jansson.h>

#include "tests/unit/server/access/access_fixture.h"
#include "tests/unit/token/token_craft.h"

static struct office office;

static void open_office(void)
{
    office_open(&office);
}

static void close_office(void)
{
    office_close(&office);
}

TestSuite(access, .init = open_office, .fini = close_office);

static char *good_token(void)
{
    struct token_claims claims = good_claims();

    return token_of_claims(&office, &claims);
}

Test(access, grants_a_code_in_the_uri_that_clients_expect)
{
    struct token_claims claims = good_claims();

    ask_with_claims(&office, "/session/t0", &claims);
    struct bytes code = granted_code(&office);
    char expected[256];

    snprintf(expected, sizeof expected, "{\"uri\":\"" RELAY "/session/t0?code=%.*s\"}\n",
             (int)code.len, (const char *)code.data);
    expect_reply(&office, 200, expected);
    cr_assert_str_eq(office.reply.fields, "");
    cr_assert_eq(office.counters.sessions_granted, 1);
}

Test(access, takes_the_path_in_every_form_that_means_the_same)
{
    static const char *const targets[] = {
        "/session/t0",        "/session/t0/",    "//session/t0",
        "/session//t0",       "/session/./t0",   "/x/../session/t0",
        "/session/%74%30",    "/session/t0?x=y", "http://any.host/session/t0",
        "/session/t0/?a=b&c",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(targets) && i < CODES_MAX; i++) {
        struct token_claims claims = good_claims();

        ask_with_claims(&office, targets[i], &claims);
        cr_assert_eq(office.reply.status, 200, "%s: %s", targets[i], office.reply.body);
    }
}

Test(access, answers_unknown_paths)
{
    static const struct {
        const char *target;
        const char *body;
    } cases[] = {
        {"/", "{\"code\":404,\"message\":\"path / was not found\"}"},
        {"/nope", "{\"code\":404,\"message\":\"path /nope was not found\"}"},
        {"/nope/?a=b", "{\"code\":404,\"message\":\"path /nope was not found\"}"},
        {"/session", "{\"code\":404,\"message\":\"path /session was not found\"}"},
        {"/session/", "{\"code\":404,\"message\":\"path /session was not found\"}"},
        {"/session/a/b", "{\"code\":404,\"message\":\"path /session/a/b was not found\"}"},
        {"/sessions/a", "{\"code\":404,\"message\":\"path /sessions/a was not found\"}"},
        {"/a%20b", "{\"code\":404,\"message\":\"path /a%20b was not found\"}"},
        {"/a&b", "{\"code\":404,\"message\":\"path /a\\u0026b was not found\"}"},
        {"/healthz", "{\"code\":404,\"message\":\"path /healthz was not found\"}"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *token = good_token();

        ask(&office, "POST", cases[i].target, token, "", NULL);
        expect_reply(&office, 404, cases[i].body);
        ask(&office, "GET", cases[i].target, NULL, "", NULL);
        expect_reply(&office, 404, cases[i].body);
        free(token);
    }
}

Test(access, answers_wrong_methods_with_the_right_one)
{
    static const char *const methods[] = {"GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"};

    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
        char body[128];

        snprintf(body, sizeof body,
                 "{\"code\":405,\"message\":\"method %s is not allowed, but [POST] are\"}",
                 methods[i]);
        ask(&office, methods[i], "/session/t0", NULL, "", NULL);
        expect_reply(&office, 405, body);
        cr_assert_str_eq(office.reply.fields, "Allow: POST\r\n");
    }
}

Test(access, refuses_targets_that_are_no_path)
{
    static const char *const targets[] = {"*", "http://"};

    for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
        office.request.method = "OPTIONS";
        office.request.target = bytes_of_text(targets[i]);
        office.call = (struct access_call){.context = &office.context,
                                           .counters = &office.counters,
                                           .request = &office.request,
                                           .now_s = NOW_S};
        access_handle(&office.call, &office.reply);
        cr_assert_eq(office.reply.status, 400);
    }
}

Test(access, wants_a_token)
{
    static const char body[] =
        "{\"code\":401,\"message\":\"unauthenticated for invalid credentials\"}";

    ask(&office, "POST", "/session/t0", NULL, "", NULL);
    expect_reply(&office, 401, body);
    ask(&office, "POST", "/session/t0", "", "", NULL);
    expect_reply(&office, 401, body);
}

Test(access, refuses_tokens_that_do_not_verify)
{
    static const char body[] = "{\"code\":401,\"message\":\"token invalid\"}";
    struct token_claims expired = good_claims(), early = good_claims();
    struct token_keys *other_keys = token_keys_create("another secret");
    char *tokens[5] = {NULL, NULL, NULL, strdup("nonsense"), strdup("a.b.c")};
    struct token_claims claims = good_claims();

    expired.exp_s = NOW_S;
    early.nbf_s = NOW_S + TOKEN_LEEWAY_S + 1;
    tokens[0] = token_of_claims(&office, &expired);
    tokens[1] = token_of_claims(&office, &early);
    cr_assert_eq(token_sign(other_keys, &claims, &tokens[2]), TOKEN_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(tokens); i++) {
        ask(&office, "POST", "/session/t0", tokens[i], "", NULL);
        expect_reply(&office, 401, body);
        free(tokens[i]);
    }
    cr_assert_eq(code_store_count(office.context.codes), 0);
    token_keys_destroy(other_keys);
}

Test(access, takes_the_token_raw_or_behind_its_scheme)
{
    static const char *const schemes[] = {"", "Bearer ", "bearer ", "BEARER   "};
    char *token = good_token();

    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        char field[2048];

        snprintf(field, sizeof field, "%s%s", schemes[i], token);
        ask(&office, "POST", "/session/t0", field, "", NULL);
        cr_assert_eq(office.reply.status, 200, "\"%s\": %s", schemes[i], office.reply.body);
    }
    char field[2048];

    snprintf(field, sizeof field, "Basic %s", token);
    ask(&office, "POST", "/session/t0", field, "", NULL);
    expect_reply(&office, 401, "{\"code\":401,\"message\":\"token invalid\"}");
    ask(&office, "POST", "/session/t0", "Bearer", "", NULL);
    expect_reply(&office, 401, "{\"code\":401,\"message\":\"token invalid\"}");
    free(token);
}

Test(access, wants_a_token_for_itself)
{
    struct token_claims claims = good_claims();

    snprintf(claims.audiences[0], sizeof claims.audiences[0], AUDIENCE "/");
    ask_with_claims(&office, "/session/t0", &claims);
    expect_reply(&office, 401,
                 "{\"code\":401,\"message\":\"aud [" AUDIENCE
                 "/] does not match this host " AUDIENCE "\"}");
    cr_assert(token_claims_add_audience(&claims, "<y>"));
    ask_with_claims(&office, "/session/t0", &claims);
    expect_reply(&office, 401,
                 "{\"code\":401,\"message\":\"aud [" AUDIENCE
                 "/ \\u003cy\\u003e] does not match this host " AUDIENCE "\"}");
    claims.audiences_count = 0;
    ask_with_claims(&office, "/session/t0", &claims);
    expect_reply(&office, 401,
                 "{\"code\":401,\"message\":\"aud [] does not match this host " AUDIENCE "\"}");
    cr_assert(token_claims_add_audience(&claims, "other"));
    cr_assert(token_claims_add_audience(&claims, AUDIENCE));
    ask_with_claims(&office, "/session/t0", &claims);
    cr_assert_eq(office.reply.status, 200, "one that matches is enough");
}

Test(access, takes_json_bodies_unread_and_no_others)
{
    static const struct {
        const char *fields;
        const char *type; /* NULL: accepted */
    } cases[] = {
        {"Content-Type: application/json\r\n", NULL},
        {"Content-Type: Application/JSON; charset=utf-8\r\n", NULL},
        {"Content-Type: text/plain\r\n", "text/plain"},
        {"Content-Type: application/json2\r\n", "application/json2"},
        {"Content-Type: application/x-www-form-urlencoded\r\n",
         "application/x-www-form-urlencoded"},
        {"", "application/octet-stream"},
    };
    char *token = good_token();

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char body[256];

        ask(&office, "POST", "/session/t0", token, cases[i].fields, "{}");
        if (cases[i].type == NULL) {
            cr_assert_eq(office.reply.status, 200, "%s", office.reply.body);
            continue;
        }
        snprintf(body, sizeof body,
                 "{\"code\":415,\"message\":\"unsupported media type \\\"%s\\\", only "
                 "[application/json] are allowed\"}",
                 cases[i].type);
        expect_reply(&office, 415, body);
    }
    ask(&office, "POST", "/session/t0", token, "Content-Type: text/plain\r\n", NULL);
    cr_assert_eq(office.reply.status, 200, "there is no body that could have a type");
    ask(&office, "POST", "/session/t0", token, "Content-Type: text/plain\r\n", "");
    cr_assert_eq(office.reply.status, 200);
    free(token);
}

Test(access, answers_only_those_who_accept_json)
{
    static const struct {
        const char *accept;
        bool is_good;
    } cases[] = {
        {"*/*", true},
        {"application/json", true},
        {"application/json, text/plain, */*", true},
        {"text/html,application/*;q=0.8", true},
        {"text/html , APPLICATION/JSON", true},
        {"text/html", false},
        {"text/*, image/png;q=0.3", false},
        {"application/jsonp", false},
    };
    char *token = good_token();

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char field[128];

        snprintf(field, sizeof field, "Accept: %s\r\n", cases[i].accept);
        ask(&office, "POST", "/session/t0", token, field, NULL);
        if (cases[i].is_good) {
            cr_assert_eq(office.reply.status, 200, "%s: %s", cases[i].accept, office.reply.body);
        } else {
            expect_reply(&office, 406,
                         "{\"code\":406,\"message\":\"unsupported media type requested, only "
                         "[application/json] are available\"}");
        }
    }
    free(token);
}

Test(access, checks_in_the_known_order)
{
    struct token_claims claims = good_claims();
    static const char bad_fields[] = "Content-Type: text/plain\r\nAccept: text/html\r\n";

    ask(&office, "GET", "/nope", "bad", bad_fields, "x");
    cr_assert_eq(office.reply.status, 404);
    ask(&office, "GET", "/session/t0", "bad", bad_fields, "x");
    cr_assert_eq(office.reply.status, 405);
    ask(&office, "POST", "/session/t0", "bad", bad_fields, "x");
    cr_assert_eq(office.reply.status, 401);
    char *wrong_topic;

    claims.booking_id[0] = '\0';
    snprintf(claims.topic, sizeof claims.topic, "t1");
    wrong_topic = token_of_claims(&office, &claims);
    ask(&office, "POST", "/session/t0", wrong_topic, bad_fields, "x");
    cr_assert_eq(office.reply.status, 415);
    ask(&office, "POST", "/session/t0", wrong_topic, "Accept: text/html\r\n", NULL);
    cr_assert_eq(office.reply.status, 406);
    ask(&office, "POST", "/session/t0", wrong_topic, "", NULL);
    expect_reply(&office, 401, "\"Token Wrong Topic\"\n");
    ask(&office, "POST", "/session/t1", wrong_topic, "", NULL);
    cr_assert_eq(office.reply.status, 400);
    free(wrong_topic);
    cr_assert_eq(code_store_count(office.context.codes), 0);
}

/* Whatever a stranger sends, the reply is JSON that ends where its length says. */
Test(access, replies_in_valid_json_to_the_longest_requests)
{
    static const char fillers[] = {'a', '&', '\'', '~', '%', '\\', '"', '<'};

    for (size_t i = 0; i < ARRAY_LENGTH(fillers); i++) {
        char target[HTTP_TARGET_BYTES_MAX + 1];
        json_error_t error;

        memset(target, fillers[i], sizeof target);
        target[0] = '/';
        target[sizeof target - 1] = '\0';
        http_request_init(&office.request);
        office.request.method = "POST";
        office.request.target = bytes_of_text(target);
        office.call = (struct access_call){.context = &office.context,
                                           .counters = &office.counters,
                                           .request = &office.request,
                                           .now_s = NOW_S};
        access_handle(&office.call, &office.reply);
        cr_assert_eq(office.reply.status, 404);
        json_t *json = json_loadb(office.reply.body, office.reply.body_len, 0, &error);

        cr_assert_not_null(json, "filled with '%c': %s", fillers[i], error.text);
        cr_assert_eq(json_integer_value(json_object_get(json, "code")), 404);
        json_decref(json);
    }
}

/* Our own tokens hold each < in six bytes, and would be too long. */
static char *token_with_long_audiences(void)
{
    char audience[TOKEN_TEXT_SIZE];
    char payload[TOKEN_AUDIENCES_MAX * (TOKEN_TEXT_SIZE + 3) + 256];
    int len = snprintf(payload, sizeof payload,
                       "{\"exp\":%lld,\"nbf\":0,\"iat\":0,\"topic\":\"t0\",\"aud\":[",
                       (long long)NOW_S + 60);

    memset(audience, '<', sizeof audience - 1);
    audience[sizeof audience - 1] = '\0';
    for (unsigned i = 0; i < TOKEN_AUDIENCES_MAX; i++) {
        len += snprintf(payload + len, sizeof payload - (size_t)len, "%s\"%s\"", i == 0 ? "" : ",",
                        audience);
    }
    snprintf(payload + len, sizeof payload - (size_t)len, "]}");
    return craft_token("{\"alg\":\"HS256\"}", payload, SECRET);
}

Test(access, replies_in_valid_json_to_the_longest_audiences)
{
    char *token = token_with_long_audiences();
    json_error_t error;

    ask(&office, "POST", "/session/t0", token, "", NULL);
    free(token);
    cr_assert_eq(office.reply.status, 401);
    json_t *json = json_loadb(office.reply.body, office.reply.body_len, 0, &error);

    cr_assert_not_null(json, "%s", error.text);
    cr_assert_eq(json_integer_value(json_object_get(json, "code")), 401,
                 "not the answer to a token");
    json_decref(json);
}

Test(access, joins_wait_for_the_end_of_what_is_over)
{
    unsigned retry_ms;

    cr_assert_null(access_reason_to_wait(&office.context, &retry_ms));
    atomic_store(&office.context.is_draining, true);
    cr_assert_str_eq(access_reason_to_wait(&office.context, &retry_ms), ACCESS_DRAINING);
    cr_assert_eq(retry_ms, ACCESS_DRAINING_RETRY_MS);
    atomic_store(&office.context.is_over, true);
    cr_assert_str_eq(access_reason_to_wait(&office.context, &retry_ms), ACCESS_OVER);
    cr_assert_eq(retry_ms, ACCESS_OVER_RETRY_MS);
}

Test(access, answers_nothing_once_another_program_is_the_relay)
{
    struct token_claims claims = good_claims();

    atomic_store(&office.context.is_over, true);
    ask_with_claims(&office, "/session/t0", &claims);
    cr_assert_eq(office.reply.status, 503);
    cr_assert_not_null(strstr(office.reply.fields, "Retry-After: 1"), "%s", office.reply.fields);
    cr_assert_eq(code_store_count(office.context.codes), 0);
}
