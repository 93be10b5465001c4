/* Goal: the terminal is as it was when it is left. Method: a pseudo terminal in place of the
 * process's own. */
#include "cli/top/terminal.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int far_fd;
static struct terminal terminal;

static void start(void)
{
    far_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert(far_fd >= 0 && grantpt(far_fd) == 0 && unlockpt(far_fd) == 0);
    int fd = open(ptsname(far_fd), O_RDWR | O_NOCTTY | O_CLOEXEC);

    cr_assert_geq(fd, 0);
    cr_assert_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    cr_assert_eq(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    close(fd);
}

TestSuite(terminal, .init = start);

static const char *shown(void)
{
    static char text[256];
    struct pollfd fd = {.fd = far_fd, .events = POLLIN};

    cr_assert_eq(poll(&fd, 1, 10000), 1);
    ssize_t len = read(far_fd, text, sizeof text - 1);

    text[len > 0 ? len : 0] = '\0';
    return text;
}

static bool is_as_ever(void)
{
    struct termios now;

    cr_assert_eq(tcgetattr(STDIN_FILENO, &now), 0);
    return (now.c_lflag & (ICANON | ECHO)) == (ICANON | ECHO);
}

Test(terminal, is_left_as_it_was)
{
    cr_assert(is_as_ever());
    cr_assert(terminal_open(&terminal));
    cr_assert_not(is_as_ever());
    cr_assert_str_eq(shown(), "\033[?1049h\033[?25l\033[2J");
    terminal_close(&terminal);
    cr_assert(is_as_ever());
    cr_assert_str_eq(shown(), "\033[?25h\033[?1049l");
    terminal_close(&terminal);
    terminal_enter_again(&terminal);
    cr_assert_not(is_as_ever());
    cr_assert_str_eq(shown(), "\033[?1049h\033[?25l\033[2J");
    cr_assert(terminal_write("x", 1));
    cr_assert_str_eq(shown(), "x");
    terminal_close(&terminal);
}

Test(terminal, tells_its_size)
{
    struct winsize size = {.ws_col = 33, .ws_row = 7};
    unsigned columns, lines;

    cr_assert_eq(ioctl(far_fd, TIOCSWINSZ, &size), 0);
    terminal_size(&columns, &lines);
    cr_assert(columns == 33 && lines == 7);
    size = (struct winsize){0};
    cr_assert_eq(ioctl(far_fd, TIOCSWINSZ, &size), 0);
    terminal_size(&columns, &lines);
    cr_assert(columns == 80 && lines == 24);
}

Test(terminal, that_is_none_is_not_opened)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    cr_assert_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    cr_assert_not(terminal_open(&terminal));
    terminal_close(&terminal);
}

Test(terminal, that_is_gone_takes_nothing)
{
    cr_assert(terminal_open(&terminal));
    close(far_fd);
    cr_assert_not(terminal_write("x", 1));
    terminal_close(&terminal);
}
