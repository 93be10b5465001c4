/* Requests and tokens for tests of the access API: as clients send them, without a connection. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/access/access.h"
#include "token/token.h"

#define SECRET   "a shared secret"
#define AUDIENCE "https://app.example.org/ed0/access"
#define RELAY    "wss://app.example.org/ed0/relay"

enum {
    NOW_S = 1700000000,
    NOW_MS = 5000000,
    CODE_TTL_MS = 30000,
    CODES_MAX = 64,
    BOOKINGS_MAX = 16,
    CONNECTIONS_MAX = 320
};

/* One access API without a server around it. */
struct office {
    struct access_context context;
    struct counters counters;
    struct alarms alarms;
    struct token_keys_slot keys;
    struct http_request request;
    struct access_call call;
    struct access_reply reply;
};

static inline void office_open(struct office *office)
{
    *office = (struct office){
        .context = {.audience = AUDIENCE,
                    .url = RELAY,
                    .subprotocols = ACCESS_SUBPROTOCOLS_NULL,
                    .codes = code_store_create(CODES_MAX, CODE_TTL_MS),
                    .places = places_create(CONNECTIONS_MAX)},
    };
    token_keys_slot_init(&office->keys, token_keys_create(SECRET));
    office->context.keys = &office->keys;
    office->context.bookings = bookings_create(BOOKINGS_MAX, office->context.codes);
    cr_assert_not_null(office->keys.keys);
    cr_assert_not_null(office->context.codes);
    cr_assert_not_null(office->context.bookings);
}

static inline void office_close(struct office *office)
{
    bookings_destroy(office->context.bookings);
    token_keys_slot_deinit(&office->keys);
    code_store_destroy(office->context.codes);
    places_destroy(office->context.places);
}

/* Claims that are granted everything; tests spoil one of them at a time. */
static inline struct token_claims good_claims(void)
{
    struct token_claims claims = {.booking_id = "bid0",
                                  .topic = "t0",
                                  .prefix = "session",
                                  .exp_s = NOW_S + 60,
                                  .nbf_s = NOW_S - 1,
                                  .iat_s = NOW_S - 1};

    cr_assert(token_claims_add_scope(&claims, "read"));
    cr_assert(token_claims_add_scope(&claims, "write"));
    cr_assert(token_claims_add_audience(&claims, AUDIENCE));
    return claims;
}

/* The caller frees. */
static inline char *token_of_claims(const struct office *office, const struct token_claims *claims)
{
    char *text = NULL;

    cr_assert_eq(token_sign(office->keys.keys, claims, &text), TOKEN_OK);
    return text;
}

/* fields: whole lines with their ends. body: NULL for none. */
static inline void parse_request(struct http_request *request, const char *method,
                                 const char *target, const char *fields, const char *body)
{
    static char text[HTTP_HEAD_BYTES_MAX + 1024];
    char length[48] = "";

    if (body != NULL) {
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    }
    int len = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: x\r\n%s%s\r\n%s", method, target,
                       fields, length, body == NULL ? "" : body);
    struct bytes input = bytes_of(text, (size_t)len);

    http_request_init(request);
    cr_assert_eq(http_request_parse(request, &input), HTTP_REQUEST_OK, "%s", text);
}

/* Asks and gets the reply. token: NULL for no Authorization. */
static inline void ask(struct office *office, const char *method, const char *target,
                       const char *token, const char *fields, const char *body)
{
    static char lines[HTTP_HEAD_BYTES_MAX];

    snprintf(lines, sizeof lines, "%s%s%s%s",
             token == NULL ? "" : "Authorization: ", token == NULL ? "" : token,
             token == NULL ? "" : "\r\n", fields);
    parse_request(&office->request, method, target, lines, body);
    office->call = (struct access_call){.context = &office->context,
                                        .counters = &office->counters,
                                        .alarms = &office->alarms,
                                        .request = &office->request,
                                        .now_ms = NOW_MS,
                                        .now_s = NOW_S};
    memset(&office->reply, 0xee, sizeof office->reply);
    access_handle(&office->call, &office->reply);
}

static inline void ask_with_claims(struct office *office, const char *target,
                                   const struct token_claims *claims)
{
    char *token = token_of_claims(office, claims);

    ask(office, "POST", target, token, "", NULL);
    free(token);
}

static inline void expect_reply(const struct office *office, unsigned status, const char *body)
{
    cr_assert_eq(office->reply.body_len, strlen(office->reply.body));
    cr_assert_str_eq(office->reply.body, body);
    cr_assert_eq(office->reply.status, status);
    cr_assert_str_eq(office->reply.content_type, "application/json");
}

/* The code at the end of a granted reply. */
static inline struct bytes granted_code(const struct office *office)
{
    const char *code = strstr(office->reply.body, "?code=");

    cr_assert_eq(office->reply.status, 200, "%s", office->reply.body);
    cr_assert_not_null(code);
    return bytes_of(code + 6, CODE_SIZE - 1);
}
