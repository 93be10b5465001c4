#include "criterion/criterion.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "criterion/redirect.h"

enum { TEST_HANGS_S = 600, PATH_SIZE = 64 };

static struct stand_in_test *tests;
static unsigned failures; /* of the test that runs */
static FILE *to_stdin, *from_stdout, *from_stderr;
static int told_fd = STDERR_FILENO; /* the runner's own, whatever a test redirects */

void stand_in_add(struct stand_in_test *test)
{
    test->next = tests;
    tests = test;
}

void stand_in_check(bool holds, bool is_last, const char *place, const char *condition,
                    const char *format, ...)
{
    va_list arguments;

    if (holds) {
        return;
    }
    failures++;
    dprintf(told_fd, "%s: failed: %s:", place, condition);
    va_start(arguments, format);
    vdprintf(told_fd, format, arguments);
    va_end(arguments);
    dprintf(told_fd, "\n");
    if (is_last) {
        _exit(1);
    }
}

/* Redirection. */

static FILE *open_again(int fd, const char *mode)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return fopen(path, mode);
}

static FILE *redirect_output(FILE *stream, int fd)
{
    int memory = memfd_create("output", MFD_CLOEXEC);

    fflush(stream);
    FILE *written = memory < 0 ? NULL : open_again(memory, "r");

    if (written == NULL || dup2(memory, fd) < 0) {
        abort();
    }
    close(memory);
    return written;
}

void cr_redirect_stdout(void)
{
    from_stdout = redirect_output(stdout, STDOUT_FILENO);
}

void cr_redirect_stderr(void)
{
    from_stderr = redirect_output(stderr, STDERR_FILENO);
}

void cr_redirect_stdin(void)
{
    int ends[2];

    if (pipe(ends) != 0 || dup2(ends[0], STDIN_FILENO) < 0) {
        abort();
    }
    close(ends[0]);
    to_stdin = fdopen(ends[1], "w");
}

FILE *cr_get_redirected_stdin(void)
{
    return to_stdin;
}

FILE *cr_get_redirected_stdout(void)
{
    return from_stdout;
}

FILE *cr_get_redirected_stderr(void)
{
    return from_stderr;
}

bool stand_in_wrote(FILE *stream, FILE *written, const char *text)
{
    size_t len = strlen(text);
    char *got = calloc(1, len + 2);

    fflush(stream);
    bool is_same = got != NULL && fread(got, 1, len + 1, written) == len && strcmp(got, text) == 0;

    if (!is_same) {
        dprintf(told_fd, "written was: %s\n", got == NULL ? "" : got);
    }
    free(got);
    return is_same;
}

/* Running. */

static const struct stand_in_options *suite_of(const struct stand_in_test *test)
{
    static const struct stand_in_options none;

    for (const struct stand_in_test *suite = tests; suite != NULL; suite = suite->next) {
        if (suite->run == NULL && strcmp(suite->suite, test->suite) == 0) {
            return &suite->options;
        }
    }
    return &none;
}

static void call(void (*function)(void))
{
    if (function != NULL) {
        function();
    }
}

static void run_here(const struct stand_in_test *test)
{
    const struct stand_in_options *suite = suite_of(test);

    told_fd = dup(STDERR_FILENO);
    alarm(TEST_HANGS_S);
    call(suite->init);
    call(test->options.init);
    test->run();
    call(test->options.fini);
    call(suite->fini);
    fflush(NULL);
    _exit(failures > 0);
}

static bool passes(const struct stand_in_test *test)
{
    int status;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        run_here(test);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return child > 0 && (test->options.signal == 0
                             ? WIFEXITED(status) && WEXITSTATUS(status) == 0
                             : WIFSIGNALED(status) && WTERMSIG(status) == test->options.signal);
}

int main(void)
{
    unsigned tested = 0, failed = 0;

    for (const struct stand_in_test *test = tests; test != NULL; test = test->next) {
        if (test->run == NULL) {
            continue;
        }
        tested++;
        if (!passes(test)) {
            fprintf(stderr, "FAILED: %s::%s\n", test->suite, test->name);
            failed++;
        }
    }
    printf("Tested: %u, failed: %u\n", tested, failed);
    return failed > 0 || tested == 0;
}
