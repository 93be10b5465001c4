/* Reaches duration_parse. What is accepted consists of numbers and units only, a duration written
 * twice is twice as long, and one with more behind it is not shorter. Input: a duration. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/options.h"

enum { TEXT_BYTES_MAX = 100 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_BYTES_MAX + 1], twice[2 * TEXT_BYTES_MAX + 1], more[TEXT_BYTES_MAX + 8];
    int64_t ms = -1, twice_ms = -1, more_ms = -1;

    if (size > TEXT_BYTES_MAX) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    snprintf(twice, sizeof twice, "%s%s", text, text);
    snprintf(more, sizeof more, "%s1ms", text);
    if (duration_parse(text, &ms) != 0) {
        CHECK(ms == -1);
        return 0;
    }
    CHECK(ms >= 0 && ms <= INT64_MAX / 1000000);
    CHECK(text[0] != '\0' && strspn(text, "0123456789.hmsun\xc2\xb5\xce\xbc") == strlen(text));
    if (strcmp(text, "0") == 0) {
        return 0;
    }
    /* Fractions of a millisecond may add up to one more. */
    if (duration_parse(twice, &twice_ms) == 0) {
        CHECK(twice_ms == 2 * ms || twice_ms == 2 * ms + 1);
    } else {
        CHECK(ms >= INT64_MAX / 1000000 / 2);
    }
    if (duration_parse(more, &more_ms) == 0) {
        CHECK(more_ms == ms + 1);
    } else {
        CHECK(ms == INT64_MAX / 1000000);
    }
    return 0;
}
