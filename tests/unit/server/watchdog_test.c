/* Goal: systemd hears of life exactly while all workers turn, and the log says which one does not.
 * Method: the times of the last turns of workers without threads, the test's socket in place of
 * systemd's, given times.
 */
#include "server/watchdog.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { WATCHDOG_MS = 4000, START_MS = 1000000 };

static struct {
    struct worker workers[2];
    struct worker_group group;
    struct notifier notifier;
    struct watchdog watchdog;
    uint64_t now_ms, due_ms;
    int fd;
    char log_path[64];
} scene;

static void open_scene(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sa_family_t); /* the kernel chooses a name */
    char name[sizeof address.sun_path + 1] = "@";

    scene.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(scene.fd, (struct sockaddr *)&address, len), 0);
    len = sizeof address;
    cr_assert_eq(getsockname(scene.fd, (struct sockaddr *)&address, &len), 0);
    memcpy(name + 1, address.sun_path + 1, len - sizeof(sa_family_t) - 1);
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "4000000", 1);
    cr_assert_eq(notifier_init(&scene.notifier), 0);
    cr_assert_eq(scene.notifier.watchdog_ms, WATCHDOG_MS);
    snprintf(scene.log_path, sizeof scene.log_path, "/tmp/relay-watchdog-test-XXXXXX");
    close(mkstemp(scene.log_path));
    cr_assert_eq(log_open(scene.log_path, LOG_LEVEL_INFO, LOG_FORMAT_JSON), 0);
    scene.group = (struct worker_group){.workers = scene.workers, .workers_count = 2};
    scene.now_ms = START_MS;
    run_clock_init(&scene.group.clock, START_MS);
    watchdog_init(&scene.watchdog, &scene.notifier, &scene.group, scene.now_ms);
}

static void close_scene(void)
{
    log_close();
    run_clock_deinit(&scene.group.clock);
    notifier_deinit(&scene.notifier);
    close(scene.fd);
    unlink(scene.log_path);
}

TestSuite(watchdog, .init = open_scene, .fini = close_scene);

/* The messages since the last time, all of which say that the server is alive. */
static unsigned heard(void)
{
    char text[64];
    unsigned count = 0;

    for (ssize_t len; (len = recv(scene.fd, text, sizeof text - 1, 0)) >= 0; count++) {
        text[len] = '\0';
        cr_assert_str_eq(text, "WATCHDOG=1");
    }
    return count;
}

static unsigned lines_of(const char *message)
{
    char line[512];
    unsigned count = 0;
    FILE *file = fopen(scene.log_path, "r");

    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        count += strstr(line, message) != NULL;
    }
    fclose(file);
    return count;
}

/* A look at the present time, before which the first workers turned. */
static void look(unsigned turning)
{
    for (unsigned i = 0; i < turning; i++) {
        atomic_store(&scene.workers[i].turned_ms, run_clock_at(&scene.group.clock, scene.now_ms));
    }
    scene.due_ms = watchdog_look(&scene.watchdog, scene.now_ms);
}

/* The same, when the next look is due. */
static void pass(unsigned turning)
{
    scene.now_ms = scene.due_ms;
    look(turning);
}

static void pass_until(uint64_t ms, unsigned turning)
{
    while (scene.now_ms < START_MS + ms) {
        pass(turning);
    }
}

Test(watchdog, tells_of_life_in_time_while_all_workers_turn)
{
    look(2);
    cr_assert_eq(heard(), 1);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t before_ms = scene.now_ms;

        pass(2);
        cr_assert_eq(heard(), 1);
        cr_assert_leq(scene.now_ms - before_ms, WATCHDOG_MS / 2);
        cr_assert_eq(watchdog_look(&scene.watchdog, scene.due_ms - 1), scene.due_ms);
        cr_assert_eq(heard(), 0, "not due");
    }
    cr_assert_eq(lines_of("worker"), 0);
}

Test(watchdog, falls_silent_when_a_worker_hangs_and_says_which)
{
    look(2);
    pass_until(WORKER_STUCK_MS - WATCHDOG_MS / 2, 1);
    cr_assert_gt(heard(), 0, "it may only be waiting");
    cr_assert_eq(lines_of("hangs"), 0);
    pass_until(WORKER_STUCK_MS + WATCHDOG_MS, 1);
    (void)heard();
    pass_until(2 * (WORKER_STUCK_MS + WATCHDOG_MS), 1);
    cr_assert_eq(heard(), 0);
    cr_assert_eq(lines_of("a worker hangs"), 1);
    cr_assert_eq(lines_of("\"worker\":1"), 1);
    pass(2);
    cr_assert_eq(heard(), 1);
    cr_assert_eq(lines_of("all workers turn again"), 1);
}

Test(watchdog, all_workers_hanging_is_no_pause)
{
    look(2);
    pass_until(2 * (WORKER_STUCK_MS + WATCHDOG_MS), 0);
    (void)heard();
    pass(0);
    cr_assert_eq(heard(), 0);
    cr_assert_eq(lines_of("a worker hangs"), 1);
}

/* The main thread runs first after it, and the run clock knows nothing of it yet. */
Test(watchdog, takes_a_pause_of_the_process_for_no_hanging_worker)
{
    uint64_t pause_ms;

    look(2);
    cr_assert_eq(heard(), 1);
    scene.now_ms = scene.due_ms + 2 * WORKER_STUCK_MS;
    look(0);
    cr_assert_eq(heard(), 0);
    cr_assert_leq(scene.due_ms - scene.now_ms, WATCHDOG_MS / 2, "it looks again soon");
    run_clock_look(&scene.group.clock, scene.now_ms, &pause_ms); /* a worker's */
    cr_assert_gt(pause_ms, WORKER_STUCK_MS);
    pass(2);
    cr_assert_eq(heard(), 1);
    cr_assert_eq(lines_of("hangs"), 0);
}

Test(watchdog, never_looks_when_nothing_watches)
{
    scene.notifier.watchdog_ms = 0;
    cr_assert_eq(watchdog_look(&scene.watchdog, scene.now_ms), UINT64_MAX);
    cr_assert_eq(heard(), 0);
}
