#include "client/net/opener.h"

#include "base/check.h"

enum progress opener_start(struct opener *opener, const struct opener_target *target,
                           struct transport *transport, struct fault *fault)
{
    opener->target = *target;
    opener->transport = transport;
    opener->step = OPENER_RESOLVE;
    return resolver_start(&opener->resolver, target->url, fault);
}

static enum progress resolve_advance(struct opener *opener, uint64_t now_ms, struct fault *fault)
{
    enum progress progress = resolver_take(&opener->resolver, &opener->addresses, fault);

    if (progress == PROGRESS_DONE) {
        dialer_start(&opener->dialer, &opener->addresses, now_ms);
        opener->step = OPENER_DIAL;
    }
    return progress;
}

static enum progress tls_start(struct opener *opener, struct fault *fault)
{
    const struct opener_target *target = &opener->target;

    if (opener->tls.ssl_context == NULL &&
        tls_context_init(&opener->tls, target->ca_file, target->insecure, fault) != PROGRESS_DONE) {
        return PROGRESS_FAILED;
    }
    opener->step = OPENER_TLS;
    return transport_start_tls(opener->transport, &opener->tls, target->url, fault);
}

static enum progress dial_advance(struct opener *opener, uint64_t now_ms, struct fault *fault)
{
    int fd = -1;
    enum progress progress = dialer_advance(&opener->dialer, now_ms, &fd, fault);

    if (progress != PROGRESS_DONE) {
        return progress;
    }
    transport_open(opener->transport, fd);
    if (opener->target.url->tls) {
        return tls_start(opener, fault);
    }
    opener->step = OPENER_DONE;
    return PROGRESS_DONE;
}

static enum progress tls_advance(struct opener *opener, struct fault *fault)
{
    enum progress progress = transport_handshake(opener->transport, fault);

    if (progress == PROGRESS_DONE) {
        opener->step = OPENER_DONE;
    }
    return progress;
}

static enum progress step_advance(struct opener *opener, uint64_t now_ms, struct fault *fault)
{
    switch (opener->step) {
    case OPENER_RESOLVE:
        return resolve_advance(opener, now_ms, fault);
    case OPENER_DIAL:
        return dial_advance(opener, now_ms, fault);
    case OPENER_TLS:
        return tls_advance(opener, fault);
    case OPENER_DONE:
        return PROGRESS_DONE;
    }
    UNREACHABLE();
}

enum progress opener_advance(struct opener *opener, uint64_t now_ms, struct fault *fault)
{
    enum progress progress;

    do {
        progress = step_advance(opener, now_ms, fault);
    } while (progress == PROGRESS_DONE && opener->step != OPENER_DONE);
    return progress;
}

unsigned opener_poll_fds(const struct opener *opener, struct pollfd *fds)
{
    switch (opener->step) {
    case OPENER_RESOLVE:
        fds[0] = (struct pollfd){.fd = resolver_fd(&opener->resolver), .events = POLLIN};
        return 1;
    case OPENER_DIAL:
        return dialer_poll_fds(&opener->dialer, fds);
    case OPENER_TLS:
        fds[0] = transport_pollfd(opener->transport);
        return 1;
    case OPENER_DONE:
        return 0;
    }
    UNREACHABLE();
}

uint64_t opener_wake_ms(const struct opener *opener)
{
    return opener->step == OPENER_DIAL ? dialer_wake_ms(&opener->dialer) : UINT64_MAX;
}

const char *opener_missing(const struct opener *opener)
{
    static const char *const texts[] = {
        [OPENER_RESOLVE] = "address for the host name",
        [OPENER_DIAL] = "TCP connection",
        [OPENER_TLS] = "end of the TLS handshake",
        [OPENER_DONE] = "connection",
    };

    return texts[opener->step];
}

void opener_cancel(struct opener *opener)
{
    dialer_cancel(&opener->dialer);
    if (opener->transport != NULL) {
        transport_close(opener->transport);
    }
}

void opener_forget_trust(struct opener *opener)
{
    CHECK(opener->transport == NULL || opener->transport->fd < 0);
    tls_context_deinit(&opener->tls);
}

void opener_deinit(struct opener *opener)
{
    opener_cancel(opener);
    resolver_abandon(&opener->resolver);
    tls_context_deinit(&opener->tls);
}
