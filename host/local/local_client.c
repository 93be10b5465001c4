#include "host/local/local_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/utf8.h"
#include "host/feed/parcel_queue.h"
#include "host/local/frame_reader.h"

enum { INBOX_SIZE = 16 * 1024 };

struct local_client {
    struct list node;
    struct local_client_list *clients;
    struct loop_watch watch;
    struct loop_timer timer;
    struct feed_member member;
    struct frame_reader reader;

    /* Outgoing: the head and the payload of one frame, control frames between frames. */
    struct parcel_queue queue;
    struct parcel *sending; /* NULL: none */
    uint8_t head[WS_SERVER_HEADER_BYTES_MAX];
    size_t head_len, sent_len;
    uint8_t control[LOCAL_CLIENT_CONTROL_BYTES_MAX];
    size_t control_len, control_sent_len;

    bool is_closing; /* a Close is among the control frames; nothing follows it */
    bool is_over;    /* freed at the end of the turn */
    uint64_t ping_ms, pong_ms;
    uint64_t stalled_since_ms; /* 0: not waiting for the peer to read */
    uint64_t close_ms;         /* deadline while closing */
};

void local_client_list_init(struct local_client_list *clients, struct loop *loop,
                            struct feed_table *feeds, uint64_t queue_age_max_ms)
{
    *clients = (struct local_client_list){.loop = loop,
                                          .feeds = feeds,
                                          .queue_age_max_ms = queue_age_max_ms,
                                          .budget = LOCAL_CLIENT_BUDGET_BYTES};
    list_init(&clients->all);
}

static void destroy(struct local_client *client)
{
    struct local_client_list *clients = client->clients;

    feed_leave(&client->member);
    loop_timer_disarm(&client->timer);
    loop_watch_remove(clients->loop, &client->watch);
    close(client->watch.fd);
    list_remove(&client->node);
    clients->count--;
    clients->dropped += client->queue.dropped;
    if (client->queue.dropped > 0) {
        log_info("a local client lost messages", LOG_INT("messages", client->queue.dropped));
    }
    parcel_unref(client->sending);
    parcel_queue_deinit(&client->queue);
    frame_reader_deinit(&client->reader);
    free(client);
    if (clients->on_closed != NULL) {
        clients->on_closed(clients);
    }
}

static uint64_t now_ms(const struct local_client *client)
{
    return client->clients->loop->now_ms;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void arm(struct local_client *client)
{
    uint64_t due_ms = earlier(client->ping_ms, client->pong_ms);

    if (client->stalled_since_ms > 0) {
        due_ms = earlier(due_ms, client->stalled_since_ms + LOCAL_CLIENT_STALL_MS);
    }
    if (client->is_closing) {
        due_ms = earlier(due_ms, client->close_ms);
    }
    loop_timer_arm(client->clients->loop, &client->timer, due_ms);
}

/* Sending. */

static void queue_control(struct local_client *client, enum ws_opcode opcode, struct bytes payload)
{
    uint8_t header[WS_SERVER_HEADER_BYTES_MAX];
    size_t header_len = ws_frame_header_write(opcode, payload.len, header);

    if (client->is_closing ||
        client->control_len + header_len + payload.len > sizeof client->control) {
        return;
    }
    memcpy(client->control + client->control_len, header, header_len);
    client->control_len += header_len;
    if (payload.len > 0) {
        memcpy(client->control + client->control_len, payload.data, payload.len);
    }
    client->control_len += payload.len;
}

static void begin_close(struct local_client *client, uint16_t code, const char *reason)
{
    uint8_t payload[WS_CONTROL_PAYLOAD_MAX];
    size_t len = ws_frame_close_write(code, reason, payload);

    if (client->is_closing) {
        return;
    }
    if (client->control_sent_len == 0 || client->control_sent_len == client->control_len) {
        client->control_len = 0; /* pongs give way */
        client->control_sent_len = 0;
    }
    queue_control(client, WS_OPCODE_CLOSE, bytes_of(payload, len));
    client->is_closing = true;
    client->close_ms = now_ms(client) + LOCAL_CLIENT_CLOSE_MS;
    feed_leave(&client->member);
}

/* -EAGAIN: the kernel is full; another -errno: the end. */
static ssize_t send_some(struct local_client *client, const struct iovec *parts, size_t count)
{
    struct msghdr header = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count};
    ssize_t sent = sendmsg(client->watch.fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);

    return sent < 0 ? -errno : sent;
}

static ssize_t send_control(struct local_client *client)
{
    struct iovec part = {.iov_base = client->control + client->control_sent_len,
                         .iov_len = client->control_len - client->control_sent_len};
    ssize_t sent = send_some(client, &part, 1);

    if (sent > 0) {
        client->control_sent_len += (size_t)sent;
        if (client->control_sent_len == client->control_len) {
            client->control_len = 0;
            client->control_sent_len = 0;
        }
    }
    return sent;
}

static ssize_t send_message(struct local_client *client)
{
    struct parcel *message = client->sending;
    size_t head_done = earlier(client->sent_len, client->head_len);
    size_t payload_done = client->sent_len - head_done;
    struct iovec parts[] = {
        {.iov_base = client->head + head_done, .iov_len = client->head_len - head_done},
        {.iov_base = message->data + payload_done, .iov_len = message->len - payload_done},
    };
    ssize_t sent = send_some(client, parts, ARRAY_LENGTH(parts));

    if (sent > 0) {
        client->sent_len += (size_t)sent;
        if (client->sent_len == client->head_len + message->len) {
            parcel_unref(message);
            client->sending = NULL;
        }
    }
    return sent;
}

static void take_next(struct local_client *client)
{
    client->sending = parcel_queue_pop(&client->queue, now_ms(client));
    if (client->sending != NULL) {
        client->head_len = ws_frame_header_write((enum ws_opcode)client->sending->type,
                                                 client->sending->len, client->head);
        client->sent_len = 0;
    }
}

/* Sends the next piece: 0 when nothing is waiting. Control frames go between data frames. */
static ssize_t send_next(struct local_client *client)
{
    bool is_between = client->sending == NULL;
    bool control_begun = client->control_sent_len > 0;

    if (client->control_len > 0 && (is_between || control_begun)) {
        return send_control(client);
    }
    if (is_between && !client->is_closing) {
        take_next(client);
    }
    return client->sending == NULL ? 0 : send_message(client);
}

static void note_progress(struct local_client *client, ssize_t sent)
{
    if (sent > 0) {
        client->stalled_since_ms = 0;
    } else if (sent == -EAGAIN && client->stalled_since_ms == 0) {
        client->stalled_since_ms = now_ms(client);
    }
}

static void flush(struct local_client *client)
{
    size_t budget = LOCAL_CLIENT_TURN_BYTES_MAX;
    ssize_t sent = 1;

    while (sent > 0 && budget > 0) {
        sent = send_next(client);
        note_progress(client, sent);
        budget -= sent > 0 ? earlier((uint64_t)sent, budget) : 0;
    }
    if (sent < 0 && sent != -EAGAIN) {
        client->is_over = true;
        return;
    }
    if (sent == 0) {
        client->stalled_since_ms = 0;
        if (client->is_closing) {
            shutdown(client->watch.fd, SHUT_WR);
        }
    }
    loop_watch_change(client->clients->loop, &client->watch,
                      sent == 0 ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

static void on_message(struct feed_member *member, const struct feed_member *sender,
                       struct parcel *message)
{
    struct local_client *client = container_of(member, struct local_client, member);

    parcel_queue_push(&client->queue, parcel_ref(message));
    /* Sent in the next turn: a burst of small messages costs one wake-up. */
    loop_watch_change(client->clients->loop, &client->watch, EPOLLIN | EPOLLOUT);
}

/* Receiving. */

static void publish(struct local_client *client)
{
    const struct frame_reader *reader = &client->reader;
    enum parcel_type type = reader->type;

    if (client->is_closing || client->member.feed == NULL) {
        return;
    }
    if (type == PARCEL_TEXT && !utf8_is_valid(reader->content)) {
        type = PARCEL_BINARY; /* text must be UTF-8: browsers would close (RFC 6455 §8.1) */
    }
    struct parcel *message = parcel_create(type, reader->content, now_ms(client));

    if (message != NULL) {
        feed_publish(client->clients->feeds, &client->member, message);
        parcel_unref(message);
    }
}

static void carry_out(struct local_client *client, enum frame_reader_event event)
{
    switch (event) {
    case FRAME_READER_MORE:
    case FRAME_READER_PONG:
        break;
    case FRAME_READER_MESSAGE:
        publish(client);
        break;
    case FRAME_READER_PING:
        queue_control(client, WS_OPCODE_PONG, client->reader.content);
        break;
    case FRAME_READER_CLOSE:
        begin_close(client, client->reader.close_code, "");
        break;
    case FRAME_READER_FAULT:
        begin_close(client, client->reader.close_code, client->reader.reason);
        break;
    }
    if (event == FRAME_READER_PONG) {
        client->pong_ms = now_ms(client) + LOCAL_CLIENT_PONG_MS;
    }
}

/* After a Close of either side, what arrives is discarded until the end. */
static void take_input(struct local_client *client, struct bytes input)
{
    enum frame_reader_event event;

    do {
        event = client->is_closing ? FRAME_READER_MORE : frame_reader_next(&client->reader, &input);
        carry_out(client, event);
    } while (event != FRAME_READER_MORE);
}

static void receive(struct local_client *client)
{
    uint8_t inbox[INBOX_SIZE];
    size_t budget = LOCAL_CLIENT_TURN_BYTES_MAX;

    while (budget > 0 && !client->is_over) {
        ssize_t got = recv(client->watch.fd, inbox, sizeof inbox, MSG_DONTWAIT);

        if (got < 0) {
            client->is_over = errno != EAGAIN && errno != EINTR;
            return;
        }
        if (got == 0) {
            client->is_over = true;
            return;
        }
        budget -= earlier((uint64_t)got, budget);
        take_input(client, bytes_of(inbox, (size_t)got));
        if ((size_t)got < sizeof inbox) {
            return;
        }
    }
}

static void end_turn(struct local_client *client)
{
    if (!client->is_over) {
        flush(client);
    }
    if (client->is_over) {
        destroy(client);
    } else {
        arm(client);
    }
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct local_client *client = container_of(watch, struct local_client, watch);

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        receive(client);
    }
    end_turn(client);
}

static void on_due(struct loop_timer *timer)
{
    struct local_client *client = container_of(timer, struct local_client, timer);
    uint64_t now = now_ms(client);
    bool is_stalled =
        client->stalled_since_ms > 0 && now >= client->stalled_since_ms + LOCAL_CLIENT_STALL_MS;

    client->is_over =
        is_stalled || now >= client->pong_ms || (client->is_closing && now >= client->close_ms);
    if (!client->is_over && now >= client->ping_ms) {
        queue_control(client, WS_OPCODE_PING, bytes_of(NULL, 0));
        client->ping_ms = now + LOCAL_CLIENT_PING_MS;
    }
    end_turn(client);
}

/* Life. */

static struct local_client *create(struct local_client_list *clients, int fd, bool may_command)
{
    struct local_client *client = calloc(1, sizeof *client);

    if (client == NULL) {
        return NULL;
    }
    client->clients = clients;
    client->watch = (struct loop_watch){.fd = fd, .events = EPOLLIN, .on_ready = on_ready};
    client->member = (struct feed_member){.may_command = may_command, .on_message = on_message};
    client->ping_ms = clients->loop->now_ms + LOCAL_CLIENT_PING_MS;
    client->pong_ms = clients->loop->now_ms + LOCAL_CLIENT_PONG_MS;
    loop_timer_init(&client->timer, on_due);
    frame_reader_init(&client->reader, &clients->budget);
    parcel_queue_init(&client->queue, clients->queue_age_max_ms);
    return client;
}

bool local_client_open(struct local_client_list *clients, int fd, const char *feed,
                       bool may_command, struct bytes leftover)
{
    struct local_client *client = create(clients, fd, may_command);

    if (client == NULL || feed_join(clients->feeds, feed, &client->member) != 0 ||
        loop_watch_add(clients->loop, &client->watch) != 0) {
        if (client != NULL) {
            feed_leave(&client->member);
            free(client);
        }
        close(fd);
        return false;
    }
    list_append(&clients->all, &client->node);
    clients->count++;
    take_input(client, leftover);
    end_turn(client);
    return true;
}

void local_client_list_close(struct local_client_list *clients)
{
    list_for_each(node, &clients->all)
    {
        struct local_client *client = container_of(node, struct local_client, node);

        begin_close(client, WS_CLOSE_GOING_AWAY, "");
        end_turn(client);
    }
}

void local_client_list_deinit(struct local_client_list *clients)
{
    clients->on_closed = NULL;
    while (!list_empty(&clients->all)) {
        destroy(container_of(clients->all.next, struct local_client, node));
    }
}
