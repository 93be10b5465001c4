/* Goal: a picture counts as seen only when all of it came, however messages are cut. Method: made
 * footage in frames, whole, from the middle, with missing packets, and damaged. */
#include "perf/footage/footage_viewer.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "perf/footage/footage_make.h"

static struct footage footage;
static struct footage_viewer viewer;
static struct load_transport transport;
static unsigned seen;

static void on_picture(void *ctx, unsigned picture)
{
    cr_assert_eq(ctx, &seen);
    seen = picture + 1;
}

static void start(void)
{
    char error[FOOTAGE_ERROR_SIZE];

    cr_assert_eq(footage_make(1000, &footage, error), 0);
    footage_viewer_init(&viewer, &footage, &transport, on_picture, &seen);
}

static void stop(void)
{
    footage_release(&footage);
}

TestSuite(footage_viewer, .init = start, .fini = stop);

/* One message. */
static void show(size_t begin, size_t end)
{
    size_t len = end - begin;
    uint8_t header[10] = {0x82, 127};

    for (unsigned i = 0; i < 8; i++) {
        header[2 + i] = (uint8_t)(len >> (56 - 8 * i));
    }
    cr_assert_eq(frames_take(&viewer.frames, bytes_of(header, sizeof header)), 0);
    cr_assert_eq(frames_take(&viewer.frames, bytes_of(footage.bytes + begin, len)), 0);
}

Test(footage_viewer, sees_all_pictures_of_messages_cut_anywhere)
{
    for (size_t at = 0; at < footage.len; at += 1001) {
        show(at, at + 1001 < footage.len ? at + 1001 : footage.len);
    }
    cr_assert_eq(viewer.pictures_whole, footage.pictures_count);
    cr_assert_eq(viewer.pictures_broken + viewer.packets_stray, 0);
    cr_assert_eq(viewer.first, 0);
    cr_assert_eq(seen, footage.pictures_count);
    cr_assert_eq(viewer.payload_bytes, footage.len);
}

Test(footage_viewer, sees_a_stream_that_leaves_whole_pictures_out)
{
    show(0, footage.pictures[3].end);
    show(footage.pictures[25].begin, footage.pictures[30].end);
    cr_assert_eq(viewer.pictures_whole, 4 + 6);
    cr_assert_eq(viewer.pictures_broken + viewer.packets_stray, 0);
}

Test(footage_viewer, counts_what_is_missing_in_a_picture)
{
    const struct footage_picture *picture = &footage.pictures[1];

    show(0, picture->begin + FOOTAGE_PACKET_BYTES);
    show(picture->begin + 2 * FOOTAGE_PACKET_BYTES, footage.pictures[2].end);
    cr_assert_eq(viewer.pictures_whole, 2);
    cr_assert_eq(viewer.pictures_broken, 1);
}

Test(footage_viewer, counts_what_is_of_no_picture)
{
    show(footage.pictures[0].begin + FOOTAGE_PACKET_BYTES, footage.pictures[1].end);
    cr_assert_eq(viewer.packets_stray, footage.pictures[0].packets - 1);
    cr_assert_eq(viewer.first, 1);
    footage.bytes[footage.pictures[2].begin + 100] ^= 1;
    show(footage.pictures[2].begin, footage.pictures[2].end);
    cr_assert_eq(viewer.pictures_broken, 1, "a picture of no footage");
    footage.bytes[footage.pictures[3].begin] = 0;
    show(footage.pictures[3].begin, footage.pictures[3].begin + FOOTAGE_PACKET_BYTES);
    cr_assert_gt(viewer.packets_stray, footage.pictures[0].packets - 1);
}
