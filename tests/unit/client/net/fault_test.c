/* Texts that leave the library are printable, short, and without secrets. */
#include "client/net/fault.h"

#include <criterion/criterion.h>
#include <string.h>

Test(fault, cleans_text_of_strangers)
{
    static const struct {
        const char *text, *clean;
    } cases[] = {
        {"", ""},
        {"connection refused", "connection refused"},
        {"two\r\nlines\x1b[31m", "two  lines [31m"},
        {"gr\xc3\xbcn", "gr??n"},
        {"wss://h/session/x?code=123e4567-e89b (gone)", "wss://h/session/x?code=<redacted> (gone)"},
        {"code=a&code=b", "code=<redacted>&code=<redacted>"},
        {"token eyJhbGciOi.eyJ0b3BpYyI6.abc-_Z is bad", "token <redacted> is bad"},
        {"code=", "code=<redacted>"},
        {"eyJ", "<redacted>"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char clean[200];

        fault_text_clean(bytes_of_text(cases[i].text), clean, sizeof clean);
        cr_assert_str_eq(clean, cases[i].clean);
    }
}

Test(fault, cuts_what_does_not_fit)
{
    char clean[8];

    for (size_t size = 1; size <= sizeof clean; size++) {
        memset(clean, 'x', sizeof clean);
        fault_text_clean(bytes_of_text("0123456789"), clean, size);
        cr_assert_eq(strlen(clean), size - 1);
        fault_text_clean(bytes_of_text("eyJsecret"), clean, size);
        cr_assert_eq(strlen(clean), size - 1);
        cr_assert_null(strstr(clean, "sec"));
    }
}

Test(fault, keeps_kind_and_text)
{
    struct fault fault;

    fault_clear(&fault);
    cr_assert_eq(fault_set(&fault, RELAY_CLIENT_FAULT_HTTP, "HTTP %d: %s", 500, "bad\nday"),
                 PROGRESS_FAILED);
    cr_assert_eq(fault.kind, RELAY_CLIENT_FAULT_HTTP);
    cr_assert_str_eq(fault.text, "HTTP 500: bad day");
}
