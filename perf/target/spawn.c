#include "perf/target/spawn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"
#include "perf/target/process.h"

enum {
    OUTPUT_TAIL_BYTES = 600,
    RETRY_MS = 2,
};

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

/* A free port that stays ours: bound, never listened to, and shared with the server, which may have
 * it because it asks for shared addresses as well. Nothing else on this machine is given it, by
 * bind or by connect. Returns the socket, or -errno. */
static int port_hold(uint16_t *ret_port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof address;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        int failed = -errno;

        close(fd);
        return failed;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int ports_hold(struct spawned *spawned, uint16_t ports[static SPAWN_PORTS])
{
    for (unsigned i = 0; i < SPAWN_PORTS; i++) {
        spawned->port_fds[i] = port_hold(&ports[i]);
        if (spawned->port_fds[i] < 0) {
            return spawned->port_fds[i];
        }
    }
    return 0;
}

static void ports_release(const struct spawned *spawned)
{
    for (unsigned i = 0; i < SPAWN_PORTS; i++) {
        if (spawned->port_fds[i] > 0) { /* 0 when zeroed */
            close(spawned->port_fds[i]);
        }
    }
}

static void secret_make(char secret[static SPAWN_SECRET_SIZE])
{
    uint8_t bytes[(SPAWN_SECRET_SIZE - 1) / 2];

    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(secret + 2 * i, 3, "%02x", bytes[i]);
    }
    bytes_wipe(bytes, sizeof bytes);
}

static void set_number(const char *name, long value)
{
    char text[24];

    snprintf(text, sizeof text, "%ld", value);
    setenv(name, text, 1);
}

static void environment_set(const struct spawn_config *config, const struct spawned *spawned)
{
    setenv("RELAY_AUDIENCE", spawned->access_url, 1);
    setenv("RELAY_URL", spawned->relay_url, 1);
    setenv("RELAY_SECRET", spawned->secret, 1);
    set_number("RELAY_PORT_ACCESS", spawned->port_access);
    set_number("RELAY_PORT_RELAY", spawned->port_relay);
    setenv("RELAY_LOG_FILE", "stdout", 1);
    setenv("RELAY_LOG_LEVEL", "info", 1);
    setenv("RELAY_STORE", "memory", 1);
    setenv("RELAY_ALLOW_NO_BOOKING_ID", "true", 1);
    if (config->workers > 0) {
        set_number("RELAY_WORKERS", config->workers);
    }
    if (config->connections_max > 0) {
        set_number("RELAY_CONNECTIONS_MAX", config->connections_max);
    }
    if (config->tls_cert != NULL) {
        setenv("RELAY_TLS_CERT", config->tls_cert, 1);
        setenv("RELAY_TLS_KEY", config->tls_key, 1);
    }
}

NORETURN static void child_exec(const struct spawn_config *config, const struct spawned *spawned)
{
    char path[4096];
    char serve[] = "serve";
    char *argv[] = {path, serve, NULL};
    int failed = process_pin(config->cpu);

    snprintf(path, sizeof path, "%s", config->path);
    environment_set(config, spawned);
    if (failed == 0 && dup2(spawned->output_fd, 1) == 1 && dup2(spawned->output_fd, 2) == 2) {
        execv(path, argv);
        failed = -errno;
    }
    dprintf(spawned->output_fd, "cannot start %s: %s\n", path, strerror(-failed));
    _exit(127);
}

/* Appends the end of the server's output to the reason, so that the user need not look for it. */
static void explain(const struct spawned *spawned, const char *what, char *error)
{
    char tail[OUTPUT_TAIL_BYTES + 1];
    off_t size = lseek(spawned->output_fd, 0, SEEK_END);
    off_t start = size > OUTPUT_TAIL_BYTES ? size - OUTPUT_TAIL_BYTES : 0;
    ssize_t len = pread(spawned->output_fd, tail, OUTPUT_TAIL_BYTES, start);

    tail[len > 0 ? len : 0] = '\0';
    snprintf(error, SPAWN_ERROR_SIZE, "%s; end of its output: %s", what, len > 0 ? tail : "(none)");
}

static bool port_accepts(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool accepts = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return accepts;
}

static int pidfd_of(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Waits until both ports accept, the server ends, or the time is up. */
static int ready_wait(struct spawned *spawned, uint64_t start_ns, char *error)
{
    struct pollfd ended = {.fd = pidfd_of(spawned->pid), .events = POLLIN};
    uint64_t deadline_ms = clock_monotonic_ms() + SPAWN_START_MS;
    int failed = 0;

    while (!port_accepts(spawned->port_access) || !port_accepts(spawned->port_relay)) {
        if (poll(&ended, 1, RETRY_MS) > 0) {
            explain(spawned, "the server exited at once", error);
            failed = -ECHILD;
            break;
        }
        if (clock_monotonic_ms() > deadline_ms) {
            explain(spawned, "the server does not accept connections", error);
            failed = -ETIMEDOUT;
            break;
        }
    }
    spawned->ready_ns = clock_monotonic_ns() - start_ns;
    if (ended.fd >= 0) {
        close(ended.fd);
    }
    return failed;
}

static int spawn_prepare(const struct spawn_config *config, struct spawned *spawned)
{
    uint16_t ports[SPAWN_PORTS] = {0};
    const char *secure = config->tls_cert != NULL ? "s" : "";
    int failed = ports_hold(spawned, ports);

    if (failed != 0) {
        return failed;
    }
    spawned->output_fd = memfd_create("relay-bench-server", MFD_CLOEXEC);
    if (spawned->output_fd < 0) {
        return -errno;
    }
    /* Two descriptors write into it: each line goes to the end. */
    if (fcntl(spawned->output_fd, F_SETFL, O_APPEND) != 0) {
        failed = -errno;
    }
    spawned->port_access = ports[0];
    spawned->port_relay = ports[1];
    secret_make(spawned->secret);
    snprintf(spawned->access_url, SPAWN_URL_SIZE, "http%s://127.0.0.1:%u", secure, ports[0]);
    snprintf(spawned->relay_url, SPAWN_URL_SIZE, "ws%s://127.0.0.1:%u", secure, ports[1]);
    return failed;
}

int spawn_start(const struct spawn_config *config, struct spawned *ret_spawned,
                char error[static SPAWN_ERROR_SIZE])
{
    uint64_t start_ns = clock_monotonic_ns();
    pid_t parent = getpid();

    *ret_spawned = (struct spawned){.output_fd = -1, .log_path = config->log_path};
    int failed = spawn_prepare(config, ret_spawned);

    if (failed == 0) {
        fflush(NULL);
        ret_spawned->pid = fork();
        failed = ret_spawned->pid < 0 ? -errno : 0;
    }
    if (failed != 0) {
        char ignored[SPAWN_ERROR_SIZE];

        ret_spawned->pid = 0;
        (void)!spawn_end(ret_spawned, ignored);
        snprintf(error, SPAWN_ERROR_SIZE, "cannot start a process: %s", strerror(-failed));
        return failed;
    }
    if (ret_spawned->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent) {
            _exit(127);
        }
        child_exec(config, ret_spawned);
    }
    failed = ready_wait(ret_spawned, start_ns, error);
    if (failed != 0) {
        char ignored[SPAWN_ERROR_SIZE];

        (void)!spawn_end(ret_spawned, ignored);
    }
    return failed;
}

/* Best effort: a log that cannot be written does not spoil a measurement. */
static void log_keep(const struct spawned *spawned)
{
    char text[4096];
    off_t offset = 0;
    ssize_t len;
    FILE *log = spawned->log_path != NULL ? fopen(spawned->log_path, "ae") : NULL;

    if (log == NULL) {
        return;
    }
    while ((len = pread(spawned->output_fd, text, sizeof text, offset)) > 0) {
        fwrite(text, 1, (size_t)len, log);
        offset += len;
    }
    fclose(log);
}

/* True when it exited in time by itself. */
static bool end_wait(pid_t pid)
{
    struct pollfd ended = {.fd = pidfd_of(pid), .events = POLLIN};
    bool in_time = ended.fd < 0 || poll(&ended, 1, SPAWN_END_MS) > 0;

    if (ended.fd >= 0) {
        close(ended.fd);
    }
    return in_time;
}

int spawn_end(struct spawned *spawned, char error[static SPAWN_ERROR_SIZE])
{
    int status = 0;
    int failed = 0;

    if (spawned->pid != 0) {
        kill(spawned->pid, SIGTERM);
        if (!end_wait(spawned->pid)) {
            kill(spawned->pid, SIGKILL);
            explain(spawned, "the server did not exit in time", error);
            failed = -ETIMEDOUT;
        }
        while (waitpid(spawned->pid, &status, 0) < 0 && errno == EINTR) {
        }
        if (failed == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
            explain(spawned, "the server did not exit with status 0", error);
            failed = -ECHILD;
        }
    }
    if (spawned->output_fd > 0) { /* 0 when zeroed */
        log_keep(spawned);
        close(spawned->output_fd);
    }
    ports_release(spawned);
    bytes_wipe(spawned->secret, sizeof spawned->secret);
    *spawned = (struct spawned){.output_fd = -1};
    return failed;
}
