/* Goal: a record's length is what its header says, within the bounds of RFC 8446, and what is no
 * TLS is seen in its first five bytes. */
#include <criterion/criterion.h>

#include "base/attributes.h"
#include "server/tls/record/tls_record.h"

Test(tls_record, measures_what_a_handshake_may_contain)
{
    static const struct {
        uint8_t header[TLS_RECORD_HEADER];
        size_t len;
    } cases[] = {
        {{22, 3, 1, 2, 0}, 517},
        {{22, 3, 3, 0, 1}, 6},
        {{20, 3, 3, 0, 1}, 6},
        {{21, 3, 3, 0, 2}, 7},
        {{23, 3, 3, 0x41, 0x00}, TLS_RECORD_BYTES_MAX},
        {{23, 3, 3, 0x41, 0x01}, 0},
        {{22, 3, 3, 0xff, 0xff}, 0},
        {{22, 3, 3, 0, 0}, 0},
        {{22, 2, 0, 0, 16}, 0},
        {{22, 4, 0, 0, 16}, 0},
        {{19, 3, 3, 0, 16}, 0},
        {{24, 3, 3, 0, 16}, 0},
        {{0x80, 0x2e, 1, 3, 1}, 0},
        {{'G', 'E', 'T', ' ', '/'}, 0},
        {{0, 0, 0, 0, 0}, 0},
        {{255, 255, 255, 255, 255}, 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_assert_eq(tls_record_measure(cases[i].header), cases[i].len, "case %zu", i);
    }
}

Test(tls_record, counts_records_whole_and_cut_off)
{
    static const uint8_t data[] = {22, 3, 3, 0, 2, 1, 2, 23, 3, 3, 0, 0, 23, 3, 3, 0, 9, 1};
    static const uint32_t expected[] = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3};

    for (size_t len = 0; len <= sizeof data; len++) {
        cr_assert_eq(tls_record_count(data, len), expected[len], "%zu bytes", len);
    }
}
