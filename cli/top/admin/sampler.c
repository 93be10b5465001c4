#include "cli/top/admin/sampler.h"

#include <jansson.h>
#include <stdio.h>

#include "base/check.h"

void sampler_init(struct sampler *sampler, const struct admin_address *address)
{
    *sampler = (struct sampler){.address = address};
    fetch_init(&sampler->fetch);
}

void sampler_deinit(struct sampler *sampler)
{
    fetch_end(&sampler->fetch);
    rates_release(&sampler->rates);
    snapshot_release(&sampler->before);
    snapshot_release(&sampler->now);
    connections_release(&sampler->connections);
}

static const char *target_of(enum sampler_step step)
{
    switch (step) {
    case SAMPLER_READY:
        return "/readyz";
    case SAMPLER_TOPICS:
        return "/topics";
    case SAMPLER_CONNECTIONS:
        return "/status";
    case SAMPLER_IDLE:
        break;
    }
    UNREACHABLE();
}

static enum progress malformed(const struct sampler *sampler, struct fault *fault)
{
    return fault_set(fault, RELAY_CLIENT_FAULT_HTTP, "%s is no answer of a relay's admin listener",
                     target_of(sampler->step));
}

/* A relay that drains answers 503, with the same text. */
static enum progress take_ready(struct sampler *sampler, struct bytes body, struct fault *fault)
{
    json_t *root = json_loadb((const char *)body.data, body.len, 0, NULL);
    const char *state = json_string_value(json_object_get(root, "state"));

    if (state != NULL) {
        snprintf(sampler->state, sizeof sampler->state, "%s", state);
    }
    bool ok = state != NULL;

    json_decref(root);
    return ok ? PROGRESS_DONE : malformed(sampler, fault);
}

static enum progress take_topics(struct sampler *sampler, struct bytes body, struct fault *fault)
{
    struct snapshot now;
    struct rates rates;

    if (!snapshot_read(body, &now)) {
        return malformed(sampler, fault);
    }
    if (!rates_make(&sampler->now, &now, &rates)) {
        snapshot_release(&now);
        return fault_set(fault, RELAY_CLIENT_FAULT_HTTP, "out of memory");
    }
    rates_release(&sampler->rates);
    snapshot_release(&sampler->before);
    sampler->before = sampler->now;
    sampler->now = now;
    sampler->rates = rates;
    return PROGRESS_DONE;
}

static enum progress take_connections(struct sampler *sampler, struct bytes body,
                                      struct fault *fault)
{
    struct connections now;

    if (!connections_read(body, &now)) {
        return malformed(sampler, fault);
    }
    connections_release(&sampler->connections);
    sampler->connections = now;
    return PROGRESS_DONE;
}

static enum progress take(struct sampler *sampler, struct fault *fault)
{
    const struct http_body *body = &sampler->fetch.body;
    struct bytes text = bytes_of(body->data, body->len);

    if (sampler->step == SAMPLER_READY) {
        return take_ready(sampler, text, fault);
    }
    if (body->status != 200) {
        return fault_set(fault, RELAY_CLIENT_FAULT_HTTP, "%s was answered with HTTP %d",
                         target_of(sampler->step), body->status);
    }
    return sampler->step == SAMPLER_TOPICS ? take_topics(sampler, text, fault)
                                           : take_connections(sampler, text, fault);
}

static enum sampler_step next_of(const struct sampler *sampler)
{
    switch (sampler->step) {
    case SAMPLER_READY:
        return SAMPLER_TOPICS;
    case SAMPLER_TOPICS:
        return sampler->wants_connections ? SAMPLER_CONNECTIONS : SAMPLER_IDLE;
    default:
        return SAMPLER_IDLE;
    }
}

void sampler_begin(struct sampler *sampler)
{
    sampler->step = SAMPLER_READY;
}

bool sampler_is_busy(const struct sampler *sampler)
{
    return sampler->step != SAMPLER_IDLE;
}

static enum progress advance_step(struct sampler *sampler, uint64_t now_ms, struct fault *fault)
{
    enum progress progress = PROGRESS_WAIT;

    if (sampler->fetch.fd < 0) {
        progress =
            fetch_start(&sampler->fetch, sampler->address, target_of(sampler->step), now_ms, fault);
    }
    if (progress == PROGRESS_WAIT) {
        progress = fetch_advance(&sampler->fetch, now_ms, fault);
    }
    if (progress == PROGRESS_DONE) {
        progress = take(sampler, fault);
    }
    if (progress != PROGRESS_WAIT) {
        fetch_end(&sampler->fetch);
    }
    return progress;
}

enum progress sampler_advance(struct sampler *sampler, uint64_t now_ms, struct fault *fault)
{
    enum progress progress = PROGRESS_DONE;

    while (sampler_is_busy(sampler) && progress == PROGRESS_DONE) {
        progress = advance_step(sampler, now_ms, fault);
        if (progress == PROGRESS_DONE) {
            sampler->step = next_of(sampler);
        } else if (progress == PROGRESS_FAILED) {
            sampler->step = SAMPLER_IDLE;
        }
    }
    return progress;
}

struct pollfd sampler_pollfd(const struct sampler *sampler)
{
    return fetch_pollfd(&sampler->fetch);
}
