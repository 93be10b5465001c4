#include "server/websocket/publish/publish_rate.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/options/duration.h"

static int64_t factor_take(const char **text)
{
    static const char letters[] = "kMG";
    const char *letter = **text == '\0' ? NULL : strchr(letters, **text);
    int64_t factor = 1;

    if (letter == NULL) {
        return 1;
    }
    (*text)++;
    for (long i = letter - letters; i >= 0; i--) {
        factor *= 1000;
    }
    return factor;
}

/* Digits and perhaps a letter, up to a comma or the end. False: it is something else, or too much.
 */
static bool number_take(const char **text, int64_t *ret_number)
{
    int64_t number = 0, factor;

    if (!isdigit((unsigned char)**text)) {
        return false;
    }
    for (; isdigit((unsigned char)**text); (*text)++) {
        number = number * 10 + (**text - '0');
        if (number > PUBLISH_RATE_MAX) {
            return false;
        }
    }
    factor = factor_take(text);
    if (number > PUBLISH_RATE_MAX / factor) {
        return false;
    }
    *ret_number = number * factor;
    return **text == ',' || **text == '\0';
}

/* True, and behind it, at a comma. */
static bool comma_take(const char **text)
{
    if (**text != ',') {
        return false;
    }
    (*text)++;
    return true;
}

int publish_rate_parse(const char *text, struct publish_rate *ret_rate)
{
    struct publish_rate rate = {.burst_ms = PUBLISH_BURST_MS};

    if (*text != '\0' && !number_take(&text, &rate.bytes_per_s)) {
        return -EINVAL;
    }
    if (comma_take(&text) && !number_take(&text, &rate.messages_per_s)) {
        return -EINVAL;
    }
    if (comma_take(&text) && duration_parse(text, &rate.burst_ms) != 0) {
        return -EINVAL;
    }
    if (rate.burst_ms < PUBLISH_BURST_MS_MIN || rate.burst_ms > PUBLISH_BURST_MS_MAX) {
        return -EINVAL;
    }
    *ret_rate = rate;
    return 0;
}

/* A thousandth is what one a second gives in a millisecond. */
static int64_t filled(int64_t credit, int64_t per_s, uint64_t ms, int64_t burst_ms)
{
    int64_t full = per_s * burst_ms;
    __int128 sum = credit + (__int128)per_s * ms;

    return sum < full ? (int64_t)sum : full;
}

bool publish_meter_take(struct publish_meter *meter, const struct publish_rate *rate,
                        uint64_t now_ms, uint64_t bytes)
{
    uint64_t ms = meter->filled_ms == 0 ? (uint64_t)rate->burst_ms : now_ms - meter->filled_ms;

    CHECK(now_ms > 0 && now_ms >= meter->filled_ms);
    meter->filled_ms = now_ms;
    meter->bytes = filled(meter->bytes, rate->bytes_per_s, ms, rate->burst_ms);
    meter->messages = filled(meter->messages, rate->messages_per_s, ms, rate->burst_ms);
    if ((rate->bytes_per_s > 0 && meter->bytes <= 0) ||
        (rate->messages_per_s > 0 && meter->messages <= 0)) {
        return false;
    }
    meter->bytes -= rate->bytes_per_s > 0 ? (int64_t)bytes * 1000 : 0;
    meter->messages -= rate->messages_per_s > 0 ? 1000 : 0;
    return true;
}
