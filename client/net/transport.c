#include "client/net/transport.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

void transport_init(struct transport *transport)
{
    memset(transport, 0, sizeof *transport);
    transport->fd = -1;
}

void transport_open(struct transport *transport, int fd)
{
    CHECK(transport->fd < 0);
    transport_init(transport);
    transport->fd = fd;
    transport->read_events = POLLIN;
}

enum progress transport_start_tls(struct transport *transport, const struct tls_context *context,
                                  const struct url *url, struct fault *fault)
{
    transport->encrypted = true;
    return tls_session_init(&transport->tls, context, transport->fd, url, fault);
}

enum progress transport_handshake(struct transport *transport, struct fault *fault)
{
    enum progress progress = tls_session_handshake(&transport->tls, &transport->read_events, fault);

    if (progress == PROGRESS_DONE) {
        transport->read_events = POLLIN;
    }
    return progress;
}

static ssize_t plain_result(ssize_t result, struct fault *fault)
{
    if (result >= 0) {
        return result;
    }
    if (errno == EAGAIN || errno == EINTR) {
        return -EAGAIN;
    }
    fault_set(fault, RELAY_CLIENT_FAULT_CONNECT, "%s", strerror(errno));
    return -EIO;
}

ssize_t transport_read(struct transport *transport, void *data, size_t len, struct fault *fault)
{
    ssize_t got;

    transport->read_events = POLLIN;
    if (transport->encrypted) {
        got = tls_session_read(&transport->tls, data, len, &transport->read_events, fault);
    } else {
        got = plain_result(recv(transport->fd, data, len, MSG_DONTWAIT), fault);
    }
    if (got > 0) {
        transport->bytes_received += (uint64_t)got;
    }
    return got;
}

ssize_t transport_write(struct transport *transport, const void *data, size_t len,
                        struct fault *fault)
{
    ssize_t sent;

    transport->write_events = POLLOUT;
    if (transport->encrypted) {
        sent = tls_session_write(&transport->tls, data, len, &transport->write_events, fault);
        transport->bytes_sent = transport->tls.bytes_sent;
    } else {
        sent = plain_result(send(transport->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL), fault);
        transport->bytes_sent += sent > 0 ? (uint64_t)sent : 0;
    }
    if (sent != -EAGAIN) {
        transport->write_events = 0;
    }
    return sent;
}

struct pollfd transport_pollfd(const struct transport *transport)
{
    return (struct pollfd){.fd = transport->fd,
                           .events = (short)(transport->read_events | transport->write_events)};
}

bool transport_discard(struct transport *transport)
{
    char forgotten[16384];
    ssize_t got = 0;

    transport->read_events = POLLIN;
    /* The bound leaves the caller its deadline, however fast the peer sends. */
    for (int i = 0; i < 64; i++) {
        got = recv(transport->fd, forgotten, sizeof forgotten, MSG_DONTWAIT);
        if (got <= 0) {
            break;
        }
    }
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

uint64_t transport_unacknowledged(const struct transport *transport)
{
    int bytes = 0;

    if (transport->fd < 0 || ioctl(transport->fd, SIOCOUTQ, &bytes) != 0) {
        return 0;
    }
    return (uint64_t)bytes;
}

void transport_shutdown(struct transport *transport)
{
    if (transport->fd < 0) {
        return;
    }
    if (transport->encrypted && transport->tls.ssl != NULL) {
        tls_session_shutdown(&transport->tls);
    }
    shutdown(transport->fd, SHUT_WR);
}

void transport_close(struct transport *transport)
{
    if (transport->fd < 0) {
        return;
    }
    tls_session_deinit(&transport->tls);
    close(transport->fd);
    transport_init(transport);
}
