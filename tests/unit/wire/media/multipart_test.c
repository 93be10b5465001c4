/* Goal: a multipart body as cameras send it is recognised by its first bytes, and nothing else is.
 * Method: openings of bodies (RFC 2046 §5.1; of real cameras' kinds) and texts that look alike. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/attributes.h"
#include "wire/media/multipart.h"

#define SEVENTY "0123456789012345678901234567890123456789012345678901234567890123456789"

Test(multipart, is_recognised_by_its_first_part)
{
    static const struct {
        const char *opening;
        bool multipart;
    } cases[] = {
        {"--frame\r\nContent-Type: image/jpeg\r\n\r\n", true},
        {"\r\n--frame\r\nContent-Type: image/jpeg\r\n", true},
        {"\n--frame\ncontent-length: 10\n", true},
        {"----boundary--\r\nCONTENT-TYPE: image/jpeg", true},
        {"--frame \t\r\nContent-Type: image/jpeg", false}, /* a tab is no blank of ours */
        {"--frame \r\nContent-Type: image/jpeg", true},
        {"--" SEVENTY "\r\nContent-Type: image/jpeg", true},
        {"--" SEVENTY SEVENTY "\r\nContent-Type: image/jpeg", false},
        {"--frame\r\nX-Timestamp: 1\r\n", false},
        {"--frame\r\n", false},
        {"--frame", false},
        {"-frame\r\nContent-Type: image/jpeg", false},
        {"frame\r\nContent-Type: image/jpeg", false},
        {"--fr\x01me\r\nContent-Type: image/jpeg", false},
        {"--fr\rme\r\nContent-Type: image/jpeg", false},
        {"", false},
        {"\r\n", false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct bytes bytes = bytes_of(cases[i].opening, strlen(cases[i].opening));

        cr_expect_eq(multipart_probe(bytes), cases[i].multipart, "%zu: %s", i, cases[i].opening);
    }
}
