#include "perf/target/process.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t timespec_ns(struct timespec time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int process_set_parse(const char *text, struct process_set *ret_set)
{
    struct process_set set = {.count = 0};

    for (;;) {
        char *end;

        errno = 0;
        long pid = strtol(text, &end, 10);

        if (end == text || errno != 0 || pid <= 0 || pid > INT32_MAX) {
            return -EINVAL;
        }
        if (set.count == PROCESS_SET_MAX) {
            return -E2BIG;
        }
        set.pids[set.count++] = (pid_t)pid;
        if (*end == '\0') {
            break;
        }
        if (*end != ',') {
            return -EINVAL;
        }
        text = end + 1;
    }
    *ret_set = set;
    return 0;
}

/* The process clock is the sum of what /proc/PID/task/(all)/schedstat shows, and more accurate: it
 * includes the running time slice and threads that have ended. */
static int cpu_add(pid_t pid, struct process_usage *usage)
{
    clockid_t clock;
    struct timespec time;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) {
        return -ESRCH;
    }
    usage->cpu_ns += timespec_ns(time);
    return 0;
}

/* Fields 14, 15 and 20 of /proc/PID/stat; the name in field 2 may hold spaces and parentheses. */
static int split_add(pid_t pid, struct process_usage *usage)
{
    char path[64];
    char text[1024];
    uint64_t user_ticks;
    uint64_t system_ticks;
    unsigned threads;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return -ESRCH;
    }
    size_t len = fread(text, 1, sizeof text - 1, file);

    fclose(file);
    text[len] = '\0';
    const char *fields = strrchr(text, ')');

    if (fields == NULL || sscanf(fields + 1,
                                 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                                 " %*d %*d %*d %*d %u",
                                 &user_ticks, &system_ticks, &threads) != 3) {
        return -ESRCH;
    }
    uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);

    usage->user_ns += user_ticks * tick_ns;
    usage->system_ns += system_ticks * tick_ns;
    usage->threads += threads;
    return 0;
}

static int memory_add(pid_t pid, struct process_usage *usage)
{
    char path[64];
    char line[256];
    uint64_t kib;

    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return -ESRCH;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "VmRSS: %" SCNu64, &kib) == 1) {
            usage->rss_bytes += kib * 1024;
        } else if (sscanf(line, "VmHWM: %" SCNu64, &kib) == 1) {
            usage->rss_peak_bytes += kib * 1024;
        } else if (sscanf(line, "RssAnon: %" SCNu64, &kib) == 1) {
            usage->rss_anon_bytes += kib * 1024;
        }
    }
    fclose(file);
    return 0;
}

int process_usage_read(const struct process_set *set, struct process_usage *ret_usage)
{
    struct process_usage usage = {0};

    for (unsigned i = 0; i < set->count; i++) {
        if (cpu_add(set->pids[i], &usage) != 0 || split_add(set->pids[i], &usage) != 0 ||
            memory_add(set->pids[i], &usage) != 0) {
            return -ESRCH;
        }
    }
    *ret_usage = usage;
    return 0;
}

/* smaps_rollup of other users' processes is closed: nothing is added then. */
static void smaps_add(pid_t pid, struct process_usage *usage)
{
    char path[64];
    char line[256];
    uint64_t kib;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "re");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Pss: %" SCNu64, &kib) == 1) {
            usage->pss_bytes += kib * 1024;
        } else if (sscanf(line, "Private_Clean: %" SCNu64, &kib) == 1 ||
                   sscanf(line, "Private_Dirty: %" SCNu64, &kib) == 1) {
            usage->private_bytes += kib * 1024;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

void process_memory_read(const struct process_set *set, struct process_usage *usage)
{
    for (unsigned i = 0; i < set->count; i++) {
        smaps_add(set->pids[i], usage);
    }
}

uint64_t process_thread_cpu_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return timespec_ns(time);
}

int process_pin(int cpu)
{
    cpu_set_t set;

    if (cpu >= CPU_SETSIZE) {
        return -EINVAL;
    }
    CPU_ZERO(&set);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (cpu < 0 || cpu == i) {
            CPU_SET(i, &set);
        }
    }
    return sched_setaffinity(0, sizeof set, &set) != 0 ? -errno : 0;
}

int process_cpu_usable(unsigned n)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return -1;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set) && n-- == 0) {
            return cpu;
        }
    }
    return -1;
}

uint64_t process_descriptors_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur;
}
