/* Reaches duration_parse and duration_parse_ns. An accepted text consists of numbers and units
 * only, a duration written twice is twice as long, and one millisecond more is one more; only
 * results that no longer fit may be refused. Input: a duration. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/options/duration.h"

enum { TEXT_BYTES_MAX = 100, NS_PER_MS = 1000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_BYTES_MAX + 1], twice[2 * TEXT_BYTES_MAX + 1], more[TEXT_BYTES_MAX + 8];
    int64_t ns = -1, ms = -1, twice_ns = -1, more_ns = -1;

    if (size > TEXT_BYTES_MAX) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    snprintf(twice, sizeof twice, "%s%s", text, text);
    snprintf(more, sizeof more, "%s1ms", text);
    if (duration_parse_ns(text, &ns) != 0) {
        CHECK(ns == -1 && duration_parse(text, &ms) != 0 && ms == -1);
        return 0;
    }
    CHECK(ns >= 0 && duration_parse(text, &ms) == 0 && ms == ns / NS_PER_MS);
    CHECK(text[0] != '\0' && strspn(text, "0123456789.hmsun\xc2\xb5\xce\xbc") == strlen(text));
    if (strcmp(text, "0") == 0) {
        return 0;
    }
    if (duration_parse_ns(twice, &twice_ns) == 0) {
        CHECK(twice_ns == 2 * ns);
    } else {
        CHECK(ns > INT64_MAX / 2);
    }
    if (duration_parse_ns(more, &more_ns) == 0) {
        CHECK(more_ns == ns + NS_PER_MS);
    } else {
        CHECK(ns > INT64_MAX - NS_PER_MS);
    }
    return 0;
}
