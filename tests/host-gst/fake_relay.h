/* A relay for tests of the elements, inside the test program and sharing no code with it: the
 * access API and the WebSocket on one loopback port, with faults at command. Every function may be
 * called from any thread; waits have a deadline and fail the test when it passes. */
#pragma once

#include <glib.h>
#include <stdbool.h>

enum fake_behaviour {
    FAKE_SERVE,
    FAKE_REFUSE,         /* access answers 401 */
    FAKE_SILENT_ACCESS,  /* accepts, never answers the access request */
    FAKE_SILENT_UPGRADE, /* never answers the WebSocket handshake */
    FAKE_NEVER_READ,     /* the WebSocket opens; nothing is read until SERVE */
    FAKE_READ_SLOWLY,    /* some 2 MB/s; to be set before the client connects */
};

enum { FAKE_TEXT = 1, FAKE_BINARY = 2 };

struct fake_relay;

struct fake_relay *fake_relay_start(void);
void fake_relay_stop(struct fake_relay *relay);

/* http://127.0.0.1:PORT/session/test, or https:// with secure. The caller's to free. */
char *fake_relay_location(const struct fake_relay *relay, bool secure);

void fake_relay_set_behaviour(struct fake_relay *relay, enum fake_behaviour behaviour);

/* Sends a message to every open WebSocket. */
void fake_relay_send(struct fake_relay *relay, int type, const void *data, gsize len);

/* Ends every open WebSocket with this close code; 0: resets them. */
void fake_relay_close_sockets(struct fake_relay *relay, guint16 code);

void fake_relay_wait_connections(struct fake_relay *relay, guint opened);
void fake_relay_wait_requests(struct fake_relay *relay, guint access_requests);
void fake_relay_wait_messages(struct fake_relay *relay, guint count);

guint fake_relay_messages(struct fake_relay *relay);
/* One message; the caller's to unref. */
GBytes *fake_relay_message(struct fake_relay *relay, guint index, int *ret_type);
/* The Authorization of an access request; the caller's to free. */
char *fake_relay_token(struct fake_relay *relay, guint index);
void fake_relay_forget_messages(struct fake_relay *relay);

/* A loopback port where connecting is never answered: its queue is full. */
struct fake_blackhole;
struct fake_blackhole *fake_blackhole_start(guint16 *ret_port);
void fake_blackhole_stop(struct fake_blackhole *blackhole);

/* A loopback port on which connections are refused. */
guint16 fake_closed_port(void);
