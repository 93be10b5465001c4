/* The terminal of standard input and output: without echo and line editing, on a screen of its own
 * that is left as it was. Main thread only; writing blocks while the terminal does. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "base/attributes.h"

struct terminal {
    struct termios before;
    bool is_entered;
};

/* False: standard input or output is no terminal. Else it is entered. */
MUST_USE bool terminal_open(struct terminal *terminal);

/* Leaves it. Harmless when it is not entered. */
void terminal_close(struct terminal *terminal);

/* After a stop of the process (SIGTSTP), for which it was closed, or which it did not see. */
void terminal_enter_again(struct terminal *terminal);

/* 80 by 24 where it does not tell. */
void terminal_size(unsigned *ret_columns, unsigned *ret_lines);

/* False: the terminal is gone. */
MUST_USE bool terminal_write(const char *text, size_t len);
