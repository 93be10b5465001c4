/* The accounting against work of known kind: a child that burns processor time and takes memory. */
#include "perf/target/process.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BURN_MS = 30, BLOCK_BYTES = 8 * 1024 * 1024 };

static uint64_t thread_cpu_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void *burn(void *argument)
{
    while (thread_cpu_ms() < BURN_MS) {
    }
    return NULL;
}

/* Burns in a thread that ends, takes memory, says so, and stays. */
static pid_t child_start(int *ready_fd)
{
    int fds[2];

    cr_assert_eq(pipe(fds), 0);
    pid_t pid = fork();

    if (pid == 0) {
        pthread_t thread;
        void *block =
            mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        memset(block, 1, BLOCK_BYTES);
        pthread_create(&thread, NULL, burn, NULL);
        pthread_join(thread, NULL);
        if (write(fds[1], "", 1) == 1) {
            pause();
        }
        _exit(0);
    }
    close(fds[1]);
    *ready_fd = fds[0];
    return pid;
}

Test(process, sees_time_of_ended_threads_and_private_memory)
{
    char byte;
    int ready_fd;
    pid_t pid = child_start(&ready_fd);
    struct process_set set = {.pids = {pid}, .count = 1};
    struct process_usage usage;

    cr_assert_eq(read(ready_fd, &byte, 1), 1);
    cr_assert_eq(process_usage_read(&set, &usage), 0);
    cr_assert_geq(usage.cpu_ns, BURN_MS * UINT64_C(1000000));
    cr_assert_geq(usage.rss_anon_bytes, (uint64_t)BLOCK_BYTES);
    cr_assert_geq(usage.rss_bytes, usage.rss_anon_bytes);
    cr_assert_eq(usage.threads, 1);
    cr_assert_eq(usage.private_bytes, 0, "only if asked for");
    process_memory_read(&set, &usage);
    cr_assert_geq(usage.private_bytes, (uint64_t)BLOCK_BYTES);
    cr_assert_geq(usage.pss_bytes, usage.private_bytes);
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    close(ready_fd);
    cr_assert_eq(process_usage_read(&set, &usage), -ESRCH);
}

static void *own_time(void *argument)
{
    *(uint64_t *)argument = process_thread_cpu_ns();
    return NULL;
}

Test(process, tells_the_time_of_the_calling_thread)
{
    uint64_t fresh_ns = UINT64_MAX;
    pthread_t thread;

    burn(NULL);
    cr_assert_eq(pthread_create(&thread, NULL, own_time, &fresh_ns), 0);
    pthread_join(thread, NULL);
    cr_assert_geq(process_thread_cpu_ns(), BURN_MS * UINT64_C(1000000));
    cr_assert_lt(fresh_ns, process_thread_cpu_ns());
}

Test(process, adds_up_a_set)
{
    struct process_set one = {.pids = {getpid()}, .count = 1};
    struct process_set two = {.pids = {getpid(), getpid()}, .count = 2};
    struct process_set none = {.count = 0};
    struct process_usage single;
    struct process_usage sum;

    cr_assert_eq(process_usage_read(&one, &single), 0);
    cr_assert_eq(process_usage_read(&two, &sum), 0);
    cr_assert_geq(sum.cpu_ns, 2 * single.cpu_ns);
    cr_assert_eq(sum.threads, 2 * single.threads);
    cr_assert_eq(process_usage_read(&none, &sum), 0);
    cr_assert_eq(sum.cpu_ns, 0);
}

Test(process_set, ids_are_read)
{
    struct process_set set;

    cr_assert_eq(process_set_parse("12,34,5", &set), 0);
    cr_assert_eq(set.count, 3);
    cr_assert_eq(set.pids[0], 12);
    cr_assert_eq(set.pids[2], 5);
}

Test(process_set, others_are_refused)
{
    static const char *const rows[] = {"", "x", "1,", ",1", "0", "-1", "1;2", "99999999999"};
    struct process_set set;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        cr_assert_eq(process_set_parse(rows[i], &set), -EINVAL, "%s", rows[i]);
    }
    cr_assert_eq(process_set_parse("1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8", &set), -E2BIG);
}
