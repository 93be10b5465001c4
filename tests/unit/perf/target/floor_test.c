/* Goal: the floor sends what a publisher sends to the viewers of its topic, and to no other, and
 * ends when the publishers have gone. Method: the real child, over loopback. */
#include "perf/target/floor.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { BYTES = 125, FRAME = BYTES + 2 };

static struct floor floor_;
static char error[LOAD_TRANSPORT_ERROR_SIZE];

static void stop(void)
{
    floor_end(&floor_);
}

TestSuite(floor, .fini = stop);

static void start_with(unsigned topics, unsigned viewers, unsigned rate, size_t bytes)
{
    struct scenario scenario = {.topics = topics, .viewers = viewers, .bytes = bytes, .rate = rate};

    cr_assert_eq(floor_start(&floor_, &scenario, -1), 0);
    cr_assert_gt(floor_.pid, 0);
    cr_assert_neq(floor_.port, 0);
}

static struct load_transport join(unsigned topic, enum connector_role role)
{
    struct connector connector = floor_connector(&floor_);
    struct connection connection = {.early_len = 0};

    cr_expect_not(connector.is_masked);
    cr_assert_eq(connector.open(connector.ctx, topic, role, &connection, error), 0, "%s", error);
    cr_expect_eq(connection.early_len, 0);
    return connection.transport;
}

static void send_frame(const struct load_transport *publisher, int fill)
{
    uint8_t frame[FRAME];

    memset(frame, fill, sizeof frame);
    cr_assert_eq(send(publisher->fd, frame, sizeof frame, 0), FRAME);
}

static void expect_frame(const struct load_transport *viewer, int fill)
{
    uint8_t frame[FRAME], expected[FRAME];

    memset(expected, fill, sizeof expected);
    cr_assert_eq(recv(viewer->fd, frame, sizeof frame, MSG_WAITALL), FRAME);
    cr_expect_eq(memcmp(frame, expected, sizeof frame), 0);
}

static void expect_exit(void)
{
    siginfo_t info;

    cr_assert_eq(waitid(P_PID, (id_t)floor_.pid, &info, WEXITED | WNOWAIT), 0);
    cr_expect_eq(info.si_code, CLD_EXITED);
    cr_expect_eq(info.si_status, 0);
}

Test(floor, forwards_to_all_viewers_of_one_topic)
{
    start_with(1, 2, 100, BYTES);
    struct load_transport first = join(0, CONNECTOR_VIEWER), second = join(0, CONNECTOR_VIEWER);
    struct load_transport publisher = join(0, CONNECTOR_PUBLISHER);

    send_frame(&publisher, 'a');
    send_frame(&publisher, 'b');
    expect_frame(&first, 'a');
    expect_frame(&first, 'b');
    expect_frame(&second, 'a');
    expect_frame(&second, 'b');
    load_transport_close(&publisher);
    expect_exit();
    load_transport_close(&first);
    load_transport_close(&second);
}

Test(floor, keeps_topics_apart)
{
    start_with(2, 1, 100, BYTES);
    struct load_transport viewers[] = {join(0, CONNECTOR_VIEWER), join(1, CONNECTOR_VIEWER)};
    struct load_transport publishers[] = {join(0, CONNECTOR_PUBLISHER),
                                          join(1, CONNECTOR_PUBLISHER)};

    send_frame(&publishers[1], 'b');
    expect_frame(&viewers[1], 'b');
    send_frame(&publishers[0], 'a');
    expect_frame(&viewers[0], 'a');
    load_transport_close(&publishers[0]);
    send_frame(&publishers[1], 'c');
    expect_frame(&viewers[1], 'c');
    load_transport_close(&publishers[1]);
    expect_exit();
    for (unsigned i = 0; i < 2; i++) {
        load_transport_close(&viewers[i]);
    }
}

/* RFC 6455 §5.2: 125 is the last length of one byte, 65535 the last of two. */
Test(floor, takes_messages_in_the_size_of_a_frame)
{
    static const struct {
        size_t bytes, frame;
    } cases[] = {{126, 130}, {65535, 65539}, {65536, 65546}};
    static uint8_t message[65546];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        start_with(1, 1, 100, cases[i].bytes);
        struct load_transport viewer = join(0, CONNECTOR_VIEWER);
        struct load_transport publisher = join(0, CONNECTOR_PUBLISHER);

        cr_assert_eq(send(publisher.fd, message, cases[i].frame, 0), (ssize_t)cases[i].frame);
        cr_assert_eq(recv(viewer.fd, message, cases[i].frame, MSG_WAITALL),
                     (ssize_t)cases[i].frame);
        load_transport_close(&publisher);
        cr_expect_eq(recv(viewer.fd, message, 1, 0), 0, "no byte more");
        load_transport_close(&viewer);
        floor_end(&floor_);
    }
}

Test(floor, stays_with_idle_viewers_until_it_is_ended)
{
    start_with(1, 1, 0, BYTES);
    struct load_transport viewer = join(0, CONNECTOR_VIEWER);
    pid_t pid = floor_.pid;

    cr_expect_eq(waitpid(pid, NULL, WNOHANG), 0);
    floor_end(&floor_);
    cr_expect_eq(floor_.pid, 0);
    cr_expect_eq(waitpid(pid, NULL, WNOHANG), -1, "it is reaped");
    load_transport_close(&viewer);
}
