#include "perf/target/floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "perf/target/process.h"

/* First bytes of a connection; answered by one byte once it has joined its topic. */
struct hello {
    uint32_t topic;
    uint32_t role;
};

struct floor_topic {
    int publisher;
    int *viewers;
    unsigned viewers_count;
};

struct floor_server {
    struct scenario scenario;
    size_t message_len; /* header included */
    int listener;
    struct floor_topic *topics;
    uint8_t *message;
};

static size_t frame_len(size_t bytes)
{
    return bytes + (bytes < 126 ? 2 : bytes <= UINT16_MAX ? 4 : 10);
}

/* The child can only report to stderr, and has nothing to save. */
static void child_require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "relay-bench: floor: %s: %s\n", what, strerror(errno));
        _exit(1);
    }
}

static void connection_accept(struct floor_server *server)
{
    struct hello hello;
    int one = 1;
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

    child_require(fd >= 0, "accept");
    child_require(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "TCP_NODELAY");
    child_require(recv(fd, &hello, sizeof hello, MSG_WAITALL) == sizeof hello, "hello");
    child_require(hello.topic < server->scenario.topics, "topic");
    struct floor_topic *topic = &server->topics[hello.topic];

    if (hello.role == CONNECTOR_PUBLISHER) {
        topic->publisher = fd;
    } else {
        child_require(topic->viewers_count < server->scenario.viewers, "viewers");
        topic->viewers[topic->viewers_count++] = fd;
    }
    child_require(send(fd, "", 1, MSG_NOSIGNAL) == 1, "hello");
}

static void message_send(struct floor_server *server, int fd)
{
    size_t sent = 0;

    while (sent < server->message_len) {
        ssize_t len = send(fd, server->message + sent, server->message_len - sent, MSG_NOSIGNAL);

        if (len < 0) {
            return; /* the run is over for this viewer; the generator counts the missing messages */
        }
        sent += (size_t)len;
    }
}

/* False at the end of the stream. */
static bool message_forward(struct floor_server *server, const struct floor_topic *topic)
{
    ssize_t len = recv(topic->publisher, server->message, server->message_len, MSG_WAITALL);

    if (len != (ssize_t)server->message_len) {
        return false;
    }
    for (unsigned i = 0; i < topic->viewers_count; i++) {
        message_send(server, topic->viewers[i]);
    }
    return true;
}

static void serve_many(struct floor_server *server)
{
    struct epoll_event events[64];
    unsigned open = server->scenario.topics;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    child_require(epoll_fd >= 0, "epoll_create1");
    for (unsigned i = 0; i < server->scenario.topics; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &server->topics[i]};

        child_require(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, server->topics[i].publisher, &event) == 0,
                      "epoll_ctl");
    }
    while (open > 0) {
        int count = epoll_wait(epoll_fd, events, ARRAY_LENGTH(events), -1);

        for (int i = 0; i < count; i++) {
            const struct floor_topic *topic = events[i].data.ptr;

            if (!message_forward(server, topic)) {
                close(topic->publisher);
                open--;
            }
        }
    }
}

static void topics_create(struct floor_server *server)
{
    const struct scenario *scenario = &server->scenario;

    server->topics = calloc(scenario->topics, sizeof *server->topics);
    server->message = malloc(server->message_len);
    child_require(server->topics != NULL && server->message != NULL, "memory");
    for (unsigned i = 0; i < scenario->topics; i++) {
        server->topics[i].viewers = calloc(scenario->viewers, sizeof(int));
        child_require(server->topics[i].viewers != NULL, "memory");
    }
}

NORETURN static void child_run(struct floor_server *server)
{
    size_t connections = scenario_connections(&server->scenario);

    topics_create(server);
    for (size_t i = 0; i < connections; i++) {
        connection_accept(server);
    }
    if (server->scenario.rate == 0) {
        for (;;) {
            pause();
        }
    }
    if (server->scenario.topics > 1) {
        serve_many(server);
    } else {
        while (message_forward(server, &server->topics[0])) {
        }
    }
    _exit(0);
}

/* Returns a listening socket on a free loopback port, or -errno. */
static int listener_open(uint16_t *ret_port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        int failed = -errno;

        close(fd);
        return failed;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

int floor_start(struct floor *floor, const struct scenario *scenario, int cpu)
{
    struct floor_server server = {
        .scenario = *scenario,
        .message_len = frame_len(scenario->bytes),
    };
    pid_t parent = getpid();

    *floor = (struct floor){.pid = 0};
    server.listener = listener_open(&floor->port);
    if (server.listener < 0) {
        return server.listener;
    }
    fflush(NULL); /* otherwise the child would print it again */
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        child_require(getppid() == parent, "parent");
        errno = -process_pin(cpu);
        child_require(errno == 0, "cannot use the CPU");
        child_run(&server);
    }
    int failed = pid < 0 ? -errno : 0;

    close(server.listener);
    floor->pid = failed == 0 ? pid : 0;
    return failed;
}

static int floor_open(void *ctx, unsigned topic, enum connector_role role,
                      struct connection *ret_connection,
                      char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    const struct floor *floor = ctx;
    struct load_transport_peer peer = {.host = "127.0.0.1", .port = floor->port};
    struct hello hello = {.topic = topic, .role = role};
    struct load_transport *transport = &ret_connection->transport;
    uint8_t joined;
    int failed = load_transport_open(&peer, transport, error);

    if (failed != 0) {
        return failed;
    }
    if (transport->ops->write(transport, &hello, sizeof hello) != sizeof hello ||
        transport->ops->read(transport, &joined, 1) != 1) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "the floor does not respond");
        load_transport_close(transport);
        return -ECONNRESET;
    }
    return 0;
}

struct connector floor_connector(struct floor *floor)
{
    return (struct connector){.ctx = floor, .is_masked = false, .open = floor_open};
}

void floor_end(struct floor *floor)
{
    if (floor->pid == 0) {
        return;
    }
    kill(floor->pid, SIGKILL);
    while (waitpid(floor->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    *floor = (struct floor){.pid = 0};
}
