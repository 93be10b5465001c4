/* The first bytes of each payload. Publisher and viewer are the same process, so the machine's byte
 * order and monotonic clock are sufficient. */
#pragma once

#include <stdint.h>

struct stamp {
    uint64_t sent_ns;  /* monotonic, taken just before the first send() of the message */
    uint64_t sequence; /* of this topic, from 0 */
    uint32_t run;      /* random per run: any other value came from elsewhere */
    uint32_t topic;
};

enum stamp_sizes { STAMP_SIZE = 24 };

_Static_assert(sizeof(struct stamp) == STAMP_SIZE, "copied as it is into the payload");
