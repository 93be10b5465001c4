#include "client/net/opener.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/check.h"

static const char *variable(const char *name, const char *other_name)
{
    const char *text = getenv(name);

    return text_is_empty(text) ? getenv(other_name) : text;
}

static enum proxy_result proxy_of_environment(struct opener *opener)
{
    struct proxy_environment environment = {
        .http = variable("HTTP_PROXY", "http_proxy"),
        .https = variable("HTTPS_PROXY", "https_proxy"),
        .no_proxy = variable("NO_PROXY", "no_proxy"),
    };

    return proxy_choose(&environment, opener->target.url, &opener->proxy);
}

static enum progress proxy_find(struct opener *opener, struct fault *fault)
{
    const struct opener_target *target = &opener->target;
    enum proxy_result result = target->proxy == NULL
                                   ? proxy_of_environment(opener)
                                   : proxy_take(target->proxy, target->url, &opener->proxy);

    opener->uses_proxy = result == PROXY_USE;
    if (result == PROXY_INVALID) {
        return fault_set(fault, RELAY_CLIENT_FAULT_CONNECT, "%s is not a usable http:// address",
                         target->proxy != NULL ? "the proxy"
                         : target->url->tls    ? "HTTPS_PROXY"
                                               : "HTTP_PROXY");
    }
    return PROGRESS_DONE;
}

enum progress opener_start(struct opener *opener, const struct opener_target *target,
                           struct transport *transport, struct fault *fault)
{
    opener->target = *target;
    opener->transport = transport;
    opener->step = OPENER_RESOLVE;
    if (proxy_find(opener, fault) != PROGRESS_DONE) {
        return PROGRESS_FAILED;
    }
    return resolver_start(&opener->resolver, opener->uses_proxy ? &opener->proxy.url : target->url,
                          fault);
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

/* The transport leads to the host. */
static enum progress reached(struct opener *opener, struct fault *fault)
{
    if (opener->target.url->tls) {
        return tls_start(opener, fault);
    }
    opener->step = OPENER_DONE;
    return PROGRESS_DONE;
}

static enum progress dial_advance(struct opener *opener, uint64_t now_ms, struct fault *fault)
{
    int fd = -1;
    enum progress progress = dialer_advance(&opener->dialer, now_ms, &fd, fault);

    if (progress != PROGRESS_DONE) {
        return progress;
    }
    transport_open(opener->transport, fd);
    if (!opener->uses_proxy) {
        return reached(opener, fault);
    }
    tunnel_start(&opener->tunnel, &opener->proxy, opener->target.url);
    bytes_wipe(opener->proxy.credentials, sizeof opener->proxy.credentials);
    opener->step = OPENER_TUNNEL;
    return PROGRESS_DONE;
}

static enum progress tunnel_step(struct opener *opener, struct fault *fault)
{
    enum progress progress = tunnel_advance(&opener->tunnel, opener->transport, fault);

    return progress == PROGRESS_DONE ? reached(opener, fault) : progress;
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
    case OPENER_TUNNEL:
        return tunnel_step(opener, fault);
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
    case OPENER_TUNNEL:
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
        [OPENER_TUNNEL] = "answer of the proxy",
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
    bytes_wipe(opener->tunnel.request, sizeof opener->tunnel.request);
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
