/* Goal: systemd is told in its own words, and silence where none listens costs nothing. Method: the
 * test's own socket in place of systemd's, by path and in the abstract namespace. */
#include "base/systemd/notifier.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HEARD_SIZE = 512, WAIT_MS = 10000 };

static struct {
    int fd;
    char path[64];
    char heard[HEARD_SIZE];
    struct notifier notifier;
} scene;

static void listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);

    memcpy(address.sun_path, name, len);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    scene.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(scene.fd, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                 0);
    setenv("NOTIFY_SOCKET", name, 1);
}

static void open_scene(void)
{
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    snprintf(scene.path, sizeof scene.path, "/tmp/relay-notifier-test-%d", (int)getpid());
    unlink(scene.path);
    listen_at(scene.path);
}

static void close_scene(void)
{
    notifier_deinit(&scene.notifier);
    close(scene.fd);
    unlink(scene.path);
}

TestSuite(notifier, .init = open_scene, .fini = close_scene);

static const char *heard(void)
{
    struct pollfd polled = {.fd = scene.fd, .events = POLLIN};

    cr_assert_eq(poll(&polled, 1, WAIT_MS), 1);
    ssize_t len = recv(scene.fd, scene.heard, sizeof scene.heard - 1, 0);

    cr_assert_geq(len, 0);
    scene.heard[len] = '\0';
    return scene.heard;
}

static bool is_silent(void)
{
    struct pollfd polled = {.fd = scene.fd, .events = POLLIN};

    return poll(&polled, 1, 0) == 0;
}

Test(notifier, says_what_happens_in_the_words_of_systemd)
{
    unsigned long long usec;
    struct timespec now;

    cr_assert_eq(notifier_init(&scene.notifier), 0);
    notifier_ready(&scene.notifier, "3 connections");
    cr_assert_str_eq(heard(), "READY=1\nSTATUS=3 connections");
    notifier_ready(&scene.notifier, NULL);
    cr_assert_str_eq(heard(), "READY=1");
    notifier_status(&scene.notifier, "4 connections");
    cr_assert_str_eq(heard(), "STATUS=4 connections");
    notifier_alive(&scene.notifier);
    cr_assert_str_eq(heard(), "WATCHDOG=1");
    notifier_stopping(&scene.notifier);
    cr_assert_str_eq(heard(), "STOPPING=1\nSTATUS=stopping");
    notifier_reloading(&scene.notifier);
    cr_assert_eq(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1, "%s", scene.heard);
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned long long now_usec =
        (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000;

    cr_assert_leq(usec, now_usec);
    cr_assert_geq(usec + WAIT_MS * 1000ULL, now_usec);
}

Test(notifier, cuts_a_long_status_off)
{
    char status[2 * NOTIFIER_STATUS_SIZE];

    memset(status, 'x', sizeof status - 1);
    status[sizeof status - 1] = '\0';
    cr_assert_eq(notifier_init(&scene.notifier), 0);
    notifier_status(&scene.notifier, status);
    cr_assert_eq(strlen(heard()), strlen("STATUS=") + NOTIFIER_STATUS_SIZE);
}

Test(notifier, finds_the_abstract_namespace)
{
    char name[64];

    snprintf(name, sizeof name, "@relay-notifier-test-%d", (int)getpid());
    close(scene.fd);
    listen_at(name);
    cr_assert_eq(notifier_init(&scene.notifier), 0);
    notifier_alive(&scene.notifier);
    cr_assert_str_eq(heard(), "WATCHDOG=1");
}

Test(notifier, leaves_nothing_for_children)
{
    setenv("WATCHDOG_USEC", "2000000", 1);
    cr_assert_eq(notifier_init(&scene.notifier), 0);
    cr_assert_null(getenv("NOTIFY_SOCKET"));
    cr_assert_null(getenv("WATCHDOG_USEC"));
}

Test(notifier, is_watched_when_the_watchdog_means_this_process)
{
    char pid[24];

    cr_assert_eq(notifier_init(&scene.notifier), 0);
    cr_assert_eq(scene.notifier.watchdog_ms, 0);
    notifier_deinit(&scene.notifier);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    for (int is_ours = 0; is_ours <= 1; is_ours++) {
        setenv("NOTIFY_SOCKET", scene.path, 1);
        setenv("WATCHDOG_USEC", "2500000", 1);
        setenv("WATCHDOG_PID", is_ours ? pid : "1", 1);
        cr_assert_eq(notifier_init(&scene.notifier), 0);
        cr_assert_eq(scene.notifier.watchdog_ms, is_ours ? 2500 : 0);
        notifier_deinit(&scene.notifier);
    }
}

Test(notifier, does_nothing_without_systemd)
{
    unsetenv("NOTIFY_SOCKET");
    setenv("WATCHDOG_USEC", "2500000", 1);
    cr_assert_eq(notifier_init(&scene.notifier), 0);
    cr_assert_eq(scene.notifier.watchdog_ms, 0, "nothing hears it");
    notifier_ready(&scene.notifier, "ready");
    notifier_reloading(&scene.notifier);
    cr_assert(is_silent());
}

Test(notifier, refuses_addresses_that_are_none)
{
    char longest[200];

    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    const char *const addresses[] = {"relative", "/", "@", "vsock:2:1", longest};

    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        setenv("NOTIFY_SOCKET", addresses[i], 1);
        cr_assert_eq(notifier_init(&scene.notifier), -EINVAL, "%s", addresses[i]);
        notifier_alive(&scene.notifier);
        notifier_deinit(&scene.notifier);
    }
    cr_assert(is_silent());
}

Test(notifier, goes_on_when_systemd_is_gone)
{
    cr_assert_eq(notifier_init(&scene.notifier), 0);
    unlink(scene.path);
    notifier_alive(&scene.notifier);
    cr_assert(is_silent());
}

Test(notifier, tells_of_another_main_process)
{
    cr_assert_eq(notifier_init(&scene.notifier), 0);
    notifier_main_pid(&scene.notifier, 4711);
    cr_assert_str_eq(heard(), "MAINPID=4711");
}

/* Another process finds systemd by the variables as this one did. */
static void expect_variables(const char *socket, const char *watchdog)
{
    struct notifier_variables variables;

    notifier_write_variables(&scene.notifier, &variables);
    if (socket == NULL) {
        cr_assert_null(variables.list[0]);
        return;
    }
    cr_assert_str_eq(variables.list[0] + strlen("NOTIFY_SOCKET="), socket);
    if (watchdog == NULL) {
        cr_assert_null(variables.list[1]);
    } else {
        cr_assert_str_eq(variables.list[1], watchdog);
    }
    cr_assert_null(variables.list[2]);
}

Test(notifier, variables_are_those_that_it_was_made_of)
{
    char name[80];

    cr_assert_eq(notifier_init(&scene.notifier), 0);
    expect_variables(scene.path, NULL);
    notifier_deinit(&scene.notifier);
    expect_variables(NULL, NULL);
    close(scene.fd);
    snprintf(name, sizeof name, "@relay-notifier-test-%d", (int)getpid());
    listen_at(name);
    setenv("WATCHDOG_USEC", "3000000", 1);
    cr_assert_eq(notifier_init(&scene.notifier), 0);
    expect_variables(name, "WATCHDOG_USEC=3000000");
}
