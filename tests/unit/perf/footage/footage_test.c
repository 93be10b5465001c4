/* Goal: the pictures of a stream are found with all their packets, by their first packet, and what
 * is no stream is refused with a reason. Method: made footage, whole, cut, damaged and on disk. */
#include "perf/footage/footage.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "perf/footage/footage_make.h"

static struct footage footage;
static char error[FOOTAGE_ERROR_SIZE];

static void start(void)
{
    cr_assert_eq(footage_make(1000, &footage, error), 0);
}

static void stop(void)
{
    footage_release(&footage);
}

TestSuite(footage, .init = start, .fini = stop);

Test(footage, has_each_picture_with_its_packets)
{
    cr_assert_eq(footage.pictures_count, 1500);
    cr_assert_eq(footage.keys_count, 60);
    cr_assert_eq(footage.rate, 25);
    for (unsigned i = 0; i < footage.pictures_count; i++) {
        const struct footage_picture *picture = &footage.pictures[i];

        cr_assert_eq(picture->is_key, i % 25 == 0);
        cr_assert_eq(picture->end - picture->begin,
                     (size_t)picture->packets * FOOTAGE_PACKET_BYTES);
        cr_assert_eq(footage_find(&footage, footage.bytes + picture->begin), (int)i);
    }
    cr_assert_eq(footage_find(&footage, footage.bytes), -1, "a table");
}

static int of_copy(size_t len, int damaged_at)
{
    struct footage copy;
    uint8_t *bytes = malloc(len + 1);

    memcpy(bytes, footage.bytes, len);
    if (damaged_at >= 0) {
        bytes[damaged_at] ^= 0xff;
    }
    int failed = footage_of_bytes(bytes, len, &copy, error);

    if (failed == 0) {
        cr_assert_eq(copy.len % FOOTAGE_PACKET_BYTES, 0);
        footage_release(&copy);
    }
    return failed;
}

Test(footage, takes_whole_packets_and_leaves_the_rest)
{
    cr_assert_eq(of_copy(footage.pictures[3].begin + 100, -1), 0);
}

Test(footage, is_refused_without_packets_video_or_keys)
{
    cr_assert_eq(of_copy(0, -1), -EINVAL);
    cr_assert(strstr(error, "no video"), "%s", error);
    cr_assert_eq(of_copy(2 * FOOTAGE_PACKET_BYTES, -1), -EINVAL);
    cr_assert_eq(of_copy(footage.len, 10 * FOOTAGE_PACKET_BYTES), -EINVAL);
    cr_assert(strstr(error, "another size than 188"), "%s", error);
    /* The indicator of the only key picture. */
    cr_assert_eq(of_copy(footage.pictures[20].end, (int)footage.pictures[0].begin + 5), -EINVAL);
    cr_assert(strstr(error, "none of its pictures"), "%s", error);
}

Test(footage, is_loaded_from_a_file)
{
    char path[] = "/tmp/footage-XXXXXX";
    int fd = mkstemp(path);
    struct footage loaded;

    cr_assert_eq(write(fd, footage.bytes, footage.len), (ssize_t)footage.len);
    close(fd);
    cr_assert_eq(footage_load(path, &loaded, error), 0);
    cr_assert_eq(loaded.pictures_count, footage.pictures_count);
    footage_release(&loaded);
    cr_assert_eq(truncate(path, 100), 0);
    cr_assert_eq(footage_load(path, &loaded, error), -EINVAL);
    cr_assert(strstr(error, path), "%s", error);
    unlink(path);
    cr_assert_eq(footage_load(path, &loaded, error), -ENOENT);
    cr_assert(strstr(error, "cannot read"), "%s", error);
    cr_assert_eq(footage_load("/", &loaded, error), -EFBIG);
}

Test(footage, packet_needs_a_sync_byte_and_stays_within_itself)
{
    uint8_t bytes[FOOTAGE_PACKET_BYTES] = {0x47, 0x41, 0, 0x30, 0xff};
    struct footage_packet packet;

    cr_assert(footage_packet_read(bytes, &packet));
    cr_assert_eq(packet.pid, 0x100);
    cr_assert_not(packet.has_payload || packet.starts_picture);
    bytes[0] = 0;
    cr_assert_not(footage_packet_read(bytes, &packet));
}
