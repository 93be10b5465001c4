/* To be preloaded into a program under test: its wall clock (CLOCK_REALTIME) is the machine's plus
 * the nanoseconds that stand in the file RELAY_TEST_WALL_STEP, an int64_t that the test changes
 * while the program runs. All other clocks are the machine's. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000 };

static int (*machine_gettime)(clockid_t id, struct timespec *ret_time);
static const volatile int64_t *step_ns;

__attribute__((constructor)) static void map_step(void)
{
    const char *path = getenv("RELAY_TEST_WALL_STEP");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

    *(void **)&machine_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    if (fd < 0) {
        return;
    }
    void *page = mmap(NULL, sizeof *step_ns, PROT_READ, MAP_SHARED, fd, 0);

    close(fd);
    step_ns = page == MAP_FAILED ? NULL : page;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *ret_time)
{
    int failed = machine_gettime(id, ret_time);

    if (failed == 0 && id == CLOCK_REALTIME && step_ns != NULL) {
        int64_t ns = ret_time->tv_nsec + *step_ns % NS_PER_S;

        ret_time->tv_sec += *step_ns / NS_PER_S + (ns < 0 ? -1 : ns / NS_PER_S);
        ret_time->tv_nsec = ns < 0 ? ns + NS_PER_S : ns % NS_PER_S;
    }
    return failed;
}
