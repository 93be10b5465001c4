#include "server/handover/handover_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"

/* Descriptors of one message, and the credentials of its sender. */
union control {
    char bytes[CMSG_SPACE(HANDOVER_FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr align;
};

static int ask_for_credentials(int fd)
{
    int on = 1;

    return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 ? 0 : -errno;
}

int handover_channel_open(struct handover_channel *channel, int *ret_other)
{
    int fds[2];

    *channel = (struct handover_channel){.fd = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
        return -errno;
    }
    int failed = ask_for_credentials(fds[0]);

    failed = failed == 0 ? ask_for_credentials(fds[1]) : failed;
    if (failed != 0) {
        close(fds[0]);
        close(fds[1]);
        return failed;
    }
    channel->fd = fds[0];
    *ret_other = fds[1];
    return 0;
}

/* The process that made the pair is the one that started this one, and of the same user. */
static bool is_of_parent(int fd, struct ucred *ret_peer)
{
    socklen_t len = sizeof *ret_peer;
    int type = 0;
    socklen_t type_len = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_SEQPACKET &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_peer, &len) == 0 &&
           ret_peer->uid == geteuid() && ret_peer->pid == getppid();
}

int handover_channel_inherit(struct handover_channel *channel)
{
    const char *text = getenv(HANDOVER_SOCKET);
    struct ucred peer;
    uint64_t fd;

    *channel = (struct handover_channel){.fd = -1};
    if (text == NULL) {
        return -ENOENT;
    }
    bool is_number = bytes_to_uint64(bytes_of_text(text), &fd) == 0 && fd <= INT_MAX;

    unsetenv(HANDOVER_SOCKET);
    if (!is_number || !is_of_parent((int)fd, &peer) || fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0) {
        return -EPERM;
    }
    channel->fd = (int)fd;
    channel->peer = peer.pid;
    return 0;
}

void handover_channel_close(struct handover_channel *channel)
{
    if (channel->fd >= 0) {
        close(channel->fd);
        channel->fd = -1;
    }
}

void handover_channel_begin(struct handover_message *message, uint16_t kind, const int *fds,
                            unsigned fds_count)
{
    CHECK(fds_count <= HANDOVER_FDS_MAX);
    if (fds_count > 0) {
        memcpy(message->fds, fds, fds_count * sizeof *fds);
    }
    message->fds_count = fds_count;
    handover_writer_init(&message->writer, message->memory, sizeof message->memory);
    handover_writer_begin(&message->writer, kind, (uint16_t)fds_count);
}

static void attach(struct msghdr *header, union control *control, const int *fds, unsigned count)
{
    memset(control, 0, sizeof *control);
    header->msg_control = control->bytes;
    header->msg_controllen = CMSG_SPACE(count * sizeof *fds);
    struct cmsghdr *attached = CMSG_FIRSTHDR(header);

    attached->cmsg_level = SOL_SOCKET;
    attached->cmsg_type = SCM_RIGHTS;
    attached->cmsg_len = CMSG_LEN(count * sizeof *fds);
    memcpy(CMSG_DATA(attached), fds, count * sizeof *fds);
}

/* Too many descriptors are on their way: the peer takes them soon. */
static bool is_for_a_moment(int error)
{
    return error == EAGAIN || error == ETOOMANYREFS || error == EINTR;
}

int handover_channel_send(struct handover_channel *channel, struct handover_message *message,
                          const struct handover_wait *wait)
{
    union control control;
    struct iovec slice;
    struct msghdr header = {.msg_iov = &slice, .msg_iovlen = 1};

    if (!handover_writer_end(&message->writer)) {
        return -EMSGSIZE;
    }
    slice = (struct iovec){.iov_base = message->memory, .iov_len = message->writer.len};
    if (message->fds_count > 0) {
        attach(&header, &control, message->fds, message->fds_count);
    }
    for (;;) {
        int failed = handover_wait_for(wait, channel->fd, POLLOUT);

        if (failed != 0) {
            return failed;
        }
        if (sendmsg(channel->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
            return 0;
        }
        if (!is_for_a_moment(errno)) {
            return -errno;
        }
        if (errno == ETOOMANYREFS) {
            poll(NULL, 0, HANDOVER_PAUSE_MS);
        }
        if (clock_monotonic_ms() >= wait->deadline_ms) {
            return -ETIMEDOUT;
        }
    }
}

void handover_channel_drop(struct handover_message *message)
{
    for (unsigned i = 0; i < message->fds_count; i++) {
        close(message->fds[i]);
    }
    message->fds_count = 0;
}

static void take_fds(struct handover_message *message, const struct cmsghdr *attached)
{
    size_t count = (attached->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < count; i++) {
        int fd;

        memcpy(&fd, CMSG_DATA(attached) + i * sizeof fd, sizeof fd);
        if (message->fds_count < HANDOVER_FDS_MAX) {
            message->fds[message->fds_count++] = fd;
        } else {
            close(fd);
        }
    }
}

/* True: it is of the peer. */
static bool take_control(struct handover_channel *channel, struct handover_message *message,
                         struct msghdr *header)
{
    struct ucred sender = {.pid = -1};

    for (struct cmsghdr *attached = CMSG_FIRSTHDR(header); attached != NULL;
         attached = CMSG_NXTHDR(header, attached)) {
        if (attached->cmsg_level != SOL_SOCKET) {
            continue;
        }
        if (attached->cmsg_type == SCM_RIGHTS) {
            take_fds(message, attached);
        } else if (attached->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&sender, CMSG_DATA(attached), sizeof sender);
        }
    }
    return sender.pid == channel->peer && sender.uid == geteuid() &&
           (header->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
}

static int receive_now(struct handover_channel *channel, struct handover_message *message)
{
    union control control;
    struct iovec slice = {.iov_base = message->memory, .iov_len = sizeof message->memory};
    struct msghdr header = {.msg_iov = &slice,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t len = recvmsg(channel->fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    size_t record_len;

    message->fds_count = 0;
    if (len <= 0) {
        return len == 0 ? -EPIPE : -errno;
    }
    bool is_of_peer = take_control(channel, message, &header);

    if (!is_of_peer ||
        handover_reader_record(bytes_of(message->memory, (size_t)len), &message->record,
                               &record_len) != HANDOVER_READ ||
        record_len != (size_t)len || message->record.fds != message->fds_count) {
        handover_channel_drop(message);
        return -EBADMSG;
    }
    return 0;
}

int handover_channel_receive(struct handover_channel *channel, struct handover_message *message,
                             const struct handover_wait *wait)
{
    int failed;

    do {
        failed = handover_wait_for(wait, channel->fd, POLLIN);
        failed = failed == 0 ? receive_now(channel, message) : failed;
    } while (failed == -EAGAIN || failed == -EINTR);
    return failed == -ECONNRESET ? -EPIPE : failed;
}

int handover_channel_await(struct handover_channel *channel, struct handover_message *message,
                           uint16_t kind, const struct handover_wait *wait)
{
    int failed = handover_channel_receive(channel, message, wait);

    if (failed == 0 && message->record.kind != kind) {
        handover_channel_drop(message);
        return -EBADMSG;
    }
    return failed;
}
