/* The connection of an element as its user sees it: makes and ends the client, posts on the bus
 * what happens, notifies the state, keeps the figures of a client that is gone. Owned by the
 * element.
 *
 * Threads: link_open and link_close (state changes) while only the functions that take the lock may
 * run; the others on any thread. */
#pragma once

#include <gst/gst.h>
#include <stdbool.h>

#include "base/attributes.h"
#include "client/relay_client.h"
#include "host-gst/link/connection_notices.h"
#include "host-gst/link/link_settings.h"

/* The coarse state, with the names of moqsink. */
enum link_status {
    LINK_STATUS_DISCONNECTED, /* not started, or between two connections */
    LINK_STATUS_CONNECTED,
    LINK_STATUS_FAILED, /* gave up */
};

/* How a client ended by itself. */
enum link_end {
    LINK_END_NONE,
    LINK_END_FAILED, /* the error has been posted */
    LINK_END_CLEAN,  /* a receiver's peer closed with 1000, and it does not reconnect */
};

/* Properties that are notified: one for each class. */
struct link_specs {
    GParamSpec *connection_state, *status;
    GParamSpec *viewers; /* NULL: the element receives */
};

struct link {
    GstElement *element; /* the owner */
    const struct link_specs *specs;
    bool receives; /* the element is a source */
    /* The encoder should make a random-access point; client's thread; NULL: there is none. */
    void (*on_keyframe_wanted)(GstElement *element);

    GMutex lock;                 /* guards the next two against the application's threads */
    struct relay_client *client; /* only link_open and link_close change it, so the streaming thread
                                    reads it without the lock */
    struct relay_client_statistics last_statistics; /* of the previous client */

    struct connection_notices notices; /* client's thread only */

    bool told_plain; /* client's thread: that the relay does not speak relay.v1 */

    gint state;          /* atomic; enum relay_client_state */
    gint viewers;        /* atomic; -1: not known */
    gint needs_relay_v1; /* atomic: the user is to be told where the relay does not speak it */
    gint end;            /* atomic; enum link_end */
};

/* Class initialisation: installs connection-state, status and stats, and viewers for those that
 * send. */
void link_install(GObjectClass *class, struct link_specs *specs, bool receives);

void link_init(struct link *link, GstElement *element, const struct link_specs *specs,
               bool receives);
void link_deinit(struct link *link);

/* Creates the client and starts it, in well under 1 ms. options: of an element with these settings.
 * False: error holds one line. */
MUST_USE bool link_open(struct link *link, const struct link_settings *settings,
                        const struct relay_client_options *options,
                        char error[RELAY_CLIENT_ERROR_SIZE]);

/* Ends the connection within 50 ms. Harmless when not open. */
void link_close(struct link *link);

/* True when the property is connection-state, status or viewers. */
bool link_get(struct link *link, guint property, GValue *value);

/* Waits of the client return at once, until cancelled is false again. */
void link_cancel_waits(struct link *link, bool cancelled);

/* After a change of settings that may be made at any time: takes effect with the next access
 * request, pause, attempt or connection. 0; -errno: the token was not accepted, which
 * link_tell_token tells the user once the caller holds no lock. */
MUST_USE int link_apply(struct link *link, const struct link_settings *settings, guint property);
void link_tell_token(struct link *link, int result);

/* Tells when other users can read the token file. The client reports a missing one: it may be
 * created later. Without locks. */
void link_check_token_file(struct link *link, const char *path);

void link_statistics(struct link *link, struct relay_client_statistics *ret_statistics);
