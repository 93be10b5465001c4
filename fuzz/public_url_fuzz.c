/* Reaches public_url_check and public_url_fault_text. An accepted URL is also accepted when the
 * access API extends it, is never of both kinds, and is refused with a trailing slash or blank;
 * each fault has a text. Input: a URL. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "server/public_url.h"

enum { TEXT_BYTES_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_BYTES_MAX + 1], longer[TEXT_BYTES_MAX + 32];
    bool accepted = false;

    if (size > TEXT_BYTES_MAX) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    for (unsigned kind = PUBLIC_URL_HTTP; kind <= PUBLIC_URL_WEBSOCKET; kind++) {
        enum public_url_fault fault = public_url_check(text, (enum public_url_kind)kind);

        CHECK(fault < PUBLIC_URL_FAULTS);
        CHECK(public_url_fault_text(fault, (enum public_url_kind)kind)[0] != '\0');
        if (fault != PUBLIC_URL_OK) {
            continue;
        }
        CHECK(!accepted);
        accepted = true;
        snprintf(longer, sizeof longer, "%s/session/t0", text);
        CHECK(public_url_check(longer, (enum public_url_kind)kind) == PUBLIC_URL_OK);
        snprintf(longer, sizeof longer, "%s/", text);
        CHECK(public_url_check(longer, (enum public_url_kind)kind) == PUBLIC_URL_SLASH);
        snprintf(longer, sizeof longer, "%s ", text);
        CHECK(public_url_check(longer, (enum public_url_kind)kind) == PUBLIC_URL_BLANK);
    }
    return 0;
}
