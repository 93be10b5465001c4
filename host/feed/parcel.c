#include "host/feed/parcel.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct parcel *parcel_create(enum parcel_type type, struct bytes content, uint64_t now_ms)
{
    CHECK(content.len <= PARCEL_BYTES_MAX);
    struct parcel *message = malloc(sizeof *message + content.len);

    if (message == NULL) {
        return NULL;
    }
    *message =
        (struct parcel){.references = 1, .type = type, .made_ms = now_ms, .len = content.len};
    if (content.len > 0) {
        memcpy(message->data, content.data, content.len);
    }
    return message;
}

struct parcel *parcel_ref(struct parcel *message)
{
    CHECK(message->references > 0);
    message->references++;
    return message;
}

void parcel_unref(struct parcel *message)
{
    if (message != NULL) {
        CHECK(message->references > 0);
        if (--message->references == 0) {
            free(message);
        }
    }
}
