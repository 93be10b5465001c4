#include "host-gst/link/link.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "host-gst/link/relay_notices.h"
#include "host-gst/link/setting_table.h"

GST_DEBUG_CATEGORY_STATIC(relay_link_debug);
#define GST_CAT_DEFAULT relay_link_debug

/* Properties. */

static GType connection_state_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        {RELAY_CLIENT_IDLE, "Not started", "idle"},
        {RELAY_CLIENT_ACCESSING, "Asking for access", "accessing"},
        {RELAY_CLIENT_CONNECTING, "Opening the WebSocket", "connecting"},
        {RELAY_CLIENT_CONNECTED, "Connected", "connected"},
        {RELAY_CLIENT_WAITING, "Waiting before the next attempt", "waiting"},
        {RELAY_CLIENT_FAILED, "Gave up", "failed"},
        {0, NULL, NULL},
    };
    return setting_table_enum_type(&type, "GstRelayConnectionState", values);
}

static GType status_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        {LINK_STATUS_DISCONNECTED, "No connection", "disconnected"},
        {LINK_STATUS_CONNECTED, "Connected", "connected"},
        {LINK_STATUS_FAILED, "Gave up", "failed"},
        {0, NULL, NULL},
    };
    return setting_table_enum_type(&type, "GstRelayStatus", values);
}

static GParamSpec *state_spec_install(GObjectClass *class, guint property, GParamSpec *spec)
{
    g_object_class_install_property(class, property, spec);
    gst_type_mark_as_plugin_api(spec->value_type, 0);
    return spec;
}

void link_install(GObjectClass *class, struct link_specs *specs, bool receives)
{
    GParamFlags flags = (GParamFlags)(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

    GST_DEBUG_CATEGORY_INIT(relay_link_debug, "relaylink", 0, "connection to a relay");
    specs->connection_state =
        state_spec_install(class, LINK_PROPERTY_CONNECTION_STATE,
                           g_param_spec_enum("connection-state", "Connection State",
                                             "State of the connection to the relay, in detail",
                                             connection_state_type(), RELAY_CLIENT_IDLE, flags));
    specs->status =
        state_spec_install(class, LINK_PROPERTY_STATUS,
                           g_param_spec_enum("status", "Status", "Whether there is a connection",
                                             status_type(), 0, flags));
    g_object_class_install_property(
        class, LINK_PROPERTY_STATS,
        g_param_spec_boxed("stats", "Statistics",
                           "Statistics of the connection and of its messages; times in ns",
                           GST_TYPE_STRUCTURE, flags));
    if (!receives) {
        specs->viewers = g_param_spec_int(
            "viewers", "Viewers",
            "Connections that watch; -1: not known, as the relay does not tell (no relay.v1)", -1,
            G_MAXINT, -1, flags);
        g_object_class_install_property(class, LINK_PROPERTY_VIEWERS, specs->viewers);
    }
}

static enum link_status status_of(enum relay_client_state state)
{
    switch (state) {
    case RELAY_CLIENT_CONNECTED:
        return LINK_STATUS_CONNECTED;
    case RELAY_CLIENT_FAILED:
        return LINK_STATUS_FAILED;
    case RELAY_CLIENT_IDLE:
    case RELAY_CLIENT_ACCESSING:
    case RELAY_CLIENT_CONNECTING:
    case RELAY_CLIENT_WAITING:
        break;
    }
    return LINK_STATUS_DISCONNECTED;
}

bool link_get(struct link *link, guint property, GValue *value)
{
    enum relay_client_state state = (enum relay_client_state)g_atomic_int_get(&link->state);

    if (property == LINK_PROPERTY_CONNECTION_STATE) {
        g_value_set_enum(value, (gint)state);
        return true;
    }
    if (property == LINK_PROPERTY_STATUS) {
        g_value_set_enum(value, (gint)status_of(state));
        return true;
    }
    if (property == LINK_PROPERTY_VIEWERS) {
        g_value_set_int(value, g_atomic_int_get(&link->viewers));
        return true;
    }
    return false;
}

/* Callbacks of the client, on its own thread. */

static void state_set(struct link *link, enum relay_client_state state)
{
    enum relay_client_state previous = (enum relay_client_state)g_atomic_int_get(&link->state);

    if (previous == state) {
        return;
    }
    g_atomic_int_set(&link->state, (gint)state);
    g_object_notify_by_pspec(G_OBJECT(link->element), link->specs->connection_state);
    if (status_of(previous) != status_of(state)) {
        g_object_notify_by_pspec(G_OBJECT(link->element), link->specs->status);
    }
}

static void viewers_set(struct link *link, gint viewers)
{
    if (g_atomic_int_get(&link->viewers) != viewers) {
        g_atomic_int_set(&link->viewers, viewers);
        if (link->specs->viewers != NULL) {
            g_object_notify_by_pspec(G_OBJECT(link->element), link->specs->viewers);
        }
    }
}

static void plain_tell(struct link *link, const struct relay_client_event *event)
{
    if (event->state == RELAY_CLIENT_CONNECTED && !event->relay_v1 && !link->told_plain &&
        g_atomic_int_get(&link->needs_relay_v1)) {
        link->told_plain = true;
        GST_ELEMENT_WARNING(link->element, RESOURCE, SETTINGS,
                            ("publish=on-demand has no effect: the relay does not tell about "
                             "viewers (it does not speak relay.v1), so everything is sent"),
                            (NULL));
    }
}

static void client_on_event(const struct relay_client_event *event, void *context)
{
    struct link *link = context;

    GST_DEBUG_OBJECT(link->element, "%s, attempt %" G_GUINT64_FORMAT ": %s",
                     relay_client_state_text(event->state), event->attempt,
                     event->message != NULL ? event->message : "");
    state_set(link, event->state);
    if (event->state != RELAY_CLIENT_CONNECTED) {
        viewers_set(link, -1);
    }
    plain_tell(link, event);
    connection_notices_post(&link->notices, link->element, event, clock_monotonic_ms());
    if (event->state == RELAY_CLIENT_FAILED) {
        g_atomic_int_set(&link->end, connection_notices_is_clean_end(&link->notices, event)
                                         ? LINK_END_CLEAN
                                         : LINK_END_FAILED);
    }
}

static void client_on_notice(const struct relay_client_notice *notice, void *context)
{
    struct link *link = context;

    if (notice->kind == RELAY_CLIENT_NOTICE_VIEWERS) {
        GST_DEBUG_OBJECT(link->element, "%u viewers", notice->viewers);
        viewers_set(link, (gint)MIN(notice->viewers, (guint)G_MAXINT));
        return;
    }
    relay_notices_post(link->element, notice);
}

static void client_on_keyframe_wanted(void *context)
{
    struct link *link = context;

    GST_DEBUG_OBJECT(link->element, "a keyframe is wanted");
    if (link->on_keyframe_wanted != NULL) {
        link->on_keyframe_wanted(link->element);
    }
}

/* Life. */

void link_init(struct link *link, GstElement *element, const struct link_specs *specs,
               bool receives)
{
    *link = (struct link){.element = element, .specs = specs, .receives = receives, .viewers = -1};
    g_mutex_init(&link->lock);
    connection_notices_init(&link->notices, false, receives);
}

void link_deinit(struct link *link)
{
    g_mutex_clear(&link->lock);
}

bool link_open(struct link *link, const struct link_settings *settings,
               const struct relay_client_options *options, char error[RELAY_CLIENT_ERROR_SIZE])
{
    const char *fault = link_settings_fault(settings);
    int failed;

    if (fault != NULL) {
        g_strlcpy(error, fault, RELAY_CLIENT_ERROR_SIZE);
        return false;
    }

    const struct relay_client_callbacks callbacks = {
        .on_event = client_on_event,
        .on_keyframe_wanted = client_on_keyframe_wanted,
        .on_notice = client_on_notice,
        .context = link,
    };
    struct relay_client *client = relay_client_create(options, &callbacks, error);

    if (client == NULL) {
        return false;
    }
    connection_notices_init(&link->notices, options->insecure, link->receives);
    link->told_plain = false;
    g_atomic_int_set(&link->end, LINK_END_NONE);
    failed = relay_client_start(client);
    if (failed != 0) {
        g_snprintf(error, RELAY_CLIENT_ERROR_SIZE, "cannot start the network thread: %s",
                   g_strerror(-failed));
        relay_client_destroy(client);
        return false;
    }
    g_mutex_lock(&link->lock);
    link->client = client;
    g_mutex_unlock(&link->lock);
    return true;
}

void link_close(struct link *link)
{
    struct relay_client *client;

    g_mutex_lock(&link->lock);
    client = link->client;
    link->client = NULL;
    g_mutex_unlock(&link->lock);
    if (client == NULL) {
        return;
    }
    relay_client_stop(client, 0);
    g_mutex_lock(&link->lock);
    relay_client_statistics(client, &link->last_statistics);
    g_mutex_unlock(&link->lock);
    relay_client_destroy(client);
    state_set(link, RELAY_CLIENT_IDLE);
}

/* From any thread. */

void link_cancel_waits(struct link *link, bool cancelled)
{
    g_mutex_lock(&link->lock);
    if (link->client != NULL) {
        relay_client_cancel_waits(link->client, cancelled);
    }
    g_mutex_unlock(&link->lock);
}

/* With the lock. 0 or -errno. */
static int client_apply(struct relay_client *client, const struct link_settings *settings,
                        guint property)
{
    struct relay_client_options options;

    switch (property) {
    case LINK_PROPERTY_TOKEN:
        return relay_client_set_token(client, settings->token);
    case LINK_PROPERTY_TOKEN_FILE:
        return relay_client_set_token_file(client, settings->token_file);
    default:
        link_settings_to_options(settings, NULL, &options);
        relay_client_set_timing(client, &options);
        return 0;
    }
}

int link_apply(struct link *link, const struct link_settings *settings, guint property)
{
    int result = 0;

    g_mutex_lock(&link->lock);
    if (link->client != NULL) {
        result = client_apply(link->client, settings, property);
    }
    g_mutex_unlock(&link->lock);
    return result;
}

void link_tell_token(struct link *link, int result)
{
    if (result != 0) {
        GST_ELEMENT_WARNING(link->element, RESOURCE, SETTINGS,
                            ("the new token was not accepted: %s", g_strerror(-result)), (NULL));
    }
}

void link_check_token_file(struct link *link, const char *path)
{
    GStatBuf status;

    if (path != NULL && g_stat(path, &status) == 0 && (status.st_mode & (S_IRGRP | S_IROTH)) != 0) {
        GST_ELEMENT_WARNING(
            link->element, RESOURCE, SETTINGS,
            ("other users can read the token file %s: chmod 600 is recommended", path), (NULL));
    }
}

void link_statistics(struct link *link, struct relay_client_statistics *ret_statistics)
{
    g_mutex_lock(&link->lock);
    if (link->client != NULL) {
        relay_client_statistics(link->client, ret_statistics);
    } else {
        *ret_statistics = link->last_statistics;
    }
    g_mutex_unlock(&link->lock);
}
