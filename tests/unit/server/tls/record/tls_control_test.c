/* Goal: control records mean what they say, or nothing. */
#include "server/tls/record/tls_control.h"

#include <criterion/criterion.h>

Test(tls_control, records_mean_what_they_say)
{
    static const struct {
        uint8_t type;
        const char *payload;
        size_t len;
        enum tls_control meaning;
    } cases[] = {
        {21, "\x01\x00", 2, TLS_CONTROL_CLOSE},
        {21, "\x02\x00", 2, TLS_CONTROL_CLOSE},
        {21, "\x02\x14", 2, TLS_CONTROL_ALERT},
        {21, "\x01\x5a", 2, TLS_CONTROL_NOTHING},
        {21, "\x02\x5a", 2, TLS_CONTROL_NOTHING},
        {21, "\xff\xff", 2, TLS_CONTROL_ALERT},
        {21, "", 0, TLS_CONTROL_BAD},
        {21, "\x01", 1, TLS_CONTROL_BAD},
        {21, "\x01\x00\x01", 3, TLS_CONTROL_BAD},
        {22, "\x18\x00\x00\x01\x00", 5, TLS_CONTROL_REKEY},
        {22, "\x18\x00\x00\x01\x01", 5, TLS_CONTROL_REKEY_AND_ANSWER},
        {22, "\x18\x00\x00\x01\x02", 5, TLS_CONTROL_BAD_VALUE},
        {22, "\x18\x00\x00\x01\xff", 5, TLS_CONTROL_BAD_VALUE},
        {22, "\x18\x00\x00\x02\x00", 5, TLS_CONTROL_BAD},
        {22, "\x18\x00\x01\x01\x00", 5, TLS_CONTROL_BAD},
        {22, "\x18\x01\x00\x01\x00", 5, TLS_CONTROL_BAD},
        {22, "\x04\x00\x00\x01\x00", 5, TLS_CONTROL_BAD},
        {22, "\x18\x00\x00\x01", 4, TLS_CONTROL_BAD},
        {22, "\x18\x00\x00\x01\x00\x18\x00\x00\x01\x00", 10, TLS_CONTROL_BAD},
        {22, "", 0, TLS_CONTROL_BAD},
        {20, "\x01", 1, TLS_CONTROL_BAD},
        {24, "\x01\x00", 2, TLS_CONTROL_BAD},
        {0, "\x01\x00", 2, TLS_CONTROL_BAD},
        {255, "\x18\x00\x00\x01\x00", 5, TLS_CONTROL_BAD},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(tls_control_parse(cases[i].type, bytes_of(cases[i].payload, cases[i].len)),
                     cases[i].meaning, "case %zu", i);
    }
}
