#include "perf/footage/footage_viewer.h"

#include <string.h>

static void picture_begin(struct footage_viewer *viewer, int picture)
{
    viewer->pictures_broken += viewer->picture >= 0 || picture < 0;
    viewer->picture = picture;
    viewer->packets = 1;
    if (viewer->first < 0) {
        viewer->first = picture;
    }
}

static void picture_end(struct footage_viewer *viewer)
{
    unsigned picture = (unsigned)viewer->picture;

    viewer->picture = -1;
    viewer->pictures_whole++;
    if (viewer->on_picture != NULL) {
        viewer->on_picture(viewer->ctx, picture);
    }
}

static void packet_take(struct footage_viewer *viewer)
{
    struct footage_packet packet;

    if (!footage_packet_read(viewer->packet, &packet)) {
        viewer->packets_stray++;
        return;
    }
    if (packet.pid != viewer->footage->video_pid || !packet.has_payload) {
        return;
    }
    if (packet.starts_picture) {
        picture_begin(viewer, footage_find(viewer->footage, viewer->packet));
    } else if (viewer->picture >= 0) {
        viewer->packets++;
    } else {
        viewer->packets_stray++;
    }
    if (viewer->picture >= 0 &&
        viewer->packets == viewer->footage->pictures[viewer->picture].packets) {
        picture_end(viewer);
    }
}

static void on_payload(void *ctx, struct bytes payload)
{
    struct footage_viewer *viewer = ctx;

    viewer->payload_bytes += payload.len;
    while (payload.len > 0) {
        size_t missing = FOOTAGE_PACKET_BYTES - viewer->packet_len;
        size_t len = payload.len < missing ? payload.len : missing;

        memcpy(viewer->packet + viewer->packet_len, payload.data, len);
        viewer->packet_len += len;
        payload = bytes_skip(payload, len);
        if (viewer->packet_len == FOOTAGE_PACKET_BYTES) {
            viewer->packet_len = 0;
            packet_take(viewer);
        }
    }
}

void footage_viewer_init(struct footage_viewer *viewer, const struct footage *footage,
                         struct load_transport *transport,
                         void (*on_picture)(void *ctx, unsigned picture), void *ctx)
{
    *viewer = (struct footage_viewer){
        .footage = footage,
        .frames = {.transport = transport, .on_payload = on_payload, .ctx = viewer},
        .on_picture = on_picture,
        .ctx = ctx,
        .first = -1,
        .picture = -1,
    };
}
