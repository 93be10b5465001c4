#include "host/publisher/publisher.h"

#include <stdlib.h>

#include "host/publisher/framer.h"
#include "wire/media/mpegts_program.h"

struct publisher {
    struct loop *loop;
    struct feed_table *feeds;
    struct feed_member member;
    struct framer framer;
    struct loop_timer silence;
    struct mpegts_program program;
    bool has_keys; /* a key picture was seen */
};

/* Tells where viewers can start, once the stream has shown that it says so. */
static void find_keys(struct publisher *publisher, struct parcel *message)
{
    struct mpegts_findings findings = {0};

    for (size_t i = 0; i + MPEGTS_PACKET_SIZE <= message->len; i += MPEGTS_PACKET_SIZE) {
        struct mpegts_packet packet;

        if (mpegts_packet_parse(bytes_of(message->data + i, MPEGTS_PACKET_SIZE), &packet) == 0) {
            mpegts_program_take(&publisher->program, &packet, &findings);
        }
    }
    message->random_access = findings.key || findings.marked;
    publisher->has_keys = publisher->has_keys || message->random_access;
    message->is_video = publisher->has_keys;
}

static void on_cut(void *context, struct bytes content, bool is_transport_stream)
{
    struct publisher *publisher = context;
    struct parcel *message = parcel_create(PARCEL_BINARY, content, publisher->loop->now_ms);

    if (message == NULL) {
        return;
    }
    if (is_transport_stream) {
        find_keys(publisher, message);
    }
    feed_publish(publisher->feeds, &publisher->member, message);
    parcel_unref(message);
}

static void on_silence(struct loop_timer *timer)
{
    framer_cut(&container_of(timer, struct publisher, silence)->framer);
}

struct publisher *publisher_create(struct loop *loop, struct feed_table *feeds, const char *feed)
{
    struct publisher *publisher = calloc(1, sizeof *publisher);

    if (publisher == NULL) {
        return NULL;
    }
    publisher->loop = loop;
    publisher->feeds = feeds;
    loop_timer_init(&publisher->silence, on_silence);
    mpegts_program_init(&publisher->program);
    if (framer_init(&publisher->framer, on_cut, publisher) != 0 ||
        feed_join(feeds, feed, &publisher->member) != 0) {
        framer_deinit(&publisher->framer);
        free(publisher);
        return NULL;
    }
    return publisher;
}

void publisher_destroy(struct publisher *publisher)
{
    if (publisher == NULL) {
        return;
    }
    framer_cut(&publisher->framer);
    loop_timer_disarm(&publisher->silence);
    feed_leave(&publisher->member);
    framer_deinit(&publisher->framer);
    free(publisher);
}

void publisher_take(struct publisher *publisher, struct bytes content, size_t chunk_size,
                    bool in_chunk)
{
    framer_take(&publisher->framer, content);
    framer_note_chunk(&publisher->framer, chunk_size, in_chunk);
    uint64_t pause_ms = framer_pause_ms(&publisher->framer);

    if (pause_ms == 0) {
        loop_timer_disarm(&publisher->silence);
    } else {
        /* The clock of a turn may be almost a millisecond late. */
        loop_timer_arm(publisher->loop, &publisher->silence,
                       publisher->loop->now_ms + pause_ms + 1);
    }
}
