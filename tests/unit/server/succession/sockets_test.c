/* Goal: the next program accepts on the same sockets, whatever the number of its workers, and what
 * is no stream of sockets leaves nothing open. Method: streams that are not sent; real sockets. */
#include "server/succession/sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "server/conn/conn_table.h"
#include "server/handover/handover_format.h"
#include "tests/unit/descriptors.h"

enum { WORKERS = 3 };

static char error[256];
static struct server_config config = {.workers = WORKERS,
                                      .bind_address = (char *)(uintptr_t) "127.0.0.1",
                                      .admin_listen = (char *)(uintptr_t) "/run/x"};
static struct listen_ports before, after;
static struct admin_listener admin_before, admin_after;
static struct handover_stream stream;
static unsigned descriptors;

static void open_all(void)
{
    static struct activation none;

    descriptors = open_descriptors();
    CHECK(listen_ports_open(&before, &config, &none, error, sizeof error) == 0);
    admin_before = (struct admin_listener){.fd = -1, .text = "off"};
    CHECK(handover_stream_open(&stream, SOCKETS_BYTES_MAX, SOCKETS_FDS_MAX) == 0);
    CHECK(handover_stream_grow(&stream, SOCKETS_BYTES_MAX) == 0);
}

static void close_all(void)
{
    listen_ports_close(&after);
    handover_stream_release(&stream);
    listen_ports_close(&before);
    config.workers = WORKERS;
}

TestSuite(sockets, .init = open_all, .fini = close_all);

/* As if it had been sent: the descriptors are others, of the same sockets. */
static void write_stream(int admin_fd)
{
    struct handover_writer writer;

    handover_stream_begin(&stream, &writer);
    stream.fds_count = sockets_write(&before, &admin_before, admin_fd, &writer, stream.fds);
    for (size_t i = 0; i < stream.fds_count; i++) {
        stream.fds[i] = fcntl(stream.fds[i], F_DUPFD_CLOEXEC, 0);
        cr_assert_geq(stream.fds[i], 0);
    }
    stream.size = writer.len;
}

static int read_stream(void)
{
    return sockets_read(&after, &admin_after, &config, &stream, error, sizeof error);
}

Test(sockets, are_the_same_ports)
{
    write_stream(-1);
    cr_assert_eq(read_stream(), 0, "%s", error);
    cr_assert_eq(after.access.number, before.access.number);
    cr_assert_eq(after.relay.number, before.relay.number);
    cr_assert_eq(after.access.sockets, WORKERS);
    cr_assert_eq(after.access.count, WORKERS);
    cr_assert(!after.access.is_shared && !after.is_one);
    cr_assert_eq(admin_after.fd, -1);
    cr_assert_str_eq(admin_after.text, "off");
}

Test(sockets, each_worker_has_one_when_they_become_more)
{
    config.workers = 2 * WORKERS + 1;
    write_stream(-1);
    cr_assert_eq(read_stream(), 0, "%s", error);
    cr_assert_eq(after.relay.count, 2 * WORKERS + 1);
    cr_assert_eq(after.relay.sockets, WORKERS);
    cr_assert(after.relay.is_shared);
}

Test(sockets, none_is_left_when_workers_become_fewer)
{
    config.workers = 1;
    write_stream(-1);
    cr_assert_eq(read_stream(), 0, "%s", error);
    cr_assert_eq(after.access.count, WORKERS);
}

Test(sockets, admin_listener_is_where_the_options_say)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    admin_before.path = "/run/x";
    snprintf(admin_before.text, sizeof admin_before.text, "/run/x");
    write_stream(fd);
    cr_assert_eq(read_stream(), 0, "%s", error);
    cr_assert_geq(admin_after.fd, 0);
    cr_assert_null(admin_after.path);
    cr_assert_str_eq(admin_after.text, "/run/x");
    close(admin_after.fd);
    close(fd);
}

static void expect_refusal(const char *what)
{
    cr_assert_neq(read_stream(), 0, "%s", what);
    cr_assert_neq(error[0], '\0', "%s", what);
    handover_stream_consume(&stream);
    listen_ports_close(&before);
    cr_assert_eq(open_descriptors(), descriptors, "%s", what);
    cr_assert_eq(admin_after.path, NULL); /* or it would be removed */
    open_all();
}

Test(sockets, what_is_no_stream_of_them_leaves_nothing_open)
{
    write_stream(-1);
    stream.size -= 1;
    expect_refusal("a stream that is cut");
    write_stream(-1);
    stream.memory[0] = 'x';
    expect_refusal("no stream");
    write_stream(-1);
    close(stream.fds[stream.fds_count - 1]);
    stream.fds_count--;
    expect_refusal("too few descriptors");
    write_stream(-1);
    stream.size = HANDOVER_PRELUDE_BYTES;
    expect_refusal("no port");
    before.is_one = true;
    write_stream(-1);
    before.is_one = false;
    size_t len = stream.size;

    memcpy(stream.memory + len, stream.memory + HANDOVER_PRELUDE_BYTES,
           len - HANDOVER_PRELUDE_BYTES);
    stream.size = 2 * len - HANDOVER_PRELUDE_BYTES;
    for (unsigned i = 0; i < WORKERS; i++) {
        stream.fds[stream.fds_count++] = dup(0);
    }
    expect_refusal("a port twice");
}
