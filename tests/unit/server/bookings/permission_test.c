/* Goal: a permission says what the claims say, no more.
 * Method: scopes one by one, and texts at their longest. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/bookings/permission.h"

Test(permission, comes_from_the_scopes_read_and_write)
{
    static const struct {
        const char *scopes[3];
        bool can_read, can_write;
    } cases[] = {
        {{NULL}, false, false},
        {{"read"}, true, false},
        {{"write"}, false, true},
        {{"read", "write"}, true, true},
        {{"relay:admin", "expt", "write"}, false, true},
        {{"Read", "WRITE"}, false, false},
        {{"readwrite", "read ", " write"}, false, false},
        {{"relay:admin", "relay:stats"}, false, false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct token_claims claims = {0};
        struct permission permission;

        for (size_t j = 0; j < 3 && cases[i].scopes[j] != NULL; j++) {
            cr_assert(token_claims_add_scope(&claims, cases[i].scopes[j]));
        }
        permission_from_claims(&permission, &claims);
        cr_assert_eq(permission.can_read, cases[i].can_read, "case %zu", i);
        cr_assert_eq(permission.can_write, cases[i].can_write, "case %zu", i);
    }
}

Test(permission, keeps_topic_booking_and_times)
{
    struct token_claims claims = {.exp_s = INT64_MAX, .nbf_s = -5};
    struct permission permission;

    memset(claims.topic, 't', TOKEN_TEXT_SIZE - 1);
    memset(claims.booking_id, 'b', TOKEN_TEXT_SIZE - 1);
    permission_from_claims(&permission, &claims);
    cr_assert_str_eq(permission.topic, claims.topic);
    cr_assert_str_eq(permission.booking_id, claims.booking_id);
    cr_assert_eq(permission.exp_s, INT64_MAX);
    cr_assert_eq(permission.nbf_s, -5);
}

Test(permission, is_for_sessions_when_the_prefix_says_exactly_so)
{
    static const struct {
        const char *prefix;
        bool is_session;
    } cases[] = {{"session", true},  {"shell", false},    {"", false},
                 {"Session", false}, {"sessions", false}, {"session/", false}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct token_claims claims = {0};
        struct permission permission;

        memcpy(claims.prefix, cases[i].prefix, strlen(cases[i].prefix));
        permission_from_claims(&permission, &claims);
        cr_assert_eq(permission.is_session, cases[i].is_session, "%s", cases[i].prefix);
    }
}
