/* Goal: options that a hand-over cannot change are told apart from those that it can. */
#include "server/succession/terms.h"

#include <criterion/criterion.h>
#include <string.h>

#include "server/handover/handover_format.h"
#include "tests/unit/server/config_fixture.h"

static uint8_t memory[4096];
static char reason[600];

TestSuite(terms, .init = clear_environment, .fini = release_config);

static struct handover_record theirs(void)
{
    struct handover_writer writer;
    struct handover_record record;
    size_t len;

    handover_writer_init(&writer, memory, sizeof memory);
    handover_writer_begin(&writer, HANDOVER_HELLO, 0);
    terms_write(&config, &writer);
    cr_assert(handover_writer_end(&writer));
    cr_assert_eq(handover_reader_record(bytes_of(memory, writer.len), &record, &len),
                 HANDOVER_READ);
    return record;
}

static bool agree_after(const char *flag_before, const char *flag_now)
{
    cr_assert_eq(parse_one(flag_now), OPTIONS_OK, "%s", error);
    struct handover_record record = theirs();

    cr_assert_eq(parse_one(flag_before), OPTIONS_OK, "%s", error);
    return terms_agree(&config, &record, reason, sizeof reason);
}

Test(terms, what_may_change_is_no_difference)
{
    cr_assert(agree_after("--workers=2", "--workers=3"));
    cr_assert(agree_after("--log-level=warn", "--log-level=info"));
    cr_assert(agree_after("--tls-cert=a.pem", "--tls-cert=b.pem"));
}

Test(terms, what_may_not_is_named_with_both_values)
{
    static const struct {
        const char *before, *now, *expected;
    } rows[] = {
        {"--port-access=1", "--port-access=2", "RELAY_PORT_ACCESS was changed from \"1\" to \"2\""},
        {"--port-relay=1", "--port-relay=2", "RELAY_PORT_RELAY was changed"},
        {"--bind-address=::1", "--bind-address=", "RELAY_BIND_ADDRESS was changed from \"::1\" to"},
        {"--admin-listen=off", "--admin-listen=/x", "RELAY_ADMIN_LISTEN was changed"},
        {"--store=memory", "--store=/x", "RELAY_STORE was changed"},
        {"--tls-cert=", "--tls-cert=a.pem", "RELAY_TLS_CERT was changed from \"unset\" to \"set\""},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        cr_assert_not(agree_after(rows[i].before, rows[i].now), "%s", rows[i].expected);
        cr_assert_eq(strncmp(reason, rows[i].expected, strlen(rows[i].expected)), 0, "%s", reason);
    }
}

Test(terms, one_that_the_other_program_does_not_know_is_none)
{
    struct handover_record record = {.kind = HANDOVER_HELLO};

    cr_assert_eq(parse_one("--store=memory"), OPTIONS_OK);
    cr_assert(terms_agree(&config, &record, reason, sizeof reason));
}
