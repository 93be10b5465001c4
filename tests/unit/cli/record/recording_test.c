/* Goal: what is written plays: it begins with a key picture, ends with a whole one, and is spliced
 * where messages are missing. Method: crafted messages of one picture; the file is read again by a
 * probe of its own. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/record/recording.h"
#include "tests/unit/wire/media/mpegts_tables.h"

static const uint8_t key[] = {0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 0x88};
static const uint8_t dependent[] = {0, 0, 1, 0x41, 0x9a};
static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 0xff, 0xd9};

enum { MESSAGE_SIZE = 3 * MPEGTS_PACKET_SIZE, CONTENT_SIZE = 64 * 1024 };

static char folder[] = "/tmp/relay-recording-test-XXXXXX";
static char pattern[128];
static struct recording recording;
static uint8_t tables_counter, video_counter;
static uint8_t content[CONTENT_SIZE];

static void start(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(pattern, sizeof pattern, "%s/lab.ts", folder);
    recording_init(&recording, pattern, 5000);
    tables_counter = video_counter = 0;
}

static void stop(void)
{
    char command[160];

    snprintf(command, sizeof command, "rm -r '%s'", folder);
    cr_assert_eq(system(command), 0);
}

/* Tables and a picture of one packet. */
static void publish(const uint8_t *picture, size_t len, uint64_t now_ms)
{
    uint8_t message[MESSAGE_SIZE];

    craft_pat(message);
    message[3] |= tables_counter & 15;
    craft_pmt(0x1b, PID_VIDEO, message + MPEGTS_PACKET_SIZE);
    message[MPEGTS_PACKET_SIZE + 3] |= tables_counter++ & 15;
    craft_picture(picture, len, picture == key, message + 2 * (size_t)MPEGTS_PACKET_SIZE);
    message[2 * MPEGTS_PACKET_SIZE + 3] |= video_counter++ & 15;
    cr_expect_eq(recording_take(&recording, bytes_of(message, sizeof message), now_ms), 0);
}

/* Number of pictures in a file in which nothing is missing; 0: there is no such file. */
static unsigned pictures_in(const char *name)
{
    struct stream_probe probe;
    char path[192];
    unsigned pictures = 0;
    size_t len;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL) {
        return 0;
    }
    len = fread(content, 1, sizeof content, file);
    (void)fclose(file);
    cr_expect(mpegts_is_whole_packets(bytes_of(content, len)));
    stream_probe_init(&probe);
    cr_expect(stream_probe_take(&probe, bytes_of(content, 4 * (size_t)MPEGTS_PACKET_SIZE)).kind ==
                  MEDIA_STREAM,
              "the splice of a first picture: two tables");
    for (size_t at = 4 * (size_t)MPEGTS_PACKET_SIZE; at < len; at += MPEGTS_PACKET_SIZE) {
        struct stream_mark mark =
            stream_probe_take(&probe, bytes_of(content + at, MPEGTS_PACKET_SIZE));

        cr_expect_not(mark.has_gap, "%s: at %zu", name, at);
        cr_expect(pictures > 0 || mark.kind == MEDIA_KEY, "it begins with a key picture");
        pictures += mark.kind >= MEDIA_DISPOSABLE;
        cr_expect(at + MPEGTS_PACKET_SIZE < len || mark.end_offset == MPEGTS_PACKET_SIZE);
    }
    return pictures;
}

Test(recording, begins_with_a_key_picture, .init = start, .fini = stop)
{
    publish(dependent, sizeof dependent, 0);
    cr_expect_not(segment_is_open(&recording.segment));
    recording_gap(&recording);
    publish(key, sizeof key, 0);
    publish(dependent, sizeof dependent, 0);
    cr_expect_eq(recording_take(&recording, bytes_of_text("{\"t\":1}"), 0), 0);
    publish(dependent, sizeof dependent, 0);
    cr_expect_eq(recording_close_file(&recording), 0);
    cr_expect_eq(pictures_in("lab.ts"), 3);
    cr_expect_eq(recording.files, 1);
}

Test(recording, is_spliced_where_messages_are_missing, .init = start, .fini = stop)
{
    publish(key, sizeof key, 0);
    publish(dependent, sizeof dependent, 0);
    video_counter += 3; /* lost without a word */
    publish(dependent, sizeof dependent, 0);
    publish(dependent, sizeof dependent, 0);
    publish(key, sizeof key, 0);
    recording_gap(&recording); /* a new connection */
    video_counter += 5;
    publish(dependent, sizeof dependent, 0);
    publish(key, sizeof key, 0);
    publish(dependent, sizeof dependent, 0);
    cr_expect_eq(recording_close_file(&recording), 0);
    cr_expect_eq(pictures_in("lab.ts"), 5);
}

Test(recording, begins_a_new_file_with_the_first_key_picture_after_its_time, .init = start,
     .fini = stop)
{
    publish(key, sizeof key, 100);
    publish(dependent, sizeof dependent, 4000);
    publish(key, sizeof key, 5000);
    publish(dependent, sizeof dependent, 6000);
    publish(key, sizeof key, 7000);
    cr_expect_eq(pictures_in("lab.ts"), 4, "none is lost");
    publish(dependent, sizeof dependent, 8000);
    cr_expect_eq(recording_close_file(&recording), 0);
    publish(dependent, sizeof dependent, 8000);
    cr_expect_eq(recording_close_file(&recording), 0);
    cr_expect_eq(recording.files, 2);
}

Test(recording, jpeg_pictures_follow_one_another, .init = start, .fini = stop)
{
    char path[192];
    FILE *file;

    publish(key, sizeof key, 0);
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_eq(recording_take(&recording, bytes_of(jpeg, sizeof jpeg), 0), 0);
    }
    cr_expect_eq(recording_take(&recording, bytes_of(jpeg, sizeof jpeg - 1), 0), 0);
    cr_expect_eq(recording_close_file(&recording), 0);
    cr_expect_eq(pictures_in("lab.ts"), 1, "the stream before");
    snprintf(path, sizeof path, "%s/lab-2.ts", folder);
    file = fopen(path, "rb");
    cr_assert_not_null(file);
    cr_expect_eq(fread(content, 1, sizeof content, file), 3 * sizeof jpeg);
    (void)fclose(file);
}

Test(recording, a_file_that_cannot_be_opened_is_tried_again, .init = start, .fini = stop)
{
    recording.pattern = "/nowhere/lab.ts";
    cr_expect_lt(recording_take(&recording, bytes_of(jpeg, sizeof jpeg), 0), 0);
    recording.pattern = pattern;
    publish(key, sizeof key, 0);
    cr_expect_eq(recording_close_file(&recording), 0);
    cr_expect_eq(pictures_in("lab.ts"), 1);
}
