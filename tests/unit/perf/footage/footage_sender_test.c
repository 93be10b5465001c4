/* Goal: footage is sent whole and in order, over and over, and each picture is known as sent before
 * a viewer has it. Method: a relay in this process; a viewer that reads. */
#include "perf/footage/footage_sender.h"

#include "base/clock.h"
#include "perf/footage/footage_viewer.h"
#include "tests/unit/perf/footage/tiny_relay.h"

TestSuite(footage_sender, .init = tiny_start, .fini = tiny_stop);

static struct footage_sender *sender;
static unsigned expected;
static bool marked; /* what was sent before the mark was set came first */

static void on_picture(void *ctx, unsigned picture)
{
    struct footage_sent sent = footage_sender_sent(sender, picture);

    cr_assert_eq(picture, expected++ % tiny.footage.pictures_count);
    cr_assert_gt(sent.at_ns, 0);
    marked = marked || sent.mark == 2;
    cr_assert_eq(sent.mark, marked ? 2 : 0);
}

static void watch(size_t cut_bytes)
{
    char error[LOAD_TRANSPORT_ERROR_SIZE];
    struct connection publisher = {.early_len = 0}, connection = {.early_len = 0};
    struct footage_viewer viewer;
    struct footage_sender_counts counts;

    tiny.footage.rate = 1000;
    cr_assert_eq(tiny_open(NULL, 0, CONNECTOR_VIEWER, &connection, error), 0);
    cr_assert_eq(tiny_open(NULL, 0, CONNECTOR_PUBLISHER, &publisher, error), 0);
    footage_viewer_init(&viewer, &tiny.footage, &connection.transport, on_picture, NULL);
    sender = footage_sender_start(&tiny.footage, cut_bytes, &publisher);
    cr_assert_not_null(sender);
    footage_sender_mark(sender, 2);
    expected = 0;
    marked = false;
    while (viewer.pictures_whole < 60 || !marked) {
        cr_assert_eq(frames_read(&viewer.frames), 0);
    }
    cr_assert_eq(viewer.pictures_broken + viewer.packets_stray, 0);
    cr_assert_eq(footage_sender_end(sender, &counts), 0);
    cr_assert_geq(counts.pictures[0] + counts.pictures[2], 60);
    load_transport_close(&connection.transport);
}

/* Few, so that they are repeated. */
static void shorten(void)
{
    tiny.footage.pictures_count = 25;
    tiny.footage.len = tiny.footage.pictures[24].end;
}

Test(footage_sender, sends_a_picture_in_each_message_over_and_over)
{
    watch(0);
}

Test(footage_sender, sends_messages_of_one_size)
{
    watch(1000);
}

Test(footage_sender, begins_anew_at_the_end)
{
    shorten();
    struct footage whole = tiny.footage;
    char error[FOOTAGE_ERROR_SIZE];
    uint8_t *bytes = malloc(whole.len);

    memcpy(bytes, whole.bytes, whole.len);
    cr_assert_eq(footage_of_bytes(bytes, whole.len, &tiny.footage, error), 0);
    watch(0);
    footage_release(&whole);
}

Test(footage_sender, says_when_it_was_cut_off)
{
    char error[LOAD_TRANSPORT_ERROR_SIZE];
    struct connection publisher = {.early_len = 0};
    struct footage_sender_counts counts;

    cr_assert_eq(tiny_open(NULL, 0, CONNECTOR_PUBLISHER, &publisher, error), 0);
    shutdown(tiny.publisher, SHUT_RDWR);
    sender = footage_sender_start(&tiny.footage, 0, &publisher);
    cr_assert_not_null(sender);
    footage_sender_wait_until(clock_monotonic_ns() + 100000000);
    cr_assert_neq(footage_sender_end(sender, &counts), 0);
    cr_assert_neq(footage_sender_end(NULL, &counts), 0);
}
