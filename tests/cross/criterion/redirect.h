/* Standard input and output of a test, as Criterion's redirect.h has them. What a test writes is
 * kept in memory, so that the end of it can be read while it is still open. One thread of a test.
 */
#pragma once

#include "criterion/criterion.h"

void cr_redirect_stdin(void);
void cr_redirect_stdout(void);
void cr_redirect_stderr(void);

/* To write what the test reads, and to read what it wrote so far. */
FILE *cr_get_redirected_stdin(void);
FILE *cr_get_redirected_stdout(void);
FILE *cr_get_redirected_stderr(void);

/* Flushes the stream; compares what was written and not read yet. */
bool stand_in_wrote(FILE *stream, FILE *written, const char *text);

#define cr_expect_stdout_eq_str(text, ...)                                                         \
    STAND_IN_CHECK(false, stand_in_wrote(stdout, cr_get_redirected_stdout(), text),                \
                   "stdout is " #text, __VA_ARGS__)
#define cr_expect_stderr_eq_str(text, ...)                                                         \
    STAND_IN_CHECK(false, stand_in_wrote(stderr, cr_get_redirected_stderr(), text),                \
                   "stderr is " #text, __VA_ARGS__)
#define cr_assert_stdout_eq_str(text, ...)                                                         \
    STAND_IN_CHECK(true, stand_in_wrote(stdout, cr_get_redirected_stdout(), text),                 \
                   "stdout is " #text, __VA_ARGS__)
#define cr_assert_stderr_eq_str(text, ...)                                                         \
    STAND_IN_CHECK(true, stand_in_wrote(stderr, cr_get_redirected_stderr(), text),                 \
                   "stderr is " #text, __VA_ARGS__)
