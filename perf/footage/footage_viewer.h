/* A viewer of footage notes which pictures arrive, and whether all of each does. It counts the
 * packets between the first of one picture and of the next, so a stream that is cut inside a
 * picture shows. One thread; never allocates. */
#pragma once

#include "perf/footage/footage.h"
#include "perf/footage/frames.h"

struct footage_viewer {
    const struct footage *footage;
    struct frames frames;
    void (*on_picture)(void *ctx, unsigned picture); /* all of it is there */
    void *ctx;

    uint64_t payload_bytes;
    unsigned pictures_whole;
    unsigned pictures_broken; /* begun and not completed, or of no footage */
    unsigned packets_stray;   /* of video, between pictures; or no packets at all */
    int first;                /* the first picture that began; -1: none yet */

    /* Private to footage_viewer.c. */
    uint8_t packet[FOOTAGE_PACKET_BYTES];
    size_t packet_len;
    int picture; /* that is arriving; -1: none */
    unsigned packets;
};

/* transport: of the owner, and open as long as it is used. */
void footage_viewer_init(struct footage_viewer *viewer, const struct footage *footage,
                         struct load_transport *transport,
                         void (*on_picture)(void *ctx, unsigned picture), void *ctx);
