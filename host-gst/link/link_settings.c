#include "host-gst/link/link_settings.h"

#include <gst/gst.h>
#include <string.h>

#include "base/attributes.h"
#include "host-gst/link/link_uri.h"

#define AT(member) offsetof(struct link_settings, member)

static const struct setting rows[] = {
    {LINK_PROPERTY_LOCATION, "location", "Location",
     "URL of the access point, https://HOST/session/TOPIC (http only for loopback or with "
     "tls-verify=false); never with user or password",
     SETTING_TEXT, AT(location), .mutable = GST_PARAM_MUTABLE_READY},
    {LINK_PROPERTY_TOKEN_FILE, "token-file", "Token File",
     "File with the access token; read again for every access request, so that tokens can be "
     "replaced while running",
     SETTING_TEXT, AT(token_file), .mutable = GST_PARAM_MUTABLE_PLAYING},
    {LINK_PROPERTY_TOKEN, "token", "Token",
     "The access token itself, for applications; on a command line others can read it, use "
     "token-file there",
     SETTING_SECRET, AT(token), .mutable = GST_PARAM_MUTABLE_PLAYING},
    {LINK_PROPERTY_TLS_CA_FILE, "tls-ca-file", "TLS CA File",
     "PEM file of trusted certificates: authorities, also intermediate ones, or the server's own "
     "certificate (NULL = the system's store)",
     SETTING_TEXT, AT(tls_ca_file), .mutable = GST_PARAM_MUTABLE_READY},
    {LINK_PROPERTY_TLS_VERIFY, "tls-verify", "TLS Verify",
     "Verify the server's certificate; switch off for tests only", SETTING_BOOLEAN, AT(tls_verify),
     .initial = TRUE, .mutable = GST_PARAM_MUTABLE_READY},
    {LINK_PROPERTY_PROXY, "proxy", "Proxy",
     "HTTP proxy, http://[user:password@]HOST[:PORT], or none (NULL = as HTTP_PROXY, HTTPS_PROXY "
     "and NO_PROXY say); on a command line others can read its password",
     SETTING_SECRET, AT(proxy), .mutable = GST_PARAM_MUTABLE_READY},
    {LINK_PROPERTY_AUTO_RECONNECT, "auto-reconnect", "Auto Reconnect",
     "Reconnect when the connection fails; otherwise the element posts an error", SETTING_BOOLEAN,
     AT(auto_reconnect), .initial = TRUE, .mutable = GST_PARAM_MUTABLE_PLAYING},
    {LINK_PROPERTY_RETRIES, "retries", "Retries",
     "Attempts after a failure before the element posts an error (-1 = unlimited)", SETTING_INT,
     AT(retries), .max = G_MAXINT, .initial = -1, .mutable = GST_PARAM_MUTABLE_PLAYING},
    {LINK_PROPERTY_RECONNECT_DELAY, "reconnect-delay", "Reconnect Delay",
     "First pause before reconnecting in ms; doubles each time, with jitter; quick for two "
     "minutes while a relay that was there does not answer",
     SETTING_UINT, AT(reconnect_delay_ms), 1, SETTING_DELAY_MS_MAX, 500, GST_PARAM_MUTABLE_PLAYING,
     NULL},
    {LINK_PROPERTY_RECONNECT_DELAY_MAX, "reconnect-delay-max", "Reconnect Delay Max",
     "Longest pause before reconnecting in ms; also the pause after a refusal", SETTING_UINT,
     AT(reconnect_delay_max_ms), 1, SETTING_DELAY_MS_MAX, 30000, GST_PARAM_MUTABLE_PLAYING, NULL},
    {LINK_PROPERTY_CONNECT_TIMEOUT, "connect-timeout", "Connect Timeout",
     "Limit of one attempt in ms: access request, TLS and WebSocket handshake together",
     SETTING_UINT, AT(connect_timeout_ms), 1, SETTING_DELAY_MS_MAX, 10000,
     GST_PARAM_MUTABLE_PLAYING, NULL},
    {LINK_PROPERTY_STALL_TIMEOUT, "stall-timeout", "Stall Timeout",
     "Reconnect when nothing could be written or no pong came for this long, in ms", SETTING_UINT,
     AT(stall_timeout_ms), 1, SETTING_DELAY_MS_MAX, 10000, GST_PARAM_MUTABLE_PLAYING, NULL},
    {LINK_PROPERTY_PING_INTERVAL, "ping-interval", "Ping Interval",
     "Time between pings in ms (0 = no pings)", SETTING_UINT, AT(ping_interval_ms), 0,
     SETTING_DELAY_MS_MAX, 5000, GST_PARAM_MUTABLE_PLAYING, NULL},
};

static const struct setting_table table = {rows, ARRAY_LENGTH(rows)};

void link_settings_install(const struct setting_table *own, GObjectClass *class)
{
    setting_table_install(&table, class);
    setting_table_install(own, class);
}

void link_settings_init(const struct setting_table *own, struct link_settings *settings)
{
    memset(settings, 0, sizeof *settings);
    setting_table_init(&table, settings);
    setting_table_init(own, settings);
}

void link_settings_deinit(const struct setting_table *own, struct link_settings *settings)
{
    setting_table_deinit(&table, settings);
    setting_table_deinit(own, settings);
}

static void location_set(struct link_settings *settings, const GValue *value)
{
    GValue nothing = G_VALUE_INIT;

    g_value_init(&nothing, G_TYPE_STRING);
    settings->location_refused = link_uri_has_userinfo(g_value_get_string(value));
    (void)setting_table_set(&table, settings, LINK_PROPERTY_LOCATION,
                            settings->location_refused ? &nothing : value);
    g_value_unset(&nothing);
}

bool link_settings_set(const struct setting_table *own, struct link_settings *settings,
                       guint property, const GValue *value)
{
    if (property == LINK_PROPERTY_LOCATION) {
        location_set(settings, value);
        return true;
    }
    return setting_table_set(&table, settings, property, value) ||
           setting_table_set(own, settings, property, value);
}

bool link_settings_get(const struct setting_table *own, const struct link_settings *settings,
                       guint property, GValue *value)
{
    return setting_table_get(&table, settings, property, value) ||
           setting_table_get(own, settings, property, value);
}

const char *link_settings_fault(const struct link_settings *settings)
{
    const char *location = settings->location;

    if (settings->location_refused) {
        return "location must not contain a user or password: use token-file";
    }
    if (location == NULL || location[0] == '\0') {
        return "No location set: it is the URL of the access point, https://HOST/session/TOPIC";
    }
    if (!g_str_has_prefix(location, "https://") && !g_str_has_prefix(location, "http://")) {
        return "location must begin with https:// (or http:// for tests)";
    }
    return NULL;
}

void link_settings_to_options(const struct link_settings *settings, const char *user_agent,
                              struct relay_client_options *ret_options)
{
    *ret_options = (struct relay_client_options){
        .location = settings->location,
        .token = settings->token,
        .token_file = settings->token_file,
        .ca_file = settings->tls_ca_file,
        .proxy = settings->proxy,
        .insecure = !settings->tls_verify,
        .insecure_name = "tls-verify=false",
        .no_reconnect = !settings->auto_reconnect || settings->retries == 0,
        .retries_max = MAX(settings->retries, 0),
        .user_agent = user_agent,
        .relay_v1 = true,
        .reconnect_delay_ms = settings->reconnect_delay_ms,
        .reconnect_delay_max_ms = settings->reconnect_delay_max_ms,
        .connect_timeout_ms = settings->connect_timeout_ms,
        .stall_timeout_ms = settings->stall_timeout_ms,
        .ping_interval_ms = settings->ping_interval_ms,
        .no_pings = settings->ping_interval_ms == 0,
    };
}
