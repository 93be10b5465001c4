/* Goal: serial ports are raw, and programs talk over one socket. */
#define _XOPEN_SOURCE 700
#include "host/device/endpoint.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

Test(endpoint, opens_a_serial_port_raw)
{
    struct termios settings;
    int master = posix_openpt(O_RDWR | O_NOCTTY);

    cr_assert_geq(master, 0);
    cr_assert_eq(grantpt(master), 0);
    cr_assert_eq(unlockpt(master), 0);
    int fd = endpoint_open_serial(ptsname(master), 57600);

    cr_assert_geq(fd, 0);
    cr_assert_eq(tcgetattr(fd, &settings), 0);
    cr_assert_eq(cfgetospeed(&settings), B57600);
    cr_assert_not(settings.c_lflag & (ECHO | ICANON));
    cr_assert_eq(endpoint_open_serial(ptsname(master), 57601), -EINVAL);
    cr_assert_eq(endpoint_open_serial("/dev/null", 9600), -ENOTTY);
    cr_assert_eq(endpoint_open_serial("/nowhere", 9600), -ENOENT);
    close(fd);
    close(master);
}

Test(endpoint, starts_a_program_that_hears_and_speaks)
{
    char *words[] = {(char[]){"cat"}, NULL}, *nothing[] = {(char[]){"/nowhere/program"}, NULL};
    char text[4] = "";
    pid_t pid;
    int fd = endpoint_start_program(words, &pid);
    struct pollfd readable = {.fd = fd, .events = POLLIN};

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, "abc", 3), 3);
    cr_assert_eq(poll(&readable, 1, 10000), 1);
    cr_assert_eq(read(fd, text, 3), 3);
    cr_assert_str_eq(text, "abc");
    cr_assert_eq(getpgid(pid), pid);
    close(fd);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    cr_assert_eq(endpoint_start_program(nothing, &pid), -ENOENT);
}
