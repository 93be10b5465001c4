/* Goal: a token moves the end of a connection and of its booking exactly when it is valid now, for
 * this relay, and for the same booking, topic and scopes, the booking is not denied, and the end is
 * a later one; and the time that verifying takes is bounded.
 * Method: good claims with one thing changed at a time. */
#include "server/websocket/v1/renewal.h"

#include <stdlib.h>

#include "tests/unit/server/websocket/speech.h"

static struct token_keys_slot keys;

static void open_renewal(void)
{
    service_open();
    token_keys_slot_init(&keys, token_keys_create("secret"));
    stage.shared.access.keys = &keys;
    conn = join_v1("t0", true, true);
    phase_websocket_of(conn)->identity.scopes_json = "[\"read\",\"write\"]";
}

static void close_renewal(void)
{
    service_close();
    token_keys_slot_deinit(&keys);
}

TestSuite(renewal, .init = open_renewal, .fini = close_renewal);

static struct token_claims good_claims(void)
{
    struct token_claims claims = {.booking_id = "b0",
                                  .topic = "t0",
                                  .prefix = "session",
                                  .exp_s = clock_wall_s() + 7200,
                                  .nbf_s = clock_wall_s() - 1,
                                  .iat_s = clock_wall_s() - 1};

    CHECK(token_claims_add_scope(&claims, "read") && token_claims_add_scope(&claims, "write"));
    CHECK(token_claims_add_audience(&claims, "http://x"));
    return claims;
}

static enum relay_v1_expiry_result take(const struct token_claims *claims)
{
    char *text = NULL;

    CHECK(token_sign(keys.keys, claims, &text) == TOKEN_OK);
    enum relay_v1_expiry_result result = renewal_take(conn, bytes_of_text(text));

    free(text);
    return result;
}

static int64_t listed_until_s(void)
{
    enum booking_list list;
    int64_t exp_s = 0;

    cr_assert(bookings_find(stage.shared.access.bookings, "b0", &list, &exp_s));
    cr_assert_eq(list, BOOKINGS_ALLOWED);
    return exp_s;
}

Test(renewal, a_good_token_moves_the_end)
{
    struct token_claims claims = good_claims();

    cr_assert_eq(take(&claims), RELAY_V1_EXPIRY_RENEWED);
    cr_assert_eq(phase_websocket_of(conn)->exp_s, claims.exp_s);
    cr_assert_eq(listed_until_s(), claims.exp_s);
    cr_assert_eq(stage_counted(v1_renewed), 1);
}

Test(renewal, an_earlier_end_changes_nothing)
{
    struct token_claims claims = good_claims();
    int64_t exp_s = claims.exp_s;

    cr_assert_eq(take(&claims), RELAY_V1_EXPIRY_RENEWED);
    claims.exp_s -= 7000;
    cr_assert_eq(take(&claims), RELAY_V1_EXPIRY_RENEWED);
    cr_assert_eq(phase_websocket_of(conn)->exp_s, exp_s);
    cr_assert_eq(listed_until_s(), exp_s);
}

Test(renewal, a_denied_booking_gets_none)
{
    struct bookings *bookings = stage.shared.access.bookings;
    int64_t exp_s = phase_websocket_of(conn)->exp_s;
    struct token_claims claims = good_claims();

    cr_assert_eq(bookings_deny(bookings, "b0", claims.exp_s, clock_wall_s()), 0);
    cr_assert_eq(take(&claims), RELAY_V1_EXPIRY_DENIED);
    cr_assert_eq(phase_websocket_of(conn)->exp_s, exp_s);
    cr_assert_eq(stage_counted(v1_renewals_refused), 1);
}

Test(renewal, a_worker_verifies_a_burst_and_then_so_many_a_second)
{
    struct token_claims claims = good_claims();

    for (unsigned i = 0; i < RENEWALS_BURST; i++) {
        cr_assert_eq(renewal_take(conn, bytes_of_text("no token")), RELAY_V1_EXPIRY_INVALID);
    }
    cr_assert_eq(take(&claims), RELAY_V1_EXPIRY_TOO_OFTEN);
    cr_assert_eq(stage_counted(v1_renewals_put_off), 1);
    cr_assert_eq(stage_counted(v1_renewals_refused), RENEWALS_BURST);
    stage.worker.now_ms += 2 * 1000 / RENEWALS_PER_SECOND;
    cr_assert_eq(take(&claims), RELAY_V1_EXPIRY_RENEWED);
    cr_assert_eq(take(&claims), RELAY_V1_EXPIRY_RENEWED);
    cr_assert_eq(take(&claims), RELAY_V1_EXPIRY_TOO_OFTEN);
    cr_assert_eq(stage_counted(v1_renewals_put_off), 2);
}

Test(renewal, other_tokens_do_not)
{
    int64_t exp_s = phase_websocket_of(conn)->exp_s;
    struct token_claims cases[6];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cases[i] = good_claims();
    }
    cases[0].exp_s = clock_wall_s() - 1;
    memcpy(cases[1].audiences[0], "http://y", 9);
    memcpy(cases[2].topic, "t1", 3);
    memcpy(cases[3].booking_id, "b1", 3);
    memcpy(cases[4].prefix, "shell", 6);
    cases[5].scopes_count = 1;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_assert_eq(take(&cases[i]), i < 2 ? RELAY_V1_EXPIRY_INVALID : RELAY_V1_EXPIRY_OTHER,
                     "%zu", i);
    }
    cr_assert_eq(renewal_take(conn, bytes_of_text("no token")), RELAY_V1_EXPIRY_INVALID);
    cr_assert_eq(renewal_take(conn, bytes_of(NULL, 0)), RELAY_V1_EXPIRY_INVALID);
    cr_assert_eq(phase_websocket_of(conn)->exp_s, exp_s);
    cr_assert_eq(stage_counted(v1_renewals_refused), ARRAY_LENGTH(cases) + 2);
}
