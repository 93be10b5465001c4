#include "cli/top/terminal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The other screen, no cursor. */
#define ENTER "\033[?1049h\033[?25l\033[2J"
#define LEAVE "\033[?25h\033[?1049l"

bool terminal_write(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t written = write(STDOUT_FILENO, text, len);

        if (written < 0 && errno == EAGAIN) {
            struct pollfd fd = {.fd = STDOUT_FILENO, .events = POLLOUT};

            poll(&fd, 1, -1);
        } else if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            text += written;
            len -= (size_t)written;
        }
    }
    return true;
}

void terminal_enter_again(struct terminal *terminal)
{
    struct termios now = terminal->before;

    /* Control-C and control-Z stay signals. */
    now.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &now);
    terminal->is_entered = terminal_write(ENTER, strlen(ENTER));
}

bool terminal_open(struct terminal *terminal)
{
    *terminal = (struct terminal){0};
    if (isatty(STDOUT_FILENO) == 0 || tcgetattr(STDIN_FILENO, &terminal->before) != 0) {
        return false;
    }
    terminal_enter_again(terminal);
    return true;
}

void terminal_close(struct terminal *terminal)
{
    if (terminal->is_entered) {
        terminal->is_entered = false;
        bool ignored UNUSED = terminal_write(LEAVE, strlen(LEAVE));

        tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before);
    }
}

void terminal_size(unsigned *ret_columns, unsigned *ret_lines)
{
    struct winsize size;
    bool is_told = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;

    *ret_columns = is_told ? size.ws_col : 80;
    *ret_lines = is_told ? size.ws_row : 24;
}
