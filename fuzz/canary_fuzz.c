/* Reaches no code of relay: proves that the harness can fail. Four bytes in a row lead to a read
 * past a heap block, which only coverage guidance finds in a minute and only the address sanitizer
 * sees. The test fuzz/canary passes exactly when the crash is reported. */
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

__attribute__((noinline)) static uint8_t canary_sings(size_t index)
{
    uint8_t *block = calloc(1, 4);

    CHECK(block != NULL);
    uint8_t past = *(volatile uint8_t *)(block + index);

    free(block);
    return past;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 4 && data[0] == 's' && data[1] == 'i') {
        if (data[2] == 'n' && data[3] == 'g') {
            return canary_sings(size) == 1 ? -1 : 0;
        }
    }
    return 0;
}
