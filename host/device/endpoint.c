#include "host/device/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

/* B0: there is no such speed. */
static speed_t speed_of(uint64_t baud)
{
    static const struct {
        uint64_t baud;
        speed_t speed;
    } speeds[] = {
        {1200, B1200},     {2400, B2400},     {4800, B4800},     {9600, B9600},
        {19200, B19200},   {38400, B38400},   {57600, B57600},   {115200, B115200},
        {230400, B230400}, {460800, B460800}, {921600, B921600}, {1000000, B1000000},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(speeds); i++) {
        if (speeds[i].baud == baud) {
            return speeds[i].speed;
        }
    }
    return B0;
}

static int configure(int fd, speed_t speed)
{
    struct termios settings;

    if (tcgetattr(fd, &settings) != 0) {
        return -errno;
    }
    cfmakeraw(&settings);
    settings.c_cflag |= CLOCAL | CREAD;
    cfsetispeed(&settings, speed);
    cfsetospeed(&settings, speed);
    return tcsetattr(fd, TCSANOW, &settings) != 0 ? -errno : 0;
}

int endpoint_open_serial(const char *path, uint64_t speed)
{
    speed_t code = speed_of(speed);

    if (code == B0) {
        return -EINVAL;
    }
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        return -errno;
    }
    int failed = configure(fd, code);

    if (failed != 0) {
        close(fd);
        return failed;
    }
    return fd;
}

/* The program gets the signals as a shell would give them: the host blocks and ignores some. */
static int attributes_init(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int failed = posix_spawnattr_init(attributes);

    if (failed != 0) {
        return failed;
    }
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setpgroup(attributes, 0);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETPGROUP);
}

static int spawn(char *const words[], int fd, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failed = attributes_init(&attributes);

    if (failed != 0) {
        return failed;
    }
    failed = posix_spawn_file_actions_init(&actions);
    if (failed == 0) {
        posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
        failed = posix_spawnp(ret_pid, words[0], &actions, &attributes, words, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    posix_spawnattr_destroy(&attributes);
    return failed;
}

int endpoint_start_program(char *const words[], pid_t *ret_pid)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return -errno;
    }
    int failed = spawn(words, ends[1], ret_pid);

    close(ends[1]);
    if (failed != 0) {
        close(ends[0]);
        return -failed;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return ends[0];
}
