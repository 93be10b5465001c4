/* The elements as relay+https://HOST/session/TOPIC (and relay+http) for gst_element_make_from_uri.
 * Plain https belongs to other elements. Any thread. */
#pragma once

#include <glib-object.h>
#include <stdbool.h>

/* For G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, …) of a sink or source with the property
 * location. */
void link_uri_sink_init(gpointer interface, gpointer data);
void link_uri_src_init(gpointer interface, gpointer data);

/* True when a URL holds a user or password, which would be shown wherever the location is. NULL
 * holds none. */
bool link_uri_has_userinfo(const char *url);
