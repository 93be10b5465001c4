/* multipart_probe: any bytes. A recognised body stays recognised when more follows, and with a line
 * end before it, as between two parts; and it does begin with a delimiter. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/media/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool multipart = multipart_probe(bytes_of(data, size));
    uint8_t *longer = malloc(size + 3);

    CHECK(longer != NULL);
    CHECK(!multipart || (size > 10 && memchr(data, '-', 3) != NULL));
    memcpy(longer, "\r\n", 2);
    if (size > 0) {
        memcpy(longer + 2, data, size);
    }
    longer[size + 2] = 'x';
    if (multipart) {
        CHECK(multipart_probe(bytes_of(longer + 2, size + 1)));
        CHECK(data[0] != '-' || multipart_probe(bytes_of(longer, size + 3)));
    }
    for (size_t len = 0; len < size && len < 128; len++) {
        CHECK(!multipart_probe(bytes_of(data, len)) || multipart);
    }
    free(longer);
    return 0;
}
