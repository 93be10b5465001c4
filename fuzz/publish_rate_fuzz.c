/* Reaches publish_rate_parse and publish_meter_take. An accepted text is within its bounds, is read
 * the same once its messages and burst are written out, and makes a meter that allows the first
 * message. Input: a rate. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "server/websocket/publish/publish_rate.h"

enum { TEXT_BYTES_MAX = 100 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_BYTES_MAX + 1], again[TEXT_BYTES_MAX + 1];
    struct publish_rate rate, same;
    struct publish_meter meter = {0};

    if (size > TEXT_BYTES_MAX) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (publish_rate_parse(text, &rate) != 0) {
        return 0;
    }
    CHECK(rate.bytes_per_s >= 0 && rate.bytes_per_s <= PUBLISH_RATE_MAX);
    CHECK(rate.messages_per_s >= 0 && rate.messages_per_s <= PUBLISH_RATE_MAX);
    CHECK(rate.burst_ms >= PUBLISH_BURST_MS_MIN && rate.burst_ms <= PUBLISH_BURST_MS_MAX);
    snprintf(again, sizeof again, "%lld,%lld,%lldms", (long long)rate.bytes_per_s,
             (long long)rate.messages_per_s, (long long)rate.burst_ms);
    CHECK(publish_rate_parse(again, &same) == 0);
    CHECK(memcmp(&rate, &same, sizeof rate) == 0);
    CHECK(publish_meter_take(&meter, &rate, 1, 10 << 20));
    CHECK(publish_meter_take(&meter, &rate, UINT64_MAX, 1));
    return 0;
}
