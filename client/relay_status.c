#include "client/relay_status.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/relay_client.h"
#include "client/status_reports.h"

static_assert((int)RELAY_STATUS_ERROR_SIZE == (int)RELAY_CLIENT_ERROR_SIZE,
              "errors of relay_client_create are handed on");

#define UPDATE_COMMAND "{\"cmd\":\"update\"}"

struct relay_status {
    struct relay_status_callbacks callbacks;
    struct relay_client *client; /* NULL: fed only */
};

static void deliver(const struct relay_status *status, const struct status_reports *reports,
                    struct bytes json)
{
    const struct relay_status_reports delivered = {.list = reports->list,
                                                   .count = reports->count,
                                                   .json = (const char *)json.data,
                                                   .json_len = json.len};

    if (status->callbacks.on_reports != NULL) {
        status->callbacks.on_reports(&delivered, status->callbacks.context);
    }
}

static int refuse(const struct relay_status *status, int failed, const char *reason)
{
    if (status->callbacks.on_malformed != NULL) {
        status->callbacks.on_malformed(reason, status->callbacks.context);
    }
    return failed;
}

static int take_message(const struct relay_status *status, struct bytes input)
{
    char error[RELAY_STATUS_ERROR_SIZE];
    struct status_reports reports;
    size_t used;

    if (!status_reports_are_bounded(input)) {
        return refuse(status, -EMSGSIZE, "too large for a report");
    }
    if (bytes_find(input, '\0') < input.len) {
        return refuse(status, -EBADMSG, "not JSON: it holds a NUL");
    }
    for (;; input = bytes_skip(input, used)) {
        switch (status_reports_read(input, &reports, &used, error)) {
        case STATUS_REPORTS_OK:
            deliver(status, &reports, bytes_of(input.data, used));
            status_reports_release(&reports);
            continue;
        case STATUS_REPORTS_OTHER:
            continue;
        case STATUS_REPORTS_END:
            return 0;
        case STATUS_REPORTS_BAD:
            return refuse(status, -EBADMSG, error);
        case STATUS_REPORTS_TOO_BIG:
            return refuse(status, -EMSGSIZE, error);
        case STATUS_REPORTS_NO_MEMORY:
            return refuse(status, -ENOMEM, error);
        }
    }
}

static void on_message(enum relay_client_type type, const void *data, size_t len, void *context)
{
    /* on_malformed has reported any failure. */
    int ignored UNUSED = take_message(context, bytes_of(data, len));
}

static void on_event(const struct relay_client_event *event, void *context)
{
    const struct relay_status *status = context;

    if (status->callbacks.on_event != NULL) {
        status->callbacks.on_event(event, status->callbacks.context);
    }
}

struct relay_status *relay_status_create(const struct relay_client_options *options,
                                         const struct relay_status_callbacks *callbacks,
                                         char error[RELAY_STATUS_ERROR_SIZE])
{
    struct relay_status *status = calloc(1, sizeof *status);
    struct relay_client_callbacks client_callbacks = {
        .on_event = on_event, .on_message = on_message, .context = status};

    if (status == NULL) {
        snprintf(error, RELAY_STATUS_ERROR_SIZE, "out of memory");
        return NULL;
    }
    status->callbacks = *callbacks;
    if (options != NULL) {
        status->client = relay_client_create(options, &client_callbacks, error);
        if (status->client == NULL) {
            free(status);
            return NULL;
        }
    }
    return status;
}

int relay_status_start(struct relay_status *status)
{
    return status->client == NULL ? -EINVAL : relay_client_start(status->client);
}

int relay_status_request(struct relay_status *status)
{
    return status->client == NULL ? -ESHUTDOWN
                                  : relay_client_send(status->client, RELAY_CLIENT_TEXT,
                                                      UPDATE_COMMAND, strlen(UPDATE_COMMAND), 0);
}

int relay_status_feed(struct relay_status *status, const char *json, size_t len)
{
    return take_message(status, bytes_of(json, len));
}

void relay_status_stop(struct relay_status *status, uint32_t linger_ms)
{
    if (status->client != NULL) {
        relay_client_stop(status->client, linger_ms);
    }
}

void relay_status_destroy(struct relay_status *status)
{
    if (status == NULL) {
        return;
    }
    relay_client_destroy(status->client);
    free(status);
}
