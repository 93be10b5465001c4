/* A relaysink or relaysrc in a harness, connected to a fake relay; and what tests ask of the bus.
 */
#pragma once

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <stdbool.h>

#include "tests/host-gst/fake_relay.h"

struct fixture {
    struct fake_relay *relay;
    GstElement *element;
    GstBus *bus;
    GstHarness *harness; /* NULL until fixture_play */
};

enum { FIXTURE_WAIT_S = 20 };

/* Location, token "test-token" and quick reconnecting are set; nothing runs yet. */
void fixture_init(struct fixture *fixture);
void fixture_init_src(struct fixture *fixture);

/* Starts the sink with these caps (NULL: none). It connects meanwhile. */
void fixture_play(struct fixture *fixture, const char *caps);

/* Starts the source; it connects meanwhile. */
void fixture_play_src(struct fixture *fixture);

/* For after a flush. */
void fixture_push_segment(struct fixture *fixture);

void fixture_deinit(struct fixture *fixture);

/* The next message of this type, or a failed test. The caller's to unref. */
GstMessage *fixture_wait_message(struct fixture *fixture, GstMessageType type);

/* Waits for the element message that says so. */
void fixture_wait_state(struct fixture *fixture, const char *state);

/* The same without a bus, by the property. */
void fixture_wait_property(GstElement *element, const char *wanted);

/* Fails when the bus holds a message of this type now. */
void fixture_expect_none(struct fixture *fixture, GstMessageType type);

guint64 fixture_count(const struct fixture *fixture, const char *field);

/* Waits until a counter of "stats" is at least this. */
void fixture_wait_count(const struct fixture *fixture, const char *field, guint64 wanted);

GstBuffer *fixture_buffer(const void *data, gsize len);

/* Fails unless message index of the relay has this content. */
void fixture_expect_message(struct fixture *fixture, guint index, const void *data, gsize len);
