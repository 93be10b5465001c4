/* Goal: a spawned server is ready when both ports accept, and each way in which it fails is
 * explained by its own output. Method: this program is the server, too: started with "serve" it
 * listens and behaves as the variable FAKE_SERVER says. */
#include "perf/target/spawn.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The server. */

static void on_sigterm(int number)
{
    const char *end = getenv("FAKE_SERVER");

    _exit(end != NULL && strcmp(end, "fails") == 0 ? 7 : 0);
}

static void port_listen(const char *variable)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *port = getenv(variable);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one); /* as servers do */
    address.sin_port = htons((uint16_t)strtol(port == NULL ? "" : port, NULL, 10));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 8) != 0) {
        _exit(9);
    }
}

static void environment_print(void)
{
    static const char *const names[] = {"RELAY_AUDIENCE", "RELAY_URL",     "RELAY_SECRET",
                                        "RELAY_STORE",    "RELAY_WORKERS", "RELAY_TLS_CERT",
                                        "RELAY_TLS_KEY"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const char *value = getenv(names[i]);

        dprintf(STDOUT_FILENO, "%s=%s\n", names[i], value == NULL ? "(none)" : value);
    }
}

/* Before Criterion's main(). */
__attribute__((constructor)) static void serve(int argc, char **argv)
{
    const char *behaviour = getenv("FAKE_SERVER");

    if (argc != 2 || strcmp(argv[1], "serve") != 0) {
        return;
    }
    if (behaviour != NULL && strcmp(behaviour, "exits") == 0) {
        dprintf(STDERR_FILENO, "RELAY_SECRET is missing\n");
        _exit(3);
    }
    signal(SIGTERM, on_sigterm);
    environment_print();
    port_listen("RELAY_PORT_ACCESS");
    port_listen("RELAY_PORT_RELAY");
    for (;;) {
        pause();
    }
}

/* The tests. */

static char log_path[] = "/tmp/relay-spawn-test-XXXXXX";
static char error[SPAWN_ERROR_SIZE], end_error[SPAWN_ERROR_SIZE];
static struct spawned spawned;
static char log_text[2048];

static void start(void)
{
    int fd = mkstemp(log_path);

    cr_assert_geq(fd, 0);
    close(fd);
    unsetenv("RELAY_WORKERS");
    unsetenv("RELAY_TLS_CERT");
    unsetenv("RELAY_TLS_KEY");
}

static void stop(void)
{
    unlink(log_path);
}

TestSuite(spawn, .init = start, .fini = stop);

static struct spawn_config config_of(const char *path)
{
    return (struct spawn_config){.path = path, .log_path = log_path, .cpu = -1};
}

static void log_read(void)
{
    FILE *file = fopen(log_path, "r");

    cr_assert_not_null(file);
    size_t len = fread(log_text, 1, sizeof log_text - 1, file);

    fclose(file);
    log_text[len] = '\0';
}

static void expect_log(const char *line)
{
    cr_expect_not_null(strstr(log_text, line), "%s is not in %s", line, log_text);
}

Test(spawn, starts_a_server_and_ends_it)
{
    struct spawn_config config = config_of("/proc/self/exe");
    char line[256];

    cr_assert_eq(spawn_start(&config, &spawned, error), 0, "%s", error);
    struct spawned was = spawned;

    cr_expect_gt(spawned.pid, 0);
    cr_expect_neq(spawned.port_access, spawned.port_relay);
    cr_expect_eq(strlen(spawned.secret), SPAWN_SECRET_SIZE - 1);
    cr_expect_gt(spawned.ready_ns, 0);
    cr_expect_eq(spawn_end(&spawned, end_error), 0, "%s", end_error);
    cr_expect_eq(spawned.pid, 0);
    cr_expect_str_eq(spawned.secret, "");
    log_read();
    snprintf(line, sizeof line, "RELAY_AUDIENCE=http://127.0.0.1:%u\n", was.port_access);
    expect_log(line);
    snprintf(line, sizeof line, "RELAY_URL=ws://127.0.0.1:%u\n", was.port_relay);
    expect_log(line);
    snprintf(line, sizeof line, "RELAY_SECRET=%s\n", was.secret);
    expect_log(line);
    expect_log("RELAY_STORE=memory\nRELAY_WORKERS=(none)\nRELAY_TLS_CERT=(none)\n");
}

Test(spawn, passes_workers_and_certificates_on)
{
    struct spawn_config config = config_of("/proc/self/exe");

    config.workers = 3;
    config.tls_cert = "cert.pem";
    config.tls_key = "key.pem";
    cr_assert_eq(spawn_start(&config, &spawned, error), 0, "%s", error);
    cr_expect_eq(strncmp(spawned.access_url, "https://127.0.0.1:", 18), 0);
    cr_expect_eq(strncmp(spawned.relay_url, "wss://127.0.0.1:", 16), 0);
    cr_expect_eq(spawn_end(&spawned, end_error), 0);
    log_read();
    expect_log("RELAY_WORKERS=3\nRELAY_TLS_CERT=cert.pem\nRELAY_TLS_KEY=key.pem\n");
}

Test(spawn, explains_a_server_that_exits_at_once)
{
    struct spawn_config config = config_of("/proc/self/exe");

    setenv("FAKE_SERVER", "exits", 1);
    cr_expect_eq(spawn_start(&config, &spawned, error), -ECHILD);
    cr_expect_str_eq(error,
                     "the server exited at once; end of its output: RELAY_SECRET is missing\n");
    cr_expect_eq(spawned.pid, 0);
}

Test(spawn, explains_a_program_that_is_not_there)
{
    struct spawn_config config = config_of("/nowhere/relay");

    cr_expect_eq(spawn_start(&config, &spawned, error), -ECHILD);
    cr_expect_not_null(strstr(error, "cannot start /nowhere/relay: No such file or directory"),
                       "%s", error);
}

Test(spawn, notices_a_server_that_fails_at_its_end)
{
    struct spawn_config config = config_of("/proc/self/exe");

    setenv("FAKE_SERVER", "fails", 1);
    cr_assert_eq(spawn_start(&config, &spawned, error), 0, "%s", error);
    cr_expect_eq(spawn_end(&spawned, end_error), -ECHILD);
    cr_expect_eq(strncmp(end_error, "the server did not exit with status 0; ", 39), 0, "%s",
                 end_error);
}

Test(spawn, notices_a_server_that_died)
{
    struct spawn_config config = config_of("/proc/self/exe");

    cr_assert_eq(spawn_start(&config, &spawned, error), 0, "%s", error);
    kill(spawned.pid, SIGKILL);
    cr_expect_eq(spawn_end(&spawned, end_error), -ECHILD);
}

Test(spawn, ends_what_is_not_running)
{
    cr_expect_eq(spawn_end(&spawned, end_error), 0);
    cr_expect_eq(spawned.output_fd, -1);
}
