#include "cli/doctor/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/attributes.h"
#include "server/loop/ring.h"
#include "server/tls/ktls.h"

enum { MAJOR_MIN = 6, MINOR_MIN = 1, ERROR_SIZE = 512, DESCRIPTORS_SPARE = 64, NAME_SIZE = 32 };

void machine_check_kernel(struct findings *findings, const char *release)
{
    unsigned major = 0, minor = 0;

    if (sscanf(release, "%u.%u", &major, &minor) == 2 &&
        (major > MAJOR_MIN || (major == MAJOR_MIN && minor >= MINOR_MIN))) {
        findings_add(findings, "kernel", FINDING_OK, NULL, "Linux %s", release);
    } else {
        findings_add(findings, "kernel", FINDING_FAULT,
                     "use Debian 12, Ubuntu 24.04 or newer, or their kernels",
                     "Linux %s is older than 6.1", release);
    }
}

/* The text of the ring names cause and cure by itself. */
static void check_io_uring(struct findings *findings)
{
    char error[ERROR_SIZE];

    if (ring_probe(error, sizeof error) == 0) {
        findings_add(findings, "io_uring", FINDING_OK, NULL, "all operations work");
    } else {
        findings_add(findings, "io_uring", FINDING_FAULT,
                     "sysctl kernel.io_uring_disabled=0; in a container, a seccomp profile that "
                     "allows io_uring_setup, io_uring_enter and io_uring_register",
                     "%s", error);
    }
}

static void check_kernel_tls(struct findings *findings, const struct server_config *config)
{
    struct ktls_support support = {0};

    ktls_probe(&support);
    if (support.any || config->ktls == CONFIG_KTLS_OFF) {
        findings_add(findings, "kernel_tls", FINDING_OK, NULL, "%s", support.text);
    } else {
        findings_add(findings, "kernel_tls",
                     config->ktls == CONFIG_KTLS_REQUIRE ? FINDING_FAULT : FINDING_WARNING,
                     "modprobe tls; permanently: echo tls > /etc/modules-load.d/relay.conf",
                     "records are made in user space: %s", support.text);
    }
}

void machine_check_descriptors(struct findings *findings, rlim_t limit, int64_t connections_max)
{
    unsigned long long wanted = (unsigned long long)connections_max + DESCRIPTORS_SPARE;

    if (limit == RLIM_INFINITY || limit >= wanted) {
        findings_add(findings, "descriptors", FINDING_OK, NULL, "enough for %lld connections",
                     (long long)connections_max);
    } else {
        findings_add(findings, "descriptors", FINDING_WARNING,
                     "LimitNOFILE= in the unit of systemd, or ulimit -Hn, or a lower "
                     "RELAY_CONNECTIONS_MAX",
                     "%llu open files are allowed here, RELAY_CONNECTIONS_MAX needs %llu",
                     (unsigned long long)limit, wanted);
    }
}

void machine_check_clock(struct findings *findings, int clock_state)
{
    if (clock_state != TIME_ERROR) {
        findings_add(findings, "clock", FINDING_OK, NULL, "synchronised");
    } else {
        findings_add(findings, "clock", FINDING_WARNING,
                     "apt install chrony, or timedatectl set-ntp true",
                     "not synchronised: tokens are refused too early or taken too long when it is "
                     "more than 30 s wrong");
    }
}

/* The first program of a container (docker run --init), which ends when what it started does. */
static bool is_small_init(const char *first_program)
{
    static const char *const names[] = {"tini",      "docker-init", "dumb-init",
                                        "catatonit", "s6-svscan",   "runsvdir"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(first_program, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

void machine_check_handover(struct findings *findings, int made, const char *first_program)
{
    if (made != 0) {
        findings_add(findings, "handover", FINDING_WARNING,
                     "allow memfd_create (the seccomp profile of a container; "
                     "vm.memfd_noexec below 2)",
                     "an upgrade closes all connections: %s", strerror(-made));
    } else if (strcmp(first_program, "relay") == 0) {
        findings_add(findings, "handover", FINDING_OK, NULL,
                     "not possible: relay is the first process of a container, which is replaced "
                     "as a whole");
    } else if (is_small_init(first_program)) {
        findings_add(
            findings, "handover", FINDING_OK, NULL,
            "not possible: %s would take the end of the old program for that of the relay; "
            "replace the container as a whole",
            first_program);
    } else {
        findings_add(findings, "handover", FINDING_OK, NULL,
                     "SIGUSR2 hands connections over to a new program");
    }
}

static int make_file_in_memory(void)
{
    int fd = memfd_create("relay-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int failed = fd < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0 ? -errno : 0;

    if (fd >= 0) {
        close(fd);
    }
    return failed;
}

/* "" if it cannot be known: units may hide it. */
static void read_first_program(char name[static NAME_SIZE])
{
    FILE *file = fopen("/proc/1/comm", "re");

    name[0] = '\0';
    if (file != NULL) {
        if (fgets(name, NAME_SIZE, file) != NULL) {
            name[strcspn(name, "\n")] = '\0';
        }
        fclose(file);
    }
}

void machine_check(struct findings *findings, const struct server_config *config)
{
    struct utsname name = {0};
    struct rlimit limit = {.rlim_max = RLIM_INFINITY};
    struct timex clock = {0};
    char first_program[NAME_SIZE];

    uname(&name);
    getrlimit(RLIMIT_NOFILE, &limit);
    machine_check_kernel(findings, name.release);
    check_io_uring(findings);
    check_kernel_tls(findings, config);
    machine_check_descriptors(findings, limit.rlim_max, config->connections_max);
    machine_check_clock(findings, adjtimex(&clock));
    read_first_program(first_program);
    machine_check_handover(findings, make_file_in_memory(), first_program);
}
