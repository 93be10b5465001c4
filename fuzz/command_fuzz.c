/* Reaches command_carry_out. Each answer is JSON. Commands with a URL in them are left out, so that
 * no relay is dialled. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "host/control/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A URL has two slashes, or escapes for them. */
static bool dials(const uint8_t *data, size_t size)
{
    return size > 2 && (memmem(data, size, "//", 2) != NULL || memmem(data, size, "\\", 1) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop loop;
    static struct streams streams;
    static struct destinations destinations;
    static struct control control = {.destinations = &destinations, .streams = &streams};
    static bool is_ready;
    struct destinations_settings settings = {.queue_age_max_ms = 1000};
    char error[JSON_READER_ERROR_SIZE];

    if (!is_ready) {
        streams_init(&streams);
        CHECK(loop_open(&loop) == 0);
        CHECK(destinations_init(&destinations, &loop, &streams.feeds, &settings) == 0);
        is_ready = true;
    }
    if (size > 4096 || dials(data, size)) {
        return 0;
    }
    char *answer = command_carry_out(&control, bytes_of(data, size));

    CHECK(answer != NULL && json_reader_check(bytes_of_text(answer), error));
    json_answer_free(answer);
    if (destinations.count > 64) {
        control_delete_all_destinations(&control, false);
    }
    return 0;
}
