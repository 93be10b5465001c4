/* Goal: a disk or a reader that hangs holds up neither those who log nor the end; what is lost is
 * counted, and the rest comes whole and in order.
 * Method: write(2) is this file's own: it can be made to hang, as that of a disk does which no poll
 * tells of; and a FIFO that nobody reads. */
#include "base/log_output.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { QUICK_MS = 500, LINE_LEN = 100, LINES_TOO_MANY = LOG_QUEUE_BYTES_MAX / LINE_LEN + 1000 };

static pthread_mutex_t gate_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_is_shut;
static unsigned writes_waiting;
static atomic_int write_error;

ssize_t write(int fd, const void *data, size_t len)
{
    if (fd > STDERR_FILENO) {
        pthread_mutex_lock(&gate_mutex);
        writes_waiting++;
        pthread_cond_broadcast(&gate_changed);
        while (gate_is_shut) {
            pthread_cond_wait(&gate_changed, &gate_mutex);
        }
        writes_waiting--;
        pthread_mutex_unlock(&gate_mutex);
        if (atomic_load(&write_error) != 0) {
            errno = atomic_load(&write_error);
            return -1;
        }
    }
    return (ssize_t)syscall(SYS_write, fd, data, len);
}

static void gate_set(bool is_shut)
{
    pthread_mutex_lock(&gate_mutex);
    gate_is_shut = is_shut;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_mutex);
}

static void wait_for_writer(void)
{
    pthread_mutex_lock(&gate_mutex);
    while (writes_waiting == 0) {
        pthread_cond_wait(&gate_changed, &gate_mutex);
    }
    pthread_mutex_unlock(&gate_mutex);
}

static char folder[64], path[128];

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/relay-log-test-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
}

static void tear_down(void)
{
    gate_set(false);
    log_output_close();
    unlink(path);
    rmdir(folder);
}

TestSuite(log_output, .init = set_up, .fini = tear_down);

static atomic_uint losses_told;
static _Atomic uint64_t losses_last;

static void on_loss(uint64_t lines_lost)
{
    atomic_fetch_add(&losses_told, 1);
    atomic_store(&losses_last, lines_lost);
}

static void write_number(unsigned number)
{
    char line[LINE_LEN + 1];

    snprintf(line, sizeof line, "%0*u\n", LINE_LEN - 1, number);
    log_output_write(line, LINE_LEN);
}

/* How many lines there are: each whole, each number larger than the one before. */
static unsigned lines_count(FILE *file)
{
    char line[LINE_LEN + 2];
    unsigned count = 0;
    long last = -1;

    while (fgets(line, sizeof line, file) != NULL) {
        long number = strtol(line, NULL, 10);

        cr_assert_eq(strlen(line), LINE_LEN, "%s", line);
        cr_assert_gt(number, last);
        last = number;
        count++;
    }
    return count;
}

static unsigned lines_in_file(void)
{
    FILE *file = fopen(path, "r");

    cr_assert_not_null(file);
    unsigned count = lines_count(file);

    fclose(file);
    return count;
}

Test(log_output, everything_is_written_before_the_end)
{
    cr_assert_eq(log_output_open(path), 0);
    cr_assert_eq(log_output_start(on_loss), 0);
    for (unsigned i = 0; i < 5000; i++) {
        write_number(i);
    }
    log_output_close();
    cr_assert_eq(lines_in_file(), 5000);
    cr_assert_eq(log_output_lines_lost(), 0);
}

Test(log_output, a_disk_that_hangs_holds_up_nobody)
{
    cr_assert_eq(log_output_open(path), 0);
    cr_assert_eq(log_output_start(on_loss), 0);
    gate_set(true);
    write_number(0);
    wait_for_writer();
    uint64_t began_ms = clock_monotonic_ms();

    for (unsigned i = 1; i < LINES_TOO_MANY; i++) {
        write_number(i);
    }
    cr_assert_lt(clock_monotonic_ms() - began_ms, QUICK_MS);
    uint64_t lost = log_output_lines_lost();

    cr_assert_gt(lost, 0);
    cr_assert_lt(lost, LINES_TOO_MANY);
    gate_set(false);
    log_output_flush(10000);
    cr_assert_eq(log_output_lines_lost(), lost);
    cr_assert_eq(atomic_load(&losses_told), 1);
    cr_assert_eq(atomic_load(&losses_last), lost);
    cr_assert_eq(lines_in_file() + lost, LINES_TOO_MANY);
    write_number(LINES_TOO_MANY);
    log_output_close();
    cr_assert_eq(lines_in_file() + lost, LINES_TOO_MANY + 1);
    cr_assert_eq(atomic_load(&losses_told), 1, "losses are told once");
}

Test(log_output, a_disk_that_hangs_does_not_hold_up_the_end)
{
    cr_assert_eq(log_output_open(path), 0);
    cr_assert_eq(log_output_start(on_loss), 0);
    gate_set(true);
    write_number(0);
    wait_for_writer();
    uint64_t began_ms = clock_monotonic_ms();

    log_output_close();
    uint64_t took_ms = clock_monotonic_ms() - began_ms;

    cr_assert_geq(took_ms, LOG_FLUSH_MS);
    cr_assert_lt(took_ms, LOG_FLUSH_MS + QUICK_MS);
    /* The next life of the log is no business of the thread that was left behind. */
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(log_output_open(path), 0);
    cr_assert_eq(log_output_start(on_loss), 0);
    write_number(1);
    gate_set(false);
    log_output_flush(10000);
    cr_assert_eq(lines_in_file(), 1);
}

Test(log_output, a_pipe_that_nobody_reads_holds_up_nobody)
{
    cr_assert_eq(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);

    cr_assert_geq(reader, 0);
    cr_assert_eq(log_output_open(path), 0);
    cr_assert_eq(log_output_start(on_loss), 0);
    uint64_t began_ms = clock_monotonic_ms();

    for (unsigned i = 0; i < 2 * LINES_TOO_MANY; i++) {
        write_number(i);
    }
    cr_assert_lt(clock_monotonic_ms() - began_ms, QUICK_MS);
    log_output_close();
    cr_assert_lt(clock_monotonic_ms() - began_ms, LOG_FLUSH_MS + 2 * QUICK_MS);
    cr_assert_gt(log_output_lines_lost(), 0);
    close(reader);
}

Test(log_output, a_full_disk_is_a_loss_that_is_told_when_it_is_over)
{
    cr_assert_eq(log_output_open(path), 0);
    cr_assert_eq(log_output_start(on_loss), 0);
    atomic_store(&write_error, ENOSPC);
    write_number(0);
    log_output_flush(10000);
    cr_assert_eq(log_output_lines_lost(), 1);
    cr_assert_eq(atomic_load(&losses_told), 0);
    atomic_store(&write_error, 0);
    write_number(1);
    log_output_flush(10000);
    cr_assert_eq(atomic_load(&losses_told), 1);
    cr_assert_eq(lines_in_file(), 1);
}

Test(log_output, a_child_of_fork_writes_its_lines_itself)
{
    int status = 1;

    cr_assert_eq(log_output_open(path), 0);
    cr_assert_eq(log_output_start(on_loss), 0);
    gate_set(true);
    write_number(0);
    wait_for_writer();
    write_number(1); /* in the queue */
    pid_t pid = fork();

    if (pid == 0) {
        gate_mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        gate_is_shut = false;
        write_number(2);
        log_output_flush(10000);
        _exit(0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    FILE *file = fopen(path, "r");
    char line[LINE_LEN + 2];

    cr_assert_not_null(fgets(line, sizeof line, file));
    cr_assert_eq(strtol(line, NULL, 10), 2);
    cr_assert_null(fgets(line, sizeof line, file));
    fclose(file);
}
