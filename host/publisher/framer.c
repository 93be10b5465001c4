#include "host/publisher/framer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int framer_init(struct framer *framer,
                void (*on_cut)(void *context, struct bytes content, bool is_transport_stream),
                void *context)
{
    *framer = (struct framer){.on_cut = on_cut, .context = context};
    framer->buf = malloc(FRAMER_MESSAGE_MAX);
    return framer->buf == NULL ? -ENOMEM : 0;
}

void framer_deinit(struct framer *framer)
{
    free(framer->buf);
    framer->buf = NULL;
}

static void take_packets(struct framer *framer, struct bytes content)
{
    struct mpegts_message message;

    while (mpegts_framer_push(&framer->packets, &content, &message)) {
        framer->on_cut(framer->context, message.packets, true);
    }
}

static void cut_bytes(struct framer *framer)
{
    if (framer->len > 0) {
        framer->on_cut(framer->context, bytes_of(framer->buf, framer->len), false);
        framer->len = 0;
    }
}

static void take_bytes(struct framer *framer, struct bytes content)
{
    while (content.len > 0) {
        size_t room = FRAMER_MESSAGE_MAX - framer->len;
        size_t len = content.len < room ? content.len : room;

        memcpy(framer->buf + framer->len, content.data, len);
        framer->len += len;
        content = bytes_skip(content, len);
        if (framer->len == FRAMER_MESSAGE_MAX) {
            cut_bytes(framer);
        }
    }
}

/* Decides by the beginning of the body, which is short and in the buffer. */
static void decide(struct framer *framer)
{
    uint8_t start[FRAMER_PROBE_BYTES];
    struct bytes held = bytes_of(framer->buf, framer->len);

    if (!mpegts_probe(held)) {
        framer->kind = FRAMER_BYTES;
        return;
    }
    memcpy(start, held.data, held.len);
    framer->kind = FRAMER_PACKETS;
    framer->len = 0;
    mpegts_framer_init(&framer->packets, framer->buf, FRAMER_MESSAGE_MAX);
    take_packets(framer, bytes_of(start, held.len));
}

static struct bytes probe(struct framer *framer, struct bytes content)
{
    size_t missing = FRAMER_PROBE_BYTES - framer->len;
    struct bytes start = bytes_of(content.data, content.len < missing ? content.len : missing);

    take_bytes(framer, start);
    if (framer->len == FRAMER_PROBE_BYTES) {
        decide(framer);
    }
    return bytes_skip(content, start.len);
}

void framer_take(struct framer *framer, struct bytes content)
{
    if (framer->kind == FRAMER_PROBING) {
        content = probe(framer, content);
    }
    if (content.len == 0) {
        return;
    }
    if (framer->kind == FRAMER_PACKETS) {
        take_packets(framer, content);
    } else {
        take_bytes(framer, content);
    }
}

void framer_note_chunk(struct framer *framer, size_t chunk_size, bool in_chunk)
{
    framer->in_chunk = in_chunk;
    framer->after_full_chunk = chunk_size == FRAMER_FULL_CHUNK;
}

static enum mpegts_pending pending(const struct framer *framer)
{
    if (framer->kind == FRAMER_PACKETS) {
        return mpegts_framer_pending(&framer->packets);
    }
    return framer->len == 0 ? MPEGTS_PENDING_NOTHING : MPEGTS_PENDING_OPEN;
}

uint64_t framer_pause_ms(const struct framer *framer)
{
    switch (pending(framer)) {
    case MPEGTS_PENDING_NOTHING:
        return 0;
    case MPEGTS_PENDING_PARTIAL:
        return framer->in_chunk ? 0 : FRAMER_PAUSE_LONG_MS;
    case MPEGTS_PENDING_BETWEEN:
    case MPEGTS_PENDING_OPEN:
        break;
    }
    if (framer->in_chunk) {
        return 0;
    }
    return framer->after_full_chunk ? FRAMER_PAUSE_LONG_MS : FRAMER_PAUSE_MS;
}

void framer_cut(struct framer *framer)
{
    struct mpegts_message message;

    if (framer->kind == FRAMER_PROBING && framer->len > 0) {
        decide(framer);
    }
    if (framer->kind != FRAMER_PACKETS) {
        cut_bytes(framer);
        return;
    }
    while (mpegts_framer_flush(&framer->packets, &message)) {
        framer->on_cut(framer->context, message.packets, true);
    }
}
