/* An admin listener of the test: a thread that answers each path with a given text. Of one test. */
#pragma once

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/top/admin/admin_address.h"

#define FAKE_READY "{\"ready\":true,\"state\":\"ready\"}"
#define FAKE_TOPICS_HEAD                                                                           \
    "{\"version\":\"1.2.3\",\"now_ms\":%d,\"started_s\":1000,\"connections\":4,\"websockets\":3,"  \
    "\"workers\":2,\"topics\":["
#define FAKE_STATUS                                                                                \
    "[{\"topic\":\"lab\",\"can_read\":true,\"can_write\":false,\"remote_addr\":\"192.0.2.1\","     \
    "\"user_agent\":\"ua/1\",\"connected_at\":\"2026-11-23T09:21:19Z\"}]"

static struct fake_admin {
    int fd;
    pthread_t thread;
    struct admin_address address;
    const char *name;             /* of the topic, as JSON has it */
    _Atomic(const char *) topics; /* NULL: made, with figures that grow */
    _Atomic(const char *) ready, status;
    _Atomic int answered;
} fake_admin;

/* Each look finds 1000 bytes in and 2000 out more, a second later. */
static void fake_admin_topics(char *text, size_t size, int look)
{
    snprintf(text, size,
             FAKE_TOPICS_HEAD
             "{\"topic\":\"%s\",\"publishers\":1,\"viewers\":2,\"messages_received\":%d,"
             "\"bytes_received\":%d,\"messages_sent\":0,\"bytes_sent\":%d,\"dropped_data\":%d,"
             "\"dropped_video\":1,\"dropped_latest\":0,\"age_ms\":40}]}",
             1000 * look, fake_admin.name, 10 * look, 1000 * look, 2000 * look, look);
}

static void fake_admin_answer(int fd)
{
    char head[1024], topics[1024], answer[2048];
    const char *body = "";
    ssize_t len = recv(fd, head, sizeof head - 1, 0);

    head[len > 0 ? len : 0] = '\0';
    if (strncmp(head, "GET /readyz ", 12) == 0) {
        body = atomic_load(&fake_admin.ready);
    } else if (strncmp(head, "GET /status ", 12) == 0) {
        body = atomic_load(&fake_admin.status);
    } else if (strncmp(head, "GET /topics ", 12) == 0) {
        fake_admin_topics(topics, sizeof topics, atomic_fetch_add(&fake_admin.answered, 1) + 1);
        body = atomic_load(&fake_admin.topics) == NULL ? topics : atomic_load(&fake_admin.topics);
    }
    snprintf(answer, sizeof answer, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s",
             body[0] == '\0' ? "404 Not Found" : "200 OK", strlen(body), body);
    (void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
}

static void *fake_admin_serve(void *context)
{
    for (;;) {
        int fd = accept4(fake_admin.fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0) {
            return NULL;
        }
        fake_admin_answer(fd);
        close(fd);
    }
}

static void fake_admin_open(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    char text[32];

    fake_admin =
        (struct fake_admin){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .name = "lab"};
    atomic_store(&fake_admin.ready, FAKE_READY);
    atomic_store(&fake_admin.status, FAKE_STATUS);
    cr_assert_eq(bind(fake_admin.fd, (struct sockaddr *)&name, len), 0);
    cr_assert_eq(listen(fake_admin.fd, 8), 0);
    cr_assert_eq(getsockname(fake_admin.fd, (struct sockaddr *)&name, &len), 0);
    snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(name.sin_port));
    cr_assert(admin_address_parse(text, &fake_admin.address));
    cr_assert_eq(pthread_create(&fake_admin.thread, NULL, fake_admin_serve, NULL), 0);
}

/* From here on connections are refused. */
static void fake_admin_close(void)
{
    if (fake_admin.fd >= 0) {
        shutdown(fake_admin.fd, SHUT_RDWR);
        pthread_join(fake_admin.thread, NULL);
        close(fake_admin.fd);
        fake_admin.fd = -1;
    }
}
