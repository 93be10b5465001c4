/* Goal: a GET brings its answer, and every fault is told in time. Method: the test's listener, a
 * socket that never answers, given times. */
#include "cli/top/admin/fetch.h"

#include <sys/un.h>

#include "base/clock.h"
#include "tests/unit/cli/top/fake_admin.h"

static struct fetch fetch;
static struct fault fault;

static void start(void)
{
    fake_admin_open();
    fetch_init(&fetch);
}

static void stop(void)
{
    fetch_end(&fetch);
    fake_admin_close();
}

TestSuite(fetch, .init = start, .fini = stop);

static enum progress get(const char *target)
{
    enum progress progress =
        fetch_start(&fetch, &fake_admin.address, target, clock_monotonic_ms(), &fault);

    while (progress == PROGRESS_WAIT) {
        struct pollfd fd = fetch_pollfd(&fetch);

        cr_assert_eq(poll(&fd, 1, 10000), 1);
        progress = fetch_advance(&fetch, clock_monotonic_ms(), &fault);
    }
    return progress;
}

Test(fetch, brings_the_answer_and_can_begin_again)
{
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(get("/readyz"), PROGRESS_DONE, "%s", fault.text);
        cr_assert_eq(fetch.body.status, 200);
        cr_assert_eq(fetch.body.len, strlen(FAKE_READY));
        fetch_end(&fetch);
        cr_assert_eq(fetch_pollfd(&fetch).fd, -1);
    }
    cr_assert_eq(get("/nothing"), PROGRESS_DONE);
    cr_assert_eq(fetch.body.status, 404);
}

Test(fetch, tells_when_nothing_listens)
{
    fake_admin_close();
    cr_assert_eq(get("/readyz"), PROGRESS_FAILED);
    cr_assert_str_eq(fault.text, "Connection refused");
    fetch_end(&fetch);
    cr_assert(admin_address_parse("/nowhere/admin.sock", &fake_admin.address));
    cr_assert_eq(get("/readyz"), PROGRESS_FAILED);
    cr_assert_str_eq(fault.text, "No such file or directory");
}

Test(fetch, gives_up_a_relay_that_is_silent)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(name.sun_path, sizeof name.sun_path, "/tmp/relay-fetch-test-%d", (int)getpid());
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    cr_assert_eq(listen(fd, 1), 0);
    cr_assert(admin_address_parse(name.sun_path, &fake_admin.address));
    cr_assert_eq(fetch_start(&fetch, &fake_admin.address, "/topics", 1000, &fault), PROGRESS_WAIT);
    cr_assert_eq(fetch_advance(&fetch, 1000, &fault), PROGRESS_WAIT);
    cr_assert_eq(fetch_pollfd(&fetch).events, POLLIN);
    cr_assert_eq(fetch_advance(&fetch, 999 + FETCH_WAIT_MS, &fault), PROGRESS_WAIT);
    cr_assert_eq(fetch_advance(&fetch, 1000 + FETCH_WAIT_MS, &fault), PROGRESS_FAILED);
    cr_assert_str_eq(fault.text, "no answer within 5 s");
    unlink(name.sun_path);
    close(fd);
}
