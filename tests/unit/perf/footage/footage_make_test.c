/* Goal: a relay takes made footage for what it is. Method: the relay's own probe reads it, cut at
 * pictures and anywhere. */
#include "perf/footage/footage_make.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "wire/media/stream_probe.h"

static unsigned keys_of(const struct footage *footage, size_t cut)
{
    struct stream_probe probe;
    unsigned keys = 0;
    unsigned picture = 0;

    stream_probe_init(&probe);
    for (size_t at = 0, end; at < footage->len; at = end) {
        end = cut > 0 ? at + cut : footage->pictures[picture++].end;
        end = end < footage->len ? end : footage->len;
        struct stream_mark mark =
            stream_probe_take(&probe, bytes_of(footage->bytes + at, end - at));

        cr_assert_not(mark.has_gap);
        keys += mark.kind == MEDIA_KEY;
        cr_assert(cut > 0 || mark.end_offset == end - at, "the end of a picture is not known");
    }
    return keys;
}

Test(footage_make, is_a_stream_with_key_pictures)
{
    static const unsigned groups_ms[] = {200, 2000, 10000, FOOTAGE_GROUP_MS_MAX};
    static const unsigned keys[] = {300, 30, 6, 1};
    char error[FOOTAGE_ERROR_SIZE];

    for (size_t i = 0; i < sizeof groups_ms / sizeof groups_ms[0]; i++) {
        struct footage footage;

        cr_assert_eq(footage_make(groups_ms[i], &footage, error), 0, "%s", error);
        cr_expect_eq(keys_of(&footage, 0), keys[i]);
        cr_expect_eq(keys_of(&footage, 1000), keys[i]);
        footage_release(&footage);
    }
}

Test(footage_make, opens_a_file_instead)
{
    char error[FOOTAGE_ERROR_SIZE];
    struct footage footage;

    cr_assert_eq(footage_make_or_load("/no/such/file", 1000, &footage, error), -ENOENT);
    cr_assert_eq(footage_make_or_load(NULL, 1000, &footage, error), 0);
    footage_release(&footage);
}
