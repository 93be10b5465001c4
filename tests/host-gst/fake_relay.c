#include "tests/host-gst/fake_relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gst/check/gstcheck.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum fake_limits {
    REQUEST_SIZE_MAX = 16 * 1024,
    PEERS_MAX = 1024,
    WAIT_S = 20,
    BLACKHOLE_CLIENTS = 8,
};

/* FAKE_READ_SLOWLY */
enum { SLOW_BYTES = 64 * 1024, SLOW_PAUSE_US = 30 * 1000 };

struct message {
    int type;
    GBytes *data;
};

struct fake_relay {
    int listen_fd;
    guint16 port;
    GThread *acceptor;
    GMutex lock; /* guards everything below */
    GCond changed;
    enum fake_behaviour behaviour;
    bool quit;
    int peers[PEERS_MAX];  /* open sockets; -1: free */
    bool open[PEERS_MAX];  /* the WebSocket handshake is done */
    bool ended[PEERS_MAX]; /* at command */
    guint running;
    guint opened;
    GPtrArray *tokens;
    GArray *messages;
};

struct peer {
    struct fake_relay *relay;
    guint slot;
    int fd;
};

static int loopback_socket(guint16 *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    fail_unless(fd >= 0);
    fail_unless(bind(fd, (struct sockaddr *)&address, len) == 0);
    fail_unless(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* --- one connection --- */

static bool read_all(int fd, void *data, size_t len, bool slowly)
{
    for (size_t done = 0; done < len;) {
        size_t step = slowly ? MIN(len - done, SLOW_BYTES) : len - done;
        ssize_t count = recv(fd, (char *)data + done, step, 0);

        if (slowly && step == SLOW_BYTES) {
            g_usleep(SLOW_PAUSE_US);
        }

        if (count <= 0) {
            return false;
        }
        done += (size_t)count;
    }
    return true;
}

static void write_all(int fd, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t count = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL);

        if (count <= 0) {
            return;
        }
        done += (size_t)count;
    }
}

/* Up to the empty line; byte by byte, so that no frame is swallowed. */
static bool read_head(int fd, char *head)
{
    size_t len = 0;

    while (len + 1 < REQUEST_SIZE_MAX && recv(fd, head + len, 1, 0) == 1) {
        len++;
        head[len] = '\0';
        if (len >= 4 && memcmp(head + len - 4, "\r\n\r\n", 4) == 0) {
            return true;
        }
    }
    return false;
}

static char *header_value(const char *head, const char *name)
{
    char **lines = g_strsplit(head, "\r\n", -1);
    char *value = NULL;

    for (guint i = 0; value == NULL && lines[i] != NULL; i++) {
        size_t len = strlen(name);

        if (g_ascii_strncasecmp(lines[i], name, len) == 0 && lines[i][len] == ':') {
            value = g_strstrip(g_strdup(lines[i] + len + 1));
        }
    }
    g_strfreev(lines);
    return value;
}

static void hold(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};

    poll(&poll_fd, 1, -1);
}

static enum fake_behaviour behaviour_now(struct fake_relay *relay)
{
    enum fake_behaviour behaviour;

    g_mutex_lock(&relay->lock);
    behaviour = relay->behaviour;
    g_mutex_unlock(&relay->lock);
    return behaviour;
}

static void answer_access(struct peer *peer, const char *head)
{
    struct fake_relay *relay = peer->relay;
    enum fake_behaviour behaviour;
    char *body, *answer;
    bool refuse;

    g_mutex_lock(&relay->lock);
    g_ptr_array_add(relay->tokens, header_value(head, "Authorization"));
    g_cond_broadcast(&relay->changed);
    behaviour = relay->behaviour;
    g_mutex_unlock(&relay->lock);
    if (behaviour == FAKE_SILENT_ACCESS) {
        hold(peer->fd);
        return;
    }
    refuse = behaviour == FAKE_REFUSE;
    body = refuse
               ? g_strdup("\"Token Wrong Topic\"\n")
               : g_strdup_printf("{\"uri\":\"ws://127.0.0.1:%u/session/test?code=c0de-secret\"}\n",
                                 relay->port);
    answer = g_strdup_printf("HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
                             "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                             refuse ? "401 Unauthorized" : "200 OK", strlen(body), body);
    write_all(peer->fd, answer, strlen(answer));
    g_free(answer);
    g_free(body);
}

static void answer_upgrade(struct peer *peer, const char *head)
{
    GChecksum *checksum = g_checksum_new(G_CHECKSUM_SHA1);
    char *key = header_value(head, "Sec-WebSocket-Key");
    guint8 digest[20];
    gsize digest_len = sizeof digest;
    char *accept, *answer;

    fail_unless(key != NULL);
    g_checksum_update(checksum, (const guchar *)key, -1);
    g_checksum_update(checksum, (const guchar *)"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", -1);
    g_checksum_get_digest(checksum, digest, &digest_len);
    accept = g_base64_encode(digest, digest_len);
    answer = g_strdup_printf("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                             accept);
    write_all(peer->fd, answer, strlen(answer));
    g_free(answer);
    g_free(accept);
    g_free(key);
    g_checksum_free(checksum);
}

struct frame {
    bool fin;
    int opcode;
    guint8 *data;
    guint64 len;
};

/* False when the socket ended. */
static bool read_frame(int fd, struct frame *frame, bool slowly)
{
    guint8 head[2], extended[8], mask[4];

    if (!read_all(fd, head, 2, false)) {
        return false;
    }
    fail_unless(head[1] & 0x80, "a client must mask its frames");
    frame->fin = head[0] & 0x80;
    frame->opcode = head[0] & 0x0f;
    frame->len = head[1] & 0x7f;
    if (frame->len >= 126) {
        size_t count = frame->len == 126 ? 2 : 8;

        if (!read_all(fd, extended, count, false)) {
            return false;
        }
        frame->len = 0;
        for (size_t i = 0; i < count; i++) {
            frame->len = frame->len << 8 | extended[i];
        }
    }
    frame->data = g_malloc(frame->len + 1);
    if (!read_all(fd, mask, 4, false) || !read_all(fd, frame->data, frame->len, slowly)) {
        g_free(frame->data);
        return false;
    }
    for (guint64 i = 0; i < frame->len; i++) {
        frame->data[i] ^= mask[i & 3];
    }
    return true;
}

static void message_store(struct fake_relay *relay, int type, GByteArray *data)
{
    struct message message = {type, g_bytes_new(data->data, data->len)};

    g_mutex_lock(&relay->lock);
    g_array_append_val(relay->messages, message);
    g_cond_broadcast(&relay->changed);
    g_mutex_unlock(&relay->lock);
}

static void control_answer(struct peer *peer, const struct frame *frame)
{
    guint8 head[2] = {(guint8)(0x80 | (frame->opcode == 9 ? 10 : 8)), (guint8)frame->len};

    if (frame->opcode == 8 || frame->opcode == 9) {
        write_all(peer->fd, head, 2);
        write_all(peer->fd, frame->data, frame->len);
    }
}

static void serve_websocket(struct peer *peer)
{
    bool slowly = behaviour_now(peer->relay) == FAKE_READ_SLOWLY;
    GByteArray *data = g_byte_array_new();
    struct frame frame = {0};
    int type = 0;

    while (read_frame(peer->fd, &frame, slowly)) {
        if (frame.opcode >= 8) {
            control_answer(peer, &frame);
        } else {
            type = frame.opcode != 0 ? frame.opcode : type;
            g_byte_array_append(data, frame.data, (guint)frame.len);
            if (frame.fin) {
                message_store(peer->relay, type, data);
                g_byte_array_set_size(data, 0);
            }
        }
        g_free(frame.data);
        if (frame.opcode == 8) {
            break;
        }
    }
    g_byte_array_unref(data);
}

/* False when the socket is ended instead. */
static bool wait_until_reading(struct peer *peer)
{
    struct fake_relay *relay = peer->relay;
    bool ended;

    g_mutex_lock(&relay->lock);
    while (relay->behaviour == FAKE_NEVER_READ && !relay->ended[peer->slot]) {
        g_cond_wait(&relay->changed, &relay->lock);
    }
    ended = relay->ended[peer->slot];
    g_mutex_unlock(&relay->lock);
    return !ended;
}

static void upgrade(struct peer *peer, const char *head)
{
    struct fake_relay *relay = peer->relay;
    enum fake_behaviour behaviour = behaviour_now(relay);

    if (behaviour == FAKE_SILENT_UPGRADE) {
        g_mutex_lock(&relay->lock);
        relay->opened++;
        g_cond_broadcast(&relay->changed);
        g_mutex_unlock(&relay->lock);
        hold(peer->fd);
        return;
    }
    g_mutex_lock(&relay->lock); /* open as soon as the element can know of it */
    answer_upgrade(peer, head);
    relay->open[peer->slot] = true;
    relay->opened++;
    g_cond_broadcast(&relay->changed);
    g_mutex_unlock(&relay->lock);
    if (behaviour == FAKE_NEVER_READ && !wait_until_reading(peer)) {
        return;
    }
    serve_websocket(peer);
}

static gpointer peer_main(gpointer data)
{
    struct peer *peer = data;
    struct fake_relay *relay = peer->relay;
    char *head = g_malloc0(REQUEST_SIZE_MAX);

    if (read_head(peer->fd, head)) {
        if (g_str_has_prefix(head, "POST ")) {
            answer_access(peer, head);
        } else {
            upgrade(peer, head);
        }
    }
    g_free(head);
    g_mutex_lock(&relay->lock);
    relay->peers[peer->slot] = -1;
    relay->open[peer->slot] = false;
    shutdown(peer->fd, SHUT_RDWR);
    close(peer->fd);
    relay->running--;
    g_cond_broadcast(&relay->changed);
    g_mutex_unlock(&relay->lock);
    g_free(peer);
    return NULL;
}

/* --- the server --- */

static void peer_start(struct fake_relay *relay, int fd)
{
    struct peer *peer = g_new0(struct peer, 1);

    g_mutex_lock(&relay->lock);
    while (relay->peers[peer->slot] != -1) {
        peer->slot++;
        fail_unless(peer->slot < PEERS_MAX);
    }
    peer->relay = relay;
    peer->fd = fd;
    relay->peers[peer->slot] = fd;
    relay->ended[peer->slot] = false;
    relay->running++;
    g_mutex_unlock(&relay->lock);
    g_thread_unref(g_thread_new("fake-peer", peer_main, peer));
}

static gpointer acceptor_main(gpointer data)
{
    struct fake_relay *relay = data;

    for (;;) {
        int fd = accept(relay->listen_fd, NULL, NULL);

        if (fd < 0) {
            return NULL;
        }
        peer_start(relay, fd);
    }
}

struct fake_relay *fake_relay_start(void)
{
    struct fake_relay *relay = g_new0(struct fake_relay, 1);

    g_mutex_init(&relay->lock);
    g_cond_init(&relay->changed);
    relay->tokens = g_ptr_array_new_with_free_func(g_free);
    relay->messages = g_array_new(FALSE, FALSE, sizeof(struct message));
    for (guint i = 0; i < PEERS_MAX; i++) {
        relay->peers[i] = -1;
    }
    relay->listen_fd = loopback_socket(&relay->port);
    fail_unless(listen(relay->listen_fd, 128) == 0);
    relay->acceptor = g_thread_new("fake-relay", acceptor_main, relay);
    return relay;
}

void fake_relay_forget_messages(struct fake_relay *relay)
{
    g_mutex_lock(&relay->lock);
    for (guint i = 0; i < relay->messages->len; i++) {
        g_bytes_unref(g_array_index(relay->messages, struct message, i).data);
    }
    g_array_set_size(relay->messages, 0);
    g_mutex_unlock(&relay->lock);
}

void fake_relay_stop(struct fake_relay *relay)
{
    shutdown(relay->listen_fd, SHUT_RDWR);
    g_thread_join(relay->acceptor);
    close(relay->listen_fd);
    g_mutex_lock(&relay->lock);
    for (guint i = 0; i < PEERS_MAX; i++) {
        if (relay->peers[i] != -1) {
            relay->ended[i] = true;
            shutdown(relay->peers[i], SHUT_RDWR);
        }
    }
    g_cond_broadcast(&relay->changed);
    while (relay->running > 0) {
        g_cond_wait(&relay->changed, &relay->lock);
    }
    g_mutex_unlock(&relay->lock);
    fake_relay_forget_messages(relay);
    g_array_unref(relay->messages);
    g_ptr_array_unref(relay->tokens);
    g_cond_clear(&relay->changed);
    g_mutex_clear(&relay->lock);
    g_free(relay);
}

char *fake_relay_location(const struct fake_relay *relay, bool secure)
{
    return g_strdup_printf("http%s://127.0.0.1:%u/session/test", secure ? "s" : "", relay->port);
}

void fake_relay_set_behaviour(struct fake_relay *relay, enum fake_behaviour behaviour)
{
    const int size = SLOW_BYTES;

    if (behaviour == FAKE_READ_SLOWLY) {
        /* Connections accepted from now on inherit it; otherwise the kernel would read ahead. */
        setsockopt(relay->listen_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    g_mutex_lock(&relay->lock);
    relay->behaviour = behaviour;
    g_cond_broadcast(&relay->changed);
    g_mutex_unlock(&relay->lock);
}

static gsize frame_head(guint8 head[10], int type, gsize len)
{
    gsize size = len < 126 ? 2 : len < 65536 ? 4 : 10;

    head[0] = (guint8)(0x80 | type);
    head[1] = (guint8)(size == 2 ? len : size == 4 ? 126 : 127);
    for (gsize i = 2; i < size; i++) {
        head[i] = (guint8)((guint64)len >> 8 * (size - 1 - i));
    }
    return size;
}

void fake_relay_send(struct fake_relay *relay, int type, const void *data, gsize len)
{
    guint8 head[10];
    gsize head_len = frame_head(head, type, len);

    g_mutex_lock(&relay->lock);
    for (guint i = 0; i < PEERS_MAX; i++) {
        if (relay->peers[i] != -1 && relay->open[i] && !relay->ended[i]) {
            write_all(relay->peers[i], head, head_len);
            write_all(relay->peers[i], data, len);
        }
    }
    g_mutex_unlock(&relay->lock);
}

void fake_relay_close_sockets(struct fake_relay *relay, guint16 code)
{
    const guint8 frame[] = {0x88, 2, (guint8)(code >> 8), (guint8)code};
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};

    g_mutex_lock(&relay->lock);
    for (guint i = 0; i < PEERS_MAX; i++) {
        if (relay->peers[i] == -1 || !relay->open[i]) {
            continue;
        }
        if (code != 0) {
            write_all(relay->peers[i], frame, sizeof frame);
        } else {
            setsockopt(relay->peers[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        shutdown(relay->peers[i], code != 0 ? SHUT_WR : SHUT_RDWR);
        relay->ended[i] = true;
    }
    g_cond_broadcast(&relay->changed);
    g_mutex_unlock(&relay->lock);
}

static void wait_count(struct fake_relay *relay, const guint *count, guint wanted, const char *what)
{
    gint64 deadline_us = g_get_monotonic_time() + WAIT_S * G_TIME_SPAN_SECOND;

    g_mutex_lock(&relay->lock);
    while (*count < wanted) {
        if (!g_cond_wait_until(&relay->changed, &relay->lock, deadline_us)) {
            guint now = *count;

            g_mutex_unlock(&relay->lock);
            fail("waited %d s for %u %s, there are %u", WAIT_S, wanted, what, now);
        }
    }
    g_mutex_unlock(&relay->lock);
}

void fake_relay_wait_connections(struct fake_relay *relay, guint opened)
{
    wait_count(relay, &relay->opened, opened, "connections");
}

void fake_relay_wait_requests(struct fake_relay *relay, guint access_requests)
{
    wait_count(relay, &relay->tokens->len, access_requests, "access requests");
}

void fake_relay_wait_messages(struct fake_relay *relay, guint count)
{
    wait_count(relay, &relay->messages->len, count, "messages");
}

guint fake_relay_messages(struct fake_relay *relay)
{
    guint count;

    g_mutex_lock(&relay->lock);
    count = relay->messages->len;
    g_mutex_unlock(&relay->lock);
    return count;
}

GBytes *fake_relay_message(struct fake_relay *relay, guint index, int *ret_type)
{
    struct message message;

    g_mutex_lock(&relay->lock);
    fail_unless(index < relay->messages->len);
    message = g_array_index(relay->messages, struct message, index);
    g_bytes_ref(message.data);
    g_mutex_unlock(&relay->lock);
    if (ret_type != NULL) {
        *ret_type = message.type;
    }
    return message.data;
}

char *fake_relay_token(struct fake_relay *relay, guint index)
{
    char *token;

    g_mutex_lock(&relay->lock);
    fail_unless(index < relay->tokens->len);
    token = g_strdup(g_ptr_array_index(relay->tokens, index));
    g_mutex_unlock(&relay->lock);
    return token;
}

/* --- ports that do not answer --- */

struct fake_blackhole {
    int listen_fd;
    int clients[BLACKHOLE_CLIENTS];
};

/* A queue of length 0 takes one or two connections; further ones are never answered. */
struct fake_blackhole *fake_blackhole_start(guint16 *ret_port)
{
    struct fake_blackhole *blackhole = g_new0(struct fake_blackhole, 1);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    blackhole->listen_fd = loopback_socket(ret_port);
    fail_unless(listen(blackhole->listen_fd, 0) == 0);
    address.sin_port = htons(*ret_port);
    for (guint i = 0; i < BLACKHOLE_CLIENTS; i++) {
        blackhole->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(blackhole->clients[i], (struct sockaddr *)&address, sizeof address);
    }
    return blackhole;
}

void fake_blackhole_stop(struct fake_blackhole *blackhole)
{
    for (guint i = 0; i < BLACKHOLE_CLIENTS; i++) {
        close(blackhole->clients[i]);
    }
    close(blackhole->listen_fd);
    g_free(blackhole);
}

guint16 fake_closed_port(void)
{
    guint16 port;
    int fd = loopback_socket(&port);

    close(fd);
    return port;
}
