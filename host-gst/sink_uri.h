/* The sink as relay+https://HOST/session/TOPIC (and relay+http) for gst_element_make_from_uri.
 * Plain https belongs to other elements. Any thread. */
#pragma once

#include <glib-object.h>
#include <stdbool.h>

/* For G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, …) of an element with the property location. */
void sink_uri_handler_init(gpointer interface, gpointer data);

/* True when a URL holds a user or password, which would be shown wherever the location is. NULL
 * holds none. */
bool sink_uri_has_userinfo(const char *url);
