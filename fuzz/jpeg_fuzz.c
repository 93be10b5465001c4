/* jpeg_begins, jpeg_len: a whole picture ends with its EOI, and neither bytes behind it nor their
 * absence change its length; without its end it is none. */
#include <stdint.h>

#include "base/check.h"
#include "wire/media/jpeg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len = jpeg_len(bytes_of(data, size));

    CHECK(len <= size);
    CHECK(len == 0 || jpeg_begins(bytes_of(data, size)));
    if (len > 0) {
        CHECK(data[len - 2] == 0xff && data[len - 1] == 0xd9);
        CHECK(jpeg_len(bytes_of(data, len)) == len);
        CHECK(jpeg_len(bytes_of(data, len - 1)) < len);
    }
    return 0;
}
