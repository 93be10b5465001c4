#include "host-gst/link/link_uri.h"

#include <gst/gst.h>
#include <string.h>

#define URI_PREFIX "relay+"

bool link_uri_has_userinfo(const char *url)
{
    const char *authority = url != NULL ? strstr(url, "://") : NULL;

    if (authority == NULL) {
        return false;
    }
    authority += strlen("://");
    return memchr(authority, '@', strcspn(authority, "/?#")) != NULL;
}

static GstURIType sink_type(GType type)
{
    return GST_URI_SINK;
}

static GstURIType src_type(GType type)
{
    return GST_URI_SRC;
}

static const gchar *const *uri_protocols(GType type)
{
    static const gchar *const protocols[] = {"relay+https", "relay+http", NULL};

    return protocols;
}

static gchar *uri_get(GstURIHandler *handler)
{
    gchar *location = NULL;
    gchar *uri;

    g_object_get(handler, "location", &location, NULL);
    uri = location == NULL ? NULL : g_strconcat(URI_PREFIX, location, NULL);
    g_free(location);
    return uri;
}

static gboolean uri_set(GstURIHandler *handler, const gchar *uri, GError **error)
{
    GstState state;

    GST_OBJECT_LOCK(handler);
    state = GST_STATE(handler);
    GST_OBJECT_UNLOCK(handler);
    if (state > GST_STATE_READY) {
        g_set_error_literal(error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
                            "the location can be changed in NULL and READY only");
        return FALSE;
    }
    if (link_uri_has_userinfo(uri)) {
        g_set_error_literal(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                            "the location must not contain a user or password: use token-file");
        return FALSE;
    }
    g_object_set(handler, "location", uri + strlen(URI_PREFIX), NULL);
    return TRUE;
}

static void handler_init(GstURIHandlerInterface *handler, GstURIType (*type)(GType))
{
    handler->get_type = type;
    handler->get_protocols = uri_protocols;
    handler->get_uri = uri_get;
    handler->set_uri = uri_set;
}

void link_uri_sink_init(gpointer interface, gpointer data)
{
    handler_init(interface, sink_type);
}

void link_uri_src_init(gpointer interface, gpointer data)
{
    handler_init(interface, src_type);
}
