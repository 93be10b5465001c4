/* Resource usage of the measured processes, from the kernel. Main thread; blocks on /proc only. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"

enum process_limits { PROCESS_SET_MAX = 16 };

/* The processes that together are "the server", e.g. a proxy's workers and the relay behind it.
 * Empty when unknown. */
struct process_set {
    pid_t pids[PROCESS_SET_MAX];
    unsigned count;
};

/* Sums over the set. */
struct process_usage {
    uint64_t cpu_ns;         /* all threads, including ended ones, user and system, exact */
    uint64_t user_ns;        /* the kernel's estimate, in steps of its clock tick (often 10 ms) */
    uint64_t system_ns;      /* likewise */
    uint64_t rss_bytes;      /* resident, shared pages of the program included */
    uint64_t rss_anon_bytes; /* resident and private: heap, stacks, pools */
    uint64_t rss_peak_bytes; /* the most that was resident since the process began */
    uint64_t pss_bytes;      /* resident, shared pages by share; these two are of
                              * process_memory_read, and 0 where the kernel does not tell */
    uint64_t private_bytes;  /* resident pages that no other process has */
    unsigned threads;
};

/* "12,34". -EINVAL for anything that is not process ids, -E2BIG for more than fit. */
MUST_USE int process_set_parse(const char *text, struct process_set *ret_set);

/* -ESRCH when one of them has ended. *ret_usage is zero for an empty set. */
MUST_USE int process_usage_read(const struct process_set *set, struct process_usage *ret_usage);

/* Adds what takes the kernel a walk through all pages: not while something is measured. */
void process_memory_read(const struct process_set *set, struct process_usage *usage);

/* Processor time of the calling thread. */
uint64_t process_thread_cpu_ns(void);

/* Ties the calling thread, and what it starts, to one CPU; with cpu < 0 to all that the system
 * permits, which also undoes an earlier choice. -errno. */
MUST_USE int process_pin(int cpu);

/* The n-th CPU this process may use, counted from 0; -1 when there are fewer. */
int process_cpu_usable(unsigned n);

/* Raises this process's limit of descriptors to the maximum permitted; returns it. */
uint64_t process_descriptors_raise(void);
