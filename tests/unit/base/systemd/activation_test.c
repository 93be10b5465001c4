/* Goal: the sockets of systemd are taken with their names, once, and nothing else is. Method: the
 * environment as systemd sets it, and descriptors at its numbers. */
#include "base/systemd/activation.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

static struct activation activation;

/* Places count descriptors where systemd does. Whatever the test program holds there is not needed
 * after the start of a test, which is a process of its own. */
static void pass(unsigned count, const char *names)
{
    char text[16];
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    cr_assert_geq(fd, 0);
    for (unsigned i = 0; i < count; i++) {
        cr_assert_geq(dup2(fd, (int)(FIRST_FD + i)), 0);
    }
    snprintf(text, sizeof text, "%d", (int)getpid());
    setenv("LISTEN_PID", text, 1);
    snprintf(text, sizeof text, "%u", count);
    setenv("LISTEN_FDS", text, 1);
    if (names == NULL) {
        unsetenv("LISTEN_FDNAMES");
    } else {
        setenv("LISTEN_FDNAMES", names, 1);
    }
}

/* In a child, whose descriptors no test framework uses. Returns its exit status: 0 is all well. */
#define IN_CHILD(body)                                                                             \
    do {                                                                                           \
        pid_t child = fork();                                                                      \
        int status;                                                                                \
        if (child == 0) {                                                                          \
            body;                                                                                  \
            _exit(0);                                                                              \
        }                                                                                          \
        cr_assert_eq(waitpid(child, &status, 0), child);                                           \
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);   \
    } while (0)

static void expect(bool is_true, int line)
{
    if (!is_true) {
        fprintf(stderr, "activation_test.c:%d: not so\n", line);
        _exit(1);
    }
}

#define EXPECT(condition) expect((condition), __LINE__)

static void takes_with_names(void)
{
    pass(3, "access:relay");
    EXPECT(activation_take(&activation) == 0);
    EXPECT(activation.count == 3);
    EXPECT(activation.sockets[0].fd == FIRST_FD && activation.sockets[2].fd == FIRST_FD + 2);
    EXPECT(strcmp(activation.sockets[0].name, "access") == 0);
    EXPECT(strcmp(activation.sockets[1].name, "relay") == 0);
    EXPECT(activation.sockets[2].name[0] == '\0');
    EXPECT(fcntl(FIRST_FD, F_GETFD) == FD_CLOEXEC);
    EXPECT(getenv("LISTEN_FDS") == NULL && getenv("LISTEN_PID") == NULL &&
           getenv("LISTEN_FDNAMES") == NULL);
    activation.sockets[1].fd = -1;
    activation_close(&activation);
    EXPECT(fcntl(FIRST_FD, F_GETFD) == -1 && errno == EBADF);
    EXPECT(fcntl(FIRST_FD + 1, F_GETFD) >= 0);
    EXPECT(activation_take(&activation) == 0 && activation.count == 0);
}

Test(activation, takes_sockets_with_their_names_once)
{
    IN_CHILD(takes_with_names());
}

static void cuts_a_long_name_off(void)
{
    char names[200];

    memset(names, 'n', sizeof names);
    memcpy(names + 100, ":access", sizeof ":access");
    pass(2, names);
    EXPECT(activation_take(&activation) == 0);
    EXPECT(strlen(activation.sockets[0].name) == ACTIVATION_NAME_SIZE - 1);
    EXPECT(strcmp(activation.sockets[1].name, "access") == 0);
    pass(2, NULL);
    EXPECT(activation_take(&activation) == 0 && activation.sockets[1].name[0] == '\0');
}

Test(activation, cuts_a_long_name_off)
{
    IN_CHILD(cuts_a_long_name_off());
}

static void leaves_those_of_others(void)
{
    pass(1, "access");
    setenv("LISTEN_PID", "1", 1);
    EXPECT(activation_take(&activation) == 0 && activation.count == 0);
    EXPECT(fcntl(FIRST_FD, F_GETFD) == 0);
    EXPECT(getenv("LISTEN_FDS") == NULL);
}

Test(activation, leaves_sockets_that_are_for_another_process)
{
    IN_CHILD(leaves_those_of_others());
}

static void refuses_nonsense(void)
{
    static const struct {
        const char *count;
        int result;
    } cases[] = {{"x", -EINVAL}, {"-1", -EINVAL}, {"1x", -EINVAL},
                 {"17", -E2BIG}, {"", 0},         {"0", 0}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pass(0, NULL);
        setenv("LISTEN_FDS", cases[i].count, 1);
        EXPECT(activation_take(&activation) == cases[i].result);
        EXPECT(activation.count == 0);
    }
    pass(0, NULL);
    close(FIRST_FD);
    setenv("LISTEN_FDS", "1", 1);
    EXPECT(activation_take(&activation) == -EINVAL);
    EXPECT(activation.count == 0);
    pass(1, NULL);
    setenv("LISTEN_PID", "me", 1);
    EXPECT(activation_take(&activation) == -EINVAL);
}

Test(activation, refuses_what_makes_no_sense)
{
    IN_CHILD(refuses_nonsense());
}
