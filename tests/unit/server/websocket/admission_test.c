/* Goal: only who holds a fresh code for this topic gets in; everybody else is told why by a status,
 * and a code is used up by the first try that names it.
 * Method: a good request, spoilt one thing at a time. */
#include "server/websocket/admission.h"
#include "tests/unit/server/access/access_fixture.h"

#define NONCE   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define GOOD    UPGRADE VERSION NONCE

static struct office office;
static struct admission admission;

static void open_office(void)
{
    office_open(&office);
}

static void close_office(void)
{
    office_close(&office);
}

TestSuite(admission, .init = open_office, .fini = close_office);

static struct permission good_permission(void)
{
    return (struct permission){.topic = "t0",
                               .booking_id = "bid0",
                               .exp_s = NOW_S + 60,
                               .nbf_s = NOW_S - 1,
                               .can_read = true,
                               .can_write = true,
                               .is_session = true};
}

static void make_code(const struct permission *permission, char *code)
{
    cr_assert_eq(code_store_put(office.context.codes, permission, NOW_MS, code), 0);
}

static void try_request(const char *method, const char *target, const char *fields, uint64_t now_ms)
{
    parse_request(&office.request, method, target, fields, NULL);
    memset(&admission, 0xee, sizeof admission);
    admission_check(&office.context, &office.request, now_ms, NOW_S, &admission);
    if (admission.status == 101) {
        cr_assert_eq(places_count(office.context.places), 1);
        admission_undo(&office.context, &admission);
    }
}

/* before and after: what surrounds the code in the target. */
static void try_code(const char *before, const char *code, const char *after)
{
    char target[4096];
    int len = snprintf(target, sizeof target, "%s%s%s", before, code, after);

    cr_assert_lt(len, (int)sizeof target);
    try_request("GET", target, GOOD, NOW_MS);
}

static void expect_refused(unsigned status)
{
    cr_assert_eq(admission.status, status, "%u: %s", admission.status, admission.reason);
    cr_assert_not_null(admission.reason);
}

Test(admission, lets_in_who_has_a_code)
{
    struct permission permission = good_permission();
    char code[CODE_SIZE];

    make_code(&permission, code);
    try_code("/session/t0?code=", code, "");
    cr_assert_eq(admission.status, 101, "%s", admission.reason);
    cr_assert_str_eq(admission.permission.topic, "t0");
    cr_assert_str_eq(admission.permission.booking_id, "bid0");
    cr_assert_eq(admission.permission.exp_s, NOW_S + 60);
    cr_assert(admission.permission.can_read && admission.permission.can_write);
    cr_assert_eq(admission.subprotocol.len, 0);
    cr_assert_str_eq(admission.location, "");
}

Test(admission, takes_the_path_and_code_in_every_known_form)
{
    static const struct {
        const char *before, *after;
    } forms[] = {
        {"/session/t0/?code=", ""},
        {"/session/t0?a=b&code=", "&c=d"},
        {"/session/t0?code=", "&code=other"},
        {"/session/%740?code=", ""},
        {"http://some.host/session/t0?code=", ""},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        struct permission permission = good_permission();
        char code[CODE_SIZE];

        make_code(&permission, code);
        try_code(forms[i].before, code, forms[i].after);
        cr_assert_eq(admission.status, 101, "%s: %s", forms[i].before, admission.reason);
    }
}

Test(admission, finds_topics_with_slashes_and_escapes)
{
    static const struct {
        const char *topic;
        const char *path;
    } cases[] = {{"stream/front/large", "/session/stream/front/large?code="},
                 {"a/b", "/session/a%2Fb?code="},
                 {"a b", "/session/a%20b?code="},
                 {"a%20b", "/session/a%20b?code="},
                 {"a+b", "/session/a+b?code="}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct permission permission = good_permission();
        char code[CODE_SIZE];

        snprintf(permission.topic, sizeof permission.topic, "%s", cases[i].topic);
        make_code(&permission, code);
        try_code(cases[i].path, code, "");
        cr_assert_eq(admission.status, 101, "%s: %s", cases[i].path, admission.reason);
    }
}

static void try_offer(const char *fields)
{
    struct permission permission = good_permission();
    char code[CODE_SIZE], target[128];

    make_code(&permission, code);
    snprintf(target, sizeof target, "/session/t0?code=%s", code);
    try_request("GET", target, fields, NOW_MS);
    cr_assert_eq(admission.status, 101);
}

Test(admission, knows_the_protocol_that_old_players_offer)
{
    static const struct {
        const char *fields;
        bool offers;
    } cases[] = {
        {GOOD "Sec-WebSocket-Protocol: null\r\n", true},
        {GOOD "Sec-WebSocket-Protocol: chat, null\r\n", true},
        {GOOD "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: null\r\n", true},
        {GOOD "Sec-WebSocket-Protocol: nullable\r\n", false},
        {GOOD, false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        try_offer(cases[i].fields);
        cr_assert_eq(admission.subprotocol.len > 0, cases[i].offers, "case %zu", i);
    }
}

Test(admission, gives_relay_v1_to_clients_that_offer_it_among_others)
{
    static const struct {
        const char *fields;
        bool offers;
    } cases[] = {
        {GOOD "Sec-WebSocket-Protocol: relay.v1\r\n", true},
        {GOOD "Sec-WebSocket-Protocol: null, relay.v1\r\n", true},
        {GOOD "Sec-WebSocket-Protocol: relay.v10\r\n", false},
        {GOOD, false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        try_offer(cases[i].fields);
        cr_assert_eq(admission.is_v1, cases[i].offers, "case %zu", i);
        cr_assert_eq(bytes_equal_text(admission.subprotocol, "relay.v1"), cases[i].offers);
    }
}

Test(admission, sends_unclean_paths_to_clean_ones)
{
    static const struct {
        const char *target;
        const char *location;
    } cases[] = {
        {"//session/t0?code=x", "/session/t0?code=x"},
        {"/session//t0", "/session/t0"},
        {"/session/t0//?code=x&a=b", "/session/t0?code=x&a=b"},
        {"/x/../session/t0?code=x", "/session/t0?code=x"},
        {"/session/./t0", "/session/t0"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        try_request("GET", cases[i].target, GOOD, NOW_MS);
        expect_refused(301);
        cr_assert_str_eq(admission.location, cases[i].location);
    }
}

Test(admission, does_not_use_up_the_code_of_a_request_that_it_sends_elsewhere)
{
    struct permission permission = good_permission();
    char code[CODE_SIZE];

    make_code(&permission, code);
    try_code("//session/t0?code=", code, "");
    expect_refused(301);
    try_code(admission.location, "", "");
    cr_assert_eq(admission.status, 101);
}

Test(admission, serves_sessions_only)
{
    static const char *const targets[] = {
        "/", "/nope", "/shell/t0?code=x", "/session", "/session/", "/sessions/t0", "/SESSION/t0"};

    for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
        try_request("GET", targets[i], GOOD, NOW_MS);
        expect_refused(404);
    }
    try_request("POST", "/nope", "", NOW_MS);
    expect_refused(404);
}

Test(admission, refuses_malformed_targets)
{
    try_request("GET", "/", GOOD, NOW_MS);
    office.request.target = bytes_of_text("*");
    admission_check(&office.context, &office.request, NOW_MS, NOW_S, &admission);
    expect_refused(400);
}

Test(admission, wants_a_proper_upgrade_before_it_looks_at_the_code)
{
    static const struct {
        const char *method;
        const char *fields;
        unsigned status;
    } cases[] = {
        {"GET", "", 400},
        {"POST", "", 400},
        {"GET", VERSION NONCE, 400},
        {"POST", GOOD, 405},
        {"PUT", GOOD, 405},
        {"GET", UPGRADE NONCE, 400},
        {"GET", UPGRADE NONCE "Sec-WebSocket-Version: 8\r\n", 400},
        {"GET", UPGRADE VERSION, 400},
        {"GET", UPGRADE VERSION "Sec-WebSocket-Key: short\r\n", 400},
    };
    struct permission permission = good_permission();
    char code[CODE_SIZE], target[128];

    make_code(&permission, code);
    snprintf(target, sizeof target, "/session/t0?code=%s", code);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        try_request(cases[i].method, target, cases[i].fields, NOW_MS);
        expect_refused(cases[i].status);
    }
    try_request("GET", target, GOOD, NOW_MS);
    cr_assert_eq(admission.status, 101, "the code still works");
}

Test(admission, wants_a_code_that_works)
{
    struct permission permission = good_permission();
    char code[CODE_SIZE], target[256], long_code[200];

    memset(long_code, 'x', sizeof long_code);
    long_code[sizeof long_code - 1] = '\0';
    make_code(&permission, code);
    try_request("GET", "/session/t0", GOOD, NOW_MS);
    expect_refused(401);
    try_code("/session/t0?code=", "", "");
    expect_refused(401);
    try_code("/session/t0?Code=", code, "");
    expect_refused(401);
    try_code("/session/t0?code=", "unknown", "");
    expect_refused(401);
    try_code("/session/t0?code=", long_code, "");
    expect_refused(401);
    try_code("/session/t0?code=other&code=", code, "");
    expect_refused(401);
    snprintf(target, sizeof target, "/session/t0?code=%s", code);
    try_request("GET", target, GOOD, NOW_MS + CODE_TTL_MS + 1);
    expect_refused(401);
}

Test(admission, uses_a_code_up_whatever_comes_after)
{
    struct permission permission = good_permission();
    char code[CODE_SIZE];

    make_code(&permission, code);
    try_code("/session/t0?code=", code, "");
    cr_assert_eq(admission.status, 101);
    try_code("/session/t0?code=", code, "");
    expect_refused(401);
    make_code(&permission, code);
    try_code("/session/other?code=", code, "");
    expect_refused(403);
    try_code("/session/t0?code=", code, "");
    expect_refused(401);
}

Test(admission, judges_what_the_code_stands_for)
{
    struct permission permissions[7];
    static const unsigned statuses[] = {401, 101, 401, 403, 101, 101, 403};

    for (size_t i = 0; i < ARRAY_LENGTH(permissions); i++) {
        permissions[i] = good_permission();
    }
    permissions[0].nbf_s = NOW_S + TOKEN_LEEWAY_S + 1;
    permissions[1].nbf_s = NOW_S + TOKEN_LEEWAY_S;
    permissions[2].exp_s = NOW_S;
    permissions[3].can_read = permissions[3].can_write = false;
    permissions[4].can_read = false;
    permissions[5].exp_s = NOW_S + 1;
    permissions[6].is_session = false;
    for (size_t i = 0; i < ARRAY_LENGTH(permissions); i++) {
        char code[CODE_SIZE];

        make_code(&permissions[i], code);
        try_code("/session/t0?code=", code, "");
        cr_assert_eq(admission.status, statuses[i], "case %zu: %s", i, admission.reason);
    }
}

Test(admission, wants_the_topic_of_the_code)
{
    static const char *const paths[] = {
        "/session/t1?code=", "/session/t?code=", "/session/t0/x?code=", "/session/T0?code=",
        "/session/%zz?code="};

    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct permission permission = good_permission();
        char code[CODE_SIZE];

        make_code(&permission, code);
        try_code(paths[i], code, "");
        expect_refused(403);
    }
}

/* A denial kills the codes that are there; this one was made by a worker that raced with it. */
Test(admission, refuses_a_denied_booking_that_has_a_code)
{
    struct permission permission = good_permission();
    char code[CODE_SIZE];

    cr_assert_eq(bookings_deny(office.context.bookings, "bid0", NOW_S + 60, NOW_S), 0);
    make_code(&permission, code);
    try_code("/session/t0?code=", code, "");
    expect_refused(403);
    try_code("/session/t0?code=", code, "");
    expect_refused(401);
    bookings_allow(office.context.bookings, "bid0", NOW_S + 60, NOW_S);
    make_code(&permission, code);
    try_code("/session/t0?code=", code, "");
    cr_assert_eq(admission.status, 101, "%s", admission.reason);
}

Test(admission, refuses_codes_that_were_given_out_before_the_denial)
{
    struct permission permission = good_permission();
    char code[CODE_SIZE];

    make_code(&permission, code);
    cr_assert_eq(bookings_deny(office.context.bookings, "bid0", NOW_S + 60, NOW_S), 0);
    try_code("/session/t0?code=", code, "");
    expect_refused(401);
}

Test(admission, forgets_a_denial_that_expired)
{
    struct permission permission = good_permission();
    char code[CODE_SIZE];

    cr_assert_eq(bookings_deny(office.context.bookings, "bid0", NOW_S - 1, NOW_S - 1), 0);
    make_code(&permission, code);
    try_code("/session/t0?code=", code, "");
    cr_assert_eq(admission.status, 101, "%s", admission.reason);
}

Test(admission, is_refused_without_a_place_for_its_booking)
{
    struct permission permission = good_permission();
    char code[CODE_SIZE];
    unsigned taken = 0;

    make_code(&permission, code);
    while (places_take(office.context.places, &permission) == 0) {
        taken++;
    }
    try_code("/session/t0?code=", code, "");
    expect_refused(503);
    cr_assert_eq(places_count(office.context.places), taken);
    for (unsigned i = 0; i < taken; i++) {
        places_give(office.context.places, permission.booking_id, permission.topic);
    }
}

/* As it was admitted, with a place that is given back when it is refused later. */
static void admit(void)
{
    struct permission permission = good_permission();

    admission = (struct admission){.status = 101, .permission = permission};
    cr_assert_eq(places_take(office.context.places, &permission), 0);
}

static void expect_held_no_more(int64_t now_s, unsigned status)
{
    cr_assert_not(admission_holds(&office.context, &admission, now_s));
    cr_assert_eq(admission.status, 101);
    cr_assert_not(admission_check_again(&office.context, &admission, now_s));
    expect_refused(status);
    cr_assert_eq(places_count(office.context.places), 0);
}

Test(admission, holds_until_something_changes)
{
    admit();
    cr_assert(admission_holds(&office.context, &admission, NOW_S + 59));
    cr_assert(admission_check_again(&office.context, &admission, NOW_S + 59));
    cr_assert_eq(admission.status, 101);
    cr_assert_eq(places_count(office.context.places), 1);
    admission_undo(&office.context, &admission);
}

Test(admission, does_not_hold_when_the_token_has_expired_meanwhile)
{
    admit();
    expect_held_no_more(NOW_S + 60, 401);
}

Test(admission, does_not_hold_when_the_booking_was_denied_meanwhile)
{
    admit();
    cr_assert_eq(bookings_deny(office.context.bookings, "bid0", NOW_S + 60, NOW_S), 0);
    expect_held_no_more(NOW_S, 403);
}

Test(admission, does_not_hold_when_the_relay_stops_meanwhile)
{
    admit();
    atomic_store(&office.context.is_draining, true);
    expect_held_no_more(NOW_S, 503);
}
