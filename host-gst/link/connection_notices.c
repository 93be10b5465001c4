#include "host-gst/link/connection_notices.h"

#include <string.h>

#include "wire/ws_frame.h"

enum notice_limits {
    WARNING_INTERVAL_MS = 60 * 1000,
    HEALTHY_MS = 10 * 1000, /* after a connection of this length, earlier warnings are forgotten */
};

void connection_notices_init(struct connection_notices *notices, bool insecure, bool receives)
{
    *notices =
        (struct connection_notices){.info_due = true, .insecure = insecure, .receives = receives};
}

static int event_code(const struct relay_client_event *event)
{
    return event->http_status != 0 ? event->http_status : event->close_code;
}

static bool warning_is_due(struct connection_notices *notices,
                           const struct relay_client_event *event, uint64_t now_ms)
{
    unsigned fault = (unsigned)event->fault < NOTICE_FAULTS ? (unsigned)event->fault : 0;

    if (notices->warnings[fault].posted && notices->warnings[fault].code == event_code(event) &&
        now_ms - notices->warnings[fault].posted_ms < WARNING_INTERVAL_MS) {
        return false;
    }
    notices->warnings[fault].posted = true;
    notices->warnings[fault].code = event_code(event);
    notices->warnings[fault].posted_ms = now_ms;
    return true;
}

static void connection_ended(struct connection_notices *notices, uint64_t now_ms)
{
    if (notices->connected_ms != 0 && now_ms - notices->connected_ms >= HEALTHY_MS) {
        memset(notices->warnings, 0, sizeof notices->warnings);
    }
    notices->connected_ms = 0;
}

enum notice connection_notices_next(struct connection_notices *notices,
                                    const struct relay_client_event *event, uint64_t now_ms)
{
    switch (event->state) {
    case RELAY_CLIENT_IDLE:
    case RELAY_CLIENT_ACCESSING:
    case RELAY_CLIENT_CONNECTING:
        return NOTICE_NONE;
    case RELAY_CLIENT_CONNECTED:
        notices->connected_before = true;
        notices->connected_ms = now_ms;
        if (!notices->info_due) {
            return NOTICE_NONE; /* a flapping connection whose warning was suppressed */
        }
        notices->info_due = false;
        return NOTICE_INFO;
    case RELAY_CLIENT_WAITING:
        connection_ended(notices, now_ms);
        if (!warning_is_due(notices, event, now_ms)) {
            return NOTICE_NONE;
        }
        notices->info_due = true;
        return NOTICE_WARNING;
    case RELAY_CLIENT_FAILED:
        connection_ended(notices, now_ms);
        return connection_notices_is_clean_end(notices, event) ? NOTICE_NONE : NOTICE_ERROR;
    }
    return NOTICE_NONE;
}

bool connection_notices_is_clean_end(const struct connection_notices *notices,
                                     const struct relay_client_event *event)
{
    return notices->receives && event->state == RELAY_CLIENT_FAILED &&
           event->fault == RELAY_CLIENT_FAULT_CLOSED && event->close_code == WS_CLOSE_NORMAL;
}

bool connection_notices_insecure_due(struct connection_notices *notices,
                                     const struct relay_client_event *event, uint64_t now_ms)
{
    if (!notices->insecure || event->state != RELAY_CLIENT_CONNECTED ||
        (notices->insecure_warned_ms != 0 &&
         now_ms - notices->insecure_warned_ms < WARNING_INTERVAL_MS)) {
        return false;
    }
    notices->insecure_warned_ms = now_ms;
    return true;
}

static struct notice_error resource_error(GstResourceError code)
{
    return (struct notice_error){GST_RESOURCE_ERROR, (int)code};
}

static GstResourceError open_error(const struct connection_notices *notices)
{
    return notices->receives ? GST_RESOURCE_ERROR_OPEN_READ : GST_RESOURCE_ERROR_OPEN_WRITE;
}

/* For faults without a code of their own. */
static struct notice_error transfer_error(const struct connection_notices *notices)
{
    if (!notices->connected_before) {
        return resource_error(open_error(notices));
    }
    return resource_error(notices->receives ? GST_RESOURCE_ERROR_READ : GST_RESOURCE_ERROR_WRITE);
}

struct notice_error connection_notices_error_of(const struct connection_notices *notices,
                                                const struct relay_client_event *event)
{
    switch (event->fault) {
    case RELAY_CLIENT_FAULT_TOKEN_FILE:
        return resource_error(GST_RESOURCE_ERROR_NOT_FOUND);
    case RELAY_CLIENT_FAULT_REFUSED:
        return resource_error(GST_RESOURCE_ERROR_NOT_AUTHORIZED);
    case RELAY_CLIENT_FAULT_TLS:
        return resource_error(open_error(notices));
    case RELAY_CLIENT_FAULT_HTTP:
        switch (event->http_status) {
        case 404:
            return resource_error(GST_RESOURCE_ERROR_NOT_FOUND);
        case 409:
            return resource_error(GST_RESOURCE_ERROR_BUSY);
        default:
            return transfer_error(notices);
        }
    case RELAY_CLIENT_FAULT_NONE:
    case RELAY_CLIENT_FAULT_RESOLVE:
    case RELAY_CLIENT_FAULT_CONNECT:
    case RELAY_CLIENT_FAULT_TIMEOUT:
    case RELAY_CLIENT_FAULT_CLOSED:
    case RELAY_CLIENT_FAULT_STALLED:
        break;
    }
    return transfer_error(notices);
}

static void state_post(GstElement *element, const struct relay_client_event *event,
                       const struct notice_error *error)
{
    GstStructure *structure = gst_structure_new(
        "relay-connection-state", "state", G_TYPE_STRING, relay_client_state_text(event->state),
        "previous-state", G_TYPE_STRING, relay_client_state_text(event->previous_state), "attempt",
        G_TYPE_UINT64, event->attempt, "http-status", G_TYPE_INT, event->http_status, "close-code",
        G_TYPE_INT, event->close_code, "message", G_TYPE_STRING, event->message, "retry-in",
        G_TYPE_UINT64, event->retry_in_ms * GST_MSECOND, NULL);

    if (event->fault != RELAY_CLIENT_FAULT_NONE) {
        gst_structure_set(structure, "fault", G_TYPE_STRING, relay_client_fault_text(event->fault),
                          "error-domain", G_TYPE_STRING, g_quark_to_string(error->domain),
                          "error-code", G_TYPE_INT, error->code, NULL);
    }
    gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), structure));
}

/* gst-launch-1.0 prints only the second text of an INFO, so it holds both. */
static void text_post(GstElement *element, GstMessageType type, const struct notice_error *error,
                      char *text)
{
    char *debug = type == GST_MESSAGE_INFO ? g_strdup(text) : NULL;

    gst_element_message_full(element, type, error->domain, error->code, text, debug, __FILE__,
                             G_STRFUNC, __LINE__);
}

static const char *event_message(const struct relay_client_event *event)
{
    return event->message != NULL ? event->message : relay_client_fault_text(event->fault);
}

void connection_notices_post(struct connection_notices *notices, GstElement *element,
                             const struct relay_client_event *event, uint64_t now_ms)
{
    struct notice_error error = connection_notices_error_of(notices, event);
    struct notice_error settings = resource_error(GST_RESOURCE_ERROR_SETTINGS);
    uint64_t tries = event->attempt;

    state_post(element, event, &error);
    if (connection_notices_insecure_due(notices, event, now_ms)) {
        text_post(element, GST_MESSAGE_WARNING, &settings,
                  g_strdup("TLS certificate verification is disabled (tls-verify=false): the "
                           "server's identity is not checked"));
    }
    switch (connection_notices_next(notices, event, now_ms)) {
    case NOTICE_NONE:
        break;
    case NOTICE_INFO:
        text_post(element, GST_MESSAGE_INFO, &error,
                  g_strdup_printf("connected after %" G_GUINT64_FORMAT " %s", tries,
                                  tries == 1 ? "try" : "tries"));
        break;
    case NOTICE_WARNING:
        text_post(element, GST_MESSAGE_WARNING, &error,
                  g_strdup_printf("%s; next try in %" G_GUINT64_FORMAT " ms", event_message(event),
                                  event->retry_in_ms));
        break;
    case NOTICE_ERROR:
        text_post(element, GST_MESSAGE_ERROR, &error, g_strdup(event_message(event)));
        break;
    }
}
