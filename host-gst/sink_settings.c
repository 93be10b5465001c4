#include "host-gst/sink_settings.h"

#include <gst/gst.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/version.h"

enum setting_kind {
    SETTING_TEXT,
    SETTING_SECRET,
    SETTING_BOOLEAN,
    SETTING_INT,
    SETTING_UINT,
    SETTING_UINT64,
    SETTING_ENUM,
};

struct setting {
    enum sink_property property;
    const char *name;
    const char *nick;
    const char *blurb;
    enum setting_kind kind;
    size_t offset; /* in struct sink_settings */
    guint64 min, max;
    gint64 initial;
    GParamFlags mutable;
    GType (*enum_type)(void);
};

enum { DELAY_MS_MAX = 24 * 3600 * 1000 };

static GType enum_type_once(gsize *type, const char *name, const GEnumValue *values)
{
    if (g_once_init_enter(type)) {
        g_once_init_leave(type, g_enum_register_static(name, values));
    }
    return *type;
}

static GType framing_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        {SINK_FRAMING_AUTO, "By input: frames of MPEG-TS, otherwise buffers or lists", "auto"},
        {SINK_FRAMING_FRAME, "One message per video frame of MPEG-TS", "frame"},
        {SINK_FRAMING_BUFFER, "One message per buffer", "buffer"},
        {SINK_FRAMING_LIST, "One message per buffer list, or buffer outside a list", "list"},
        {0, NULL, NULL},
    };
    return enum_type_once(&type, "GstRelaySinkFraming", values);
}

static GType message_type_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        {SINK_MESSAGE_AUTO, "Text for text/x-raw and application/x-json, else binary", "auto"},
        {SINK_MESSAGE_BINARY, "Binary messages", "binary"},
        {SINK_MESSAGE_TEXT, "Text messages; data that is not UTF-8 is sent as binary", "text"},
        {0, NULL, NULL},
    };
    return enum_type_once(&type, "GstRelaySinkMessageType", values);
}

static GType drop_policy_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        {SINK_DROP_KEYFRAME, "Everything up to the next keyframe (images, data: the oldest)",
         "keyframe"},
        {SINK_DROP_OLDEST, "The oldest messages", "oldest"},
        {SINK_DROP_NEWEST, "The message that does not fit", "newest"},
        {SINK_DROP_NONE, "Nothing: upstream waits for room", "none"},
        {0, NULL, NULL},
    };
    return enum_type_once(&type, "GstRelaySinkDropPolicy", values);
}

#define AT(member) offsetof(struct sink_settings, member)

static const struct setting settings_table[] = {
    {SINK_PROPERTY_LOCATION, "location", "Location",
     "URL of the access point, https://HOST/session/TOPIC (http only for loopback or with "
     "tls-verify=false); never with user or password",
     SETTING_TEXT, AT(location), .mutable = GST_PARAM_MUTABLE_READY},
    {SINK_PROPERTY_TOKEN_FILE, "token-file", "Token File",
     "File with the access token; read again for every access request, so that tokens can be "
     "replaced while running",
     SETTING_TEXT, AT(token_file), .mutable = GST_PARAM_MUTABLE_PLAYING},
    {SINK_PROPERTY_TOKEN, "token", "Token",
     "The access token itself, for applications; on a command line others can read it, use "
     "token-file there",
     SETTING_SECRET, AT(token), .mutable = GST_PARAM_MUTABLE_PLAYING},
    {SINK_PROPERTY_TLS_CA_FILE, "tls-ca-file", "TLS CA File",
     "PEM file of trusted certificates: authorities, also intermediate ones, or the server's own "
     "certificate (NULL = the system's store)",
     SETTING_TEXT, AT(tls_ca_file), .mutable = GST_PARAM_MUTABLE_READY},
    {SINK_PROPERTY_TLS_VERIFY, "tls-verify", "TLS Verify",
     "Verify the server's certificate; switch off for tests only", SETTING_BOOLEAN, AT(tls_verify),
     .initial = TRUE, .mutable = GST_PARAM_MUTABLE_READY},
    {SINK_PROPERTY_AUTO_RECONNECT, "auto-reconnect", "Auto Reconnect",
     "Reconnect when the connection fails; otherwise the element posts an error", SETTING_BOOLEAN,
     AT(auto_reconnect), .initial = TRUE, .mutable = GST_PARAM_MUTABLE_PLAYING},
    {SINK_PROPERTY_RETRIES, "retries", "Retries",
     "Attempts after a failure before the element posts an error (-1 = unlimited)", SETTING_INT,
     AT(retries), .max = G_MAXINT, .initial = -1, .mutable = GST_PARAM_MUTABLE_PLAYING},
    {SINK_PROPERTY_RECONNECT_DELAY, "reconnect-delay", "Reconnect Delay",
     "First pause before reconnecting in ms; doubles each time, with jitter", SETTING_UINT,
     AT(reconnect_delay_ms), 1, DELAY_MS_MAX, 500, GST_PARAM_MUTABLE_PLAYING, NULL},
    {SINK_PROPERTY_RECONNECT_DELAY_MAX, "reconnect-delay-max", "Reconnect Delay Max",
     "Longest pause before reconnecting in ms; also the pause after a refusal", SETTING_UINT,
     AT(reconnect_delay_max_ms), 1, DELAY_MS_MAX, 30000, GST_PARAM_MUTABLE_PLAYING, NULL},
    {SINK_PROPERTY_CONNECT_TIMEOUT, "connect-timeout", "Connect Timeout",
     "Limit of one attempt in ms: access request, TLS and WebSocket handshake together",
     SETTING_UINT, AT(connect_timeout_ms), 1, DELAY_MS_MAX, 10000, GST_PARAM_MUTABLE_PLAYING, NULL},
    {SINK_PROPERTY_STALL_TIMEOUT, "stall-timeout", "Stall Timeout",
     "Reconnect when nothing could be written or no pong came for this long, in ms", SETTING_UINT,
     AT(stall_timeout_ms), 1, DELAY_MS_MAX, 10000, GST_PARAM_MUTABLE_PLAYING, NULL},
    {SINK_PROPERTY_PING_INTERVAL, "ping-interval", "Ping Interval",
     "Time between pings in ms (0 = no pings)", SETTING_UINT, AT(ping_interval_ms), 0, DELAY_MS_MAX,
     5000, GST_PARAM_MUTABLE_PLAYING, NULL},
    {SINK_PROPERTY_WAIT_FOR_CONNECTION, "wait-for-connection", "Wait For Connection",
     "Block upstream while there is no connection or no room, and drop nothing; for files and "
     "data that must all arrive",
     SETTING_BOOLEAN, AT(wait_for_connection), .initial = FALSE,
     .mutable = GST_PARAM_MUTABLE_PLAYING},
    {SINK_PROPERTY_FRAMING, "framing", "Framing", "How input is divided into messages",
     SETTING_ENUM, AT(framing), .initial = SINK_FRAMING_AUTO, .mutable = GST_PARAM_MUTABLE_READY,
     .enum_type = framing_type},
    {SINK_PROPERTY_MESSAGE_TYPE, "message-type", "Message Type", "WebSocket type of the messages",
     SETTING_ENUM, AT(message_type), .initial = SINK_MESSAGE_AUTO,
     .mutable = GST_PARAM_MUTABLE_READY, .enum_type = message_type_type},
    {SINK_PROPERTY_MAX_QUEUE_TIME, "max-queue-time", "Max Queue Time",
     "Messages that waited longer than this are dropped, in ns (0 = no limit)", SETTING_UINT64,
     AT(max_queue_time_ns), 0, G_MAXINT64, 500 * GST_MSECOND, GST_PARAM_MUTABLE_PLAYING, NULL},
    {SINK_PROPERTY_MAX_QUEUE_BYTES, "max-queue-bytes", "Max Queue Bytes",
     "Bytes that may be queued; a larger message is accepted when the queue is empty",
     SETTING_UINT64, AT(max_queue_bytes), 1, G_MAXINT64, 8 << 20, GST_PARAM_MUTABLE_PLAYING, NULL},
    {SINK_PROPERTY_DROP_POLICY, "drop-policy", "Drop Policy",
     "What is dropped when the network is too slow", SETTING_ENUM, AT(drop_policy),
     .initial = SINK_DROP_KEYFRAME, .mutable = GST_PARAM_MUTABLE_PLAYING,
     .enum_type = drop_policy_type},
    {SINK_PROPERTY_REQUEST_KEYFRAME, "request-keyframe", "Request Keyframe",
     "Ask the encoder for a keyframe after connecting and after drops, once per second at most",
     SETTING_BOOLEAN, AT(request_keyframe), .initial = TRUE, .mutable = GST_PARAM_MUTABLE_PLAYING},
    {SINK_PROPERTY_EOS_TIMEOUT, "eos-timeout", "EOS Timeout",
     "How long the end of the stream waits until everything is sent, in ms; with upstream waiting "
     "for room: how long without anything being sent",
     SETTING_UINT, AT(eos_timeout_ms), 0, DELAY_MS_MAX, 1000, GST_PARAM_MUTABLE_PLAYING, NULL},
};

static GParamSpec *setting_spec(const struct setting *setting)
{
    GParamFlags flags = (GParamFlags)(G_PARAM_STATIC_STRINGS | G_PARAM_WRITABLE | setting->mutable);
    const char *name = setting->name, *nick = setting->nick, *blurb = setting->blurb;

    if (setting->kind != SETTING_SECRET) {
        flags = (GParamFlags)(flags | G_PARAM_READABLE);
    }
    switch (setting->kind) {
    case SETTING_TEXT:
    case SETTING_SECRET:
        return g_param_spec_string(name, nick, blurb, NULL, flags);
    case SETTING_BOOLEAN:
        return g_param_spec_boolean(name, nick, blurb, setting->initial != 0, flags);
    case SETTING_INT:
        return g_param_spec_int(name, nick, blurb, -1, (gint)setting->max, (gint)setting->initial,
                                flags);
    case SETTING_UINT:
        return g_param_spec_uint(name, nick, blurb, (guint)setting->min, (guint)setting->max,
                                 (guint)setting->initial, flags);
    case SETTING_UINT64:
        return g_param_spec_uint64(name, nick, blurb, setting->min, setting->max,
                                   (guint64)setting->initial, flags);
    case SETTING_ENUM:
        return g_param_spec_enum(name, nick, blurb, setting->enum_type(), (gint)setting->initial,
                                 flags);
    }
    UNREACHABLE();
}

void sink_settings_install(GObjectClass *class)
{
    for (size_t i = 0; i < ARRAY_LENGTH(settings_table); i++) {
        const struct setting *setting = &settings_table[i];

        g_object_class_install_property(class, setting->property, setting_spec(setting));
        if (setting->enum_type != NULL) {
            gst_type_mark_as_plugin_api(setting->enum_type(), 0);
        }
    }
}

static const struct setting *setting_find(guint property)
{
    for (size_t i = 0; i < ARRAY_LENGTH(settings_table); i++) {
        if ((guint)settings_table[i].property == property) {
            return &settings_table[i];
        }
    }
    return NULL;
}

static void text_replace(char **text, const char *value, bool secret)
{
    if (secret && *text != NULL) {
        bytes_wipe(*text, strlen(*text));
    }
    g_free(*text);
    *text = g_strdup(value);
}

void sink_settings_init(struct sink_settings *settings)
{
    memset(settings, 0, sizeof *settings);
    for (size_t i = 0; i < ARRAY_LENGTH(settings_table); i++) {
        const struct setting *setting = &settings_table[i];
        void *member = (char *)settings + setting->offset;

        switch (setting->kind) {
        case SETTING_TEXT:
        case SETTING_SECRET:
            break;
        case SETTING_BOOLEAN:
        case SETTING_INT:
        case SETTING_ENUM:
            *(gint *)member = (gint)setting->initial;
            break;
        case SETTING_UINT:
            *(guint *)member = (guint)setting->initial;
            break;
        case SETTING_UINT64:
            *(guint64 *)member = (guint64)setting->initial;
            break;
        }
    }
}

void sink_settings_deinit(struct sink_settings *settings)
{
    text_replace(&settings->location, NULL, false);
    text_replace(&settings->token_file, NULL, false);
    text_replace(&settings->token, NULL, true);
    text_replace(&settings->tls_ca_file, NULL, false);
}

bool sink_settings_set(struct sink_settings *settings, guint property, const GValue *value)
{
    const struct setting *setting = setting_find(property);
    void *member;

    if (setting == NULL) {
        return false;
    }
    member = (char *)settings + setting->offset;
    switch (setting->kind) {
    case SETTING_TEXT:
    case SETTING_SECRET:
        text_replace(member, g_value_get_string(value), setting->kind == SETTING_SECRET);
        break;
    case SETTING_BOOLEAN:
        *(gboolean *)member = g_value_get_boolean(value);
        break;
    case SETTING_INT:
        *(gint *)member = g_value_get_int(value);
        break;
    case SETTING_UINT:
        *(guint *)member = g_value_get_uint(value);
        break;
    case SETTING_UINT64:
        *(guint64 *)member = g_value_get_uint64(value);
        break;
    case SETTING_ENUM:
        *(gint *)member = g_value_get_enum(value);
        break;
    }
    return true;
}

bool sink_settings_get(const struct sink_settings *settings, guint property, GValue *value)
{
    const struct setting *setting = setting_find(property);
    const void *member;

    if (setting == NULL || setting->kind == SETTING_SECRET) {
        return false;
    }
    member = (const char *)settings + setting->offset;
    switch (setting->kind) {
    case SETTING_TEXT:
    case SETTING_SECRET:
        g_value_set_string(value, *(char *const *)member);
        break;
    case SETTING_BOOLEAN:
        g_value_set_boolean(value, *(const gboolean *)member);
        break;
    case SETTING_INT:
        g_value_set_int(value, *(const gint *)member);
        break;
    case SETTING_UINT:
        g_value_set_uint(value, *(const guint *)member);
        break;
    case SETTING_UINT64:
        g_value_set_uint64(value, *(const guint64 *)member);
        break;
    case SETTING_ENUM:
        g_value_set_enum(value, *(const gint *)member);
        break;
    }
    return true;
}

bool sink_settings_waits(const struct sink_settings *settings)
{
    return settings->wait_for_connection || settings->drop_policy == SINK_DROP_NONE;
}

static enum relay_client_drop drop_of(const struct sink_settings *settings, bool images)
{
    if (sink_settings_waits(settings)) {
        return RELAY_CLIENT_DROP_NONE;
    }
    switch ((enum sink_drop_policy)settings->drop_policy) {
    case SINK_DROP_KEYFRAME:
        return images ? RELAY_CLIENT_DROP_OLDEST : RELAY_CLIENT_DROP_KEYFRAME;
    case SINK_DROP_OLDEST:
        return RELAY_CLIENT_DROP_OLDEST;
    case SINK_DROP_NEWEST:
        return RELAY_CLIENT_DROP_NEWEST;
    case SINK_DROP_NONE:
        return RELAY_CLIENT_DROP_NONE;
    }
    UNREACHABLE();
}

void sink_settings_queue(const struct sink_settings *settings, bool images,
                         struct sink_queue *ret_queue)
{
    /* With waiting for room, everything is to arrive, however late. */
    guint64 age_ns = sink_settings_waits(settings) ? 0 : settings->max_queue_time_ns;

    *ret_queue = (struct sink_queue){
        .drop = drop_of(settings, images),
        .bytes_max = settings->max_queue_bytes,
        .age_max_ms = age_ns / GST_MSECOND + (age_ns % GST_MSECOND != 0),
        .while_disconnected = sink_settings_waits(settings),
    };
}

void sink_settings_to_options(const struct sink_settings *settings,
                              struct relay_client_options *ret_options)
{
    struct sink_queue queue;

    sink_settings_queue(settings, false, &queue);
    *ret_options = (struct relay_client_options){
        .location = settings->location,
        .token = settings->token,
        .token_file = settings->token_file,
        .ca_file = settings->tls_ca_file,
        .insecure = !settings->tls_verify,
        .insecure_name = "tls-verify=false",
        .no_reconnect = !settings->auto_reconnect || settings->retries == 0,
        .retries_max = MAX(settings->retries, 0),
        .user_agent = "relaysink/" RELAY_VERSION,
        .reconnect_delay_ms = settings->reconnect_delay_ms,
        .reconnect_delay_max_ms = settings->reconnect_delay_max_ms,
        .connect_timeout_ms = settings->connect_timeout_ms,
        .stall_timeout_ms = settings->stall_timeout_ms,
        .ping_interval_ms = settings->ping_interval_ms,
        .no_pings = settings->ping_interval_ms == 0,
        .drop = queue.drop,
        .queue_bytes_max = queue.bytes_max,
        .queue_age_max_ms = queue.age_max_ms,
        .queue_while_disconnected = queue.while_disconnected,
    };
}
